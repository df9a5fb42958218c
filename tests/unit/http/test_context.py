"""What a request's headers say about it."""

from uuid import UUID

import pytest

from app.http.context import context_of, idempotency_key, metadata_of, open_context
from app.kernel.errors import InvalidInput
from app.kernel.event import Metadata
from app.kernel.principal import Principal
from tests.unit.http.asking import scope_of


def metadata(**headers: str) -> Metadata:
    scope = scope_of(**headers)
    open_context(scope)
    scope["tidings.principal"] = Principal("shop", "key:ada", frozenset())
    return metadata_of(scope)


def key(**headers: str) -> str | None:
    scope = scope_of(**headers)
    open_context(scope)
    return idempotency_key(scope)


def test_the_clients_request_id_is_kept() -> None:
    assert open_context(scope_of(x_request_id="job 7/3")).request_id == "job 7/3"


@pytest.mark.parametrize("sent", [None, "", "x" * 201, "caf\xe9", "a\tb"])
def test_another_request_id_is_replaced_by_a_fresh_one(sent: str | None) -> None:
    scope = scope_of(**{} if sent is None else {"x_request_id": sent})

    request_id = open_context(scope).request_id

    assert UUID(request_id).version == 7
    assert context_of(scope).request_id == request_id


def test_a_request_begins_a_chain_of_its_own() -> None:
    assert metadata(x_request_id="r-1") == Metadata(
        correlation_id="r-1", actor="key:ada", source="shop", request_id="r-1"
    )


def test_a_request_may_belong_to_a_chain() -> None:
    told = metadata(x_request_id="r-1", x_correlation_id="c-1", x_causation_id="e-1")

    assert (told.correlation_id, told.causation_id, told.request_id) == ("c-1", "e-1", "r-1")


@pytest.mark.parametrize("name", ["X-Correlation-Id", "X-Causation-Id"])
@pytest.mark.parametrize("sent", ["", "x" * 201, "caf\xe9"])
def test_an_unfit_id_in_the_chain_is_refused(name: str, sent: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        metadata(**{name.lower().replace("-", "_"): sent})

    assert refused.value.field == name


def test_an_idempotency_key_may_be_missing() -> None:
    assert key() is None


@pytest.mark.parametrize("sent", ["a", "order 7, again", "x" * 200, "é".encode().decode("latin-1")])
def test_an_idempotency_key_is_any_printable_text(sent: str) -> None:
    assert key(idempotency_key=sent) == sent.encode("latin-1").decode()


@pytest.mark.parametrize("sent", ["", "x" * 201, "a\tb", "\xff"])
def test_an_unfit_idempotency_key_is_refused(sent: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        key(idempotency_key=sent)

    assert refused.value.field == "Idempotency-Key"
