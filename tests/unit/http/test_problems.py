"""Every error has its status, and nothing of ours shows in one that was not foreseen."""

import inspect
import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.http.context import open_context
from app.http.problems import (
    FieldError,
    InternalError,
    InvalidParameters,
    MethodNotAllowed,
    UnsupportedMediaType,
    answer_to,
    problem_for,
    problem_types,
)
from app.kernel import errors
from tests.unit.http.asking import scope_of


class CustomerAlreadyRegistered(errors.Refused):
    """The customer is registered already.

    More that clients need not know.
    """


EXPECTED: list[tuple[Exception, int, str]] = [
    (errors.InvalidInput("bad"), 400, "invalid-input"),
    (errors.UnstorableValue("bad"), 400, "unstorable-value"),
    (errors.PositionBeyondHead("bad"), 400, "position-beyond-head"),
    (errors.NotFound(), 404, "not-found"),
    (MethodNotAllowed("GET"), 405, "method-not-allowed"),
    (errors.Refused(), 409, "refused"),
    (CustomerAlreadyRegistered(), 409, "customer-already-registered"),
    (errors.Contention(), 409, "contention"),
    (errors.Erased(), 410, "customer-erased"),
    (errors.WrongExpectedVersion("order-1", 3, 4), 412, "wrong-expected-version"),
    (errors.InputTooLarge(), 413, "input-too-large"),
    (UnsupportedMediaType(), 415, "unsupported-media-type"),
    (errors.IdempotencyConflict(), 422, "idempotency-conflict"),
    (InternalError(), 500, "internal-error"),
    (errors.TidingsError("secret"), 500, "internal-error"),
    (KeyError("secret"), 500, "internal-error"),
    (errors.StoreUnavailable(), 503, "store-unavailable"),
    (errors.ProviderUnavailable(), 503, "provider-unavailable"),
    (errors.ReadModelBehind(), 503, "read-model-behind"),
    (errors.UnknownEvent(), 503, "unknown-event"),
    (errors.UnsafeServer(), 503, "unsafe-server"),
    (errors.WrongReplica(), 503, "wrong-replica"),
]


@pytest.mark.parametrize(("error", "status", "code"), EXPECTED, ids=lambda value: str(value)[:40])
def test_an_error_has_its_status_and_code(error: Exception, status: int, code: str) -> None:
    problem = problem_for(error)

    assert (problem.status, problem.code) == (status, code)
    assert problem.type == f"urn:tidings:problem:{code}"


def test_every_error_of_the_kernel_is_expected_here() -> None:
    kernel_errors = {
        member
        for member in vars(errors).values()
        if inspect.isclass(member) and issubclass(member, errors.TidingsError)
    }

    assert kernel_errors <= {type(error) for error, _, _ in EXPECTED}


def test_the_title_is_the_kind_and_the_detail_the_occurrence() -> None:
    problem = problem_for(CustomerAlreadyRegistered("ada is registered since Tuesday"))

    assert problem.title == "The customer is registered already"
    assert problem.detail == "ada is registered since Tuesday"


def test_a_field_is_named() -> None:
    assert problem_for(errors.InvalidInput("bad", field="[3].type")).field == "[3].type"


def test_several_fields_are_all_named() -> None:
    wrong = [FieldError("limit", "too large"), FieldError("from", "no time")]

    problem = problem_for(InvalidParameters(wrong))

    assert problem.code == "invalid-input"
    assert problem.field == "limit"
    assert problem.errors == tuple(wrong)


def test_the_kinds_of_problem_can_be_listed() -> None:
    kinds = problem_types()
    codes = [kind.code for kind in kinds]

    assert codes == sorted(set(codes))
    assert {code for _, _, code in EXPECTED} <= set(codes)
    assert "error" not in codes
    assert all(kind.title and not kind.title.endswith(".") for kind in kinds)


def answered(error: Exception) -> tuple[dict[str, str], Any]:
    scope = scope_of(x_request_id="r-1")
    open_context(scope)
    answer = answer_to(error, scope)
    return answer.headers, json.loads(answer.body)


def test_an_answer_holds_what_rfc_9457_asks_for_and_the_request_id() -> None:
    headers, body = answered(errors.NotFound("no customer ada"))

    assert headers == {"Content-Type": "application/problem+json"}
    assert body == {
        "type": "urn:tidings:problem:not-found",
        "title": "There is nothing here",
        "status": 404,
        "detail": "no customer ada",
        "request_id": "r-1",
    }


def test_waiting_is_recommended_where_it_helps() -> None:
    assert answered(errors.StoreUnavailable())[0]["Retry-After"] == "1"


def test_the_methods_that_are_allowed_are_named() -> None:
    assert answered(MethodNotAllowed("GET, OPTIONS"))[0]["Allow"] == "GET, OPTIONS"


def test_an_unforeseen_error_is_logged_and_not_shown() -> None:
    with capture_logs() as logs:
        _, body = answered(RuntimeError("the password is hunter2"))

    assert "hunter2" not in json.dumps(body)
    assert [(log["log_level"], log["request_id"]) for log in logs] == [("error", "r-1")]
    assert "hunter2" in str(logs[0]["exc_info"])


def test_a_foreseen_error_is_not_logged() -> None:
    with capture_logs() as logs:
        answered(errors.NotFound())

    assert logs == []
