"""Customer tokens: made, known again, and no more than that."""

from datetime import UTC, datetime, timedelta

import jwt
import pytest

from app.http.access import Unauthenticated
from app.kernel.errors import InvalidInput
from app.kernel.principal import Principal
from app.security.customer_tokens import (
    ALGORITHM,
    MAX_LIFETIME_S,
    TYPE,
    CustomerTokens,
    is_customer_token,
)
from app.security.signed_token import parse_token

SECRET = b"s" * 32
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LIFETIME = timedelta(seconds=MAX_LIFETIME_S)
SHOP = Principal("shop", "key:x", frozenset({"customers:read", "customers:write", "timeline:read"}))


def tokens(now: datetime = NOW, *, secret: bytes = SECRET, store: str = "live/a") -> CustomerTokens:
    return CustomerTokens(secret, store=store, clock=lambda: now)


def owner(token: str, by: CustomerTokens) -> tuple[Principal, datetime]:
    parsed = parse_token(token)
    assert parsed is not None
    assert is_customer_token(parsed)
    return by.owner_of(parsed)


def is_let_in(token: str) -> bool:
    try:
        parsed = parse_token(token)
        return parsed is not None and is_customer_token(parsed) and bool(tokens().owner_of(parsed))
    except Unauthenticated:
        return False


def test_a_token_speaks_for_its_customer_until_it_ends() -> None:
    made = tokens().make("anna", LIFETIME, SHOP)
    principal, ends_at = owner(made.token, tokens(NOW + LIFETIME - timedelta(seconds=1)))
    assert principal.customer_id == "anna"
    assert principal.owner == principal.actor == "customer:anna"
    assert principal.scopes == {"customers:read", "customers:write", "timeline:read"}
    assert ends_at == made.expires_at == NOW + LIFETIME
    with pytest.raises(Unauthenticated):
        owner(made.token, tokens(NOW + LIFETIME))


def test_a_token_may_do_nothing_that_its_maker_may_not() -> None:
    own = {
        "accounts:write",
        "customers:read",
        "customers:write",
        "messages:read",
        "messages:write",
        "pii:read",
        "timeline:read",
    }
    for scopes, given in (
        ({"customers:write"}, {"customers:write"}),
        ({"customers:write", "pii:read", "keys:admin"}, {"customers:write", "pii:read"}),
        ({"*"}, own),
    ):
        maker = Principal("crm", "key:y", frozenset(scopes))
        principal, _ = owner(tokens().make("anna", LIFETIME, maker).token, tokens())
        assert principal.scopes == given


def test_a_token_is_of_one_store() -> None:
    made = tokens().make("anna", LIFETIME, SHOP).token
    for other in (tokens(secret=b"t" * 32), tokens(store="live/b"), tokens(store="test/a")):
        with pytest.raises(Unauthenticated):
            owner(made, other)


@pytest.mark.parametrize("customer_id", ["~visitor", "", "a/b", "..", "x" * 201])
def test_only_a_customer_can_have_a_token(customer_id: str) -> None:
    with pytest.raises(InvalidInput):
        tokens().make(customer_id, LIFETIME, SHOP)


def test_a_token_that_was_tampered_with_is_refused() -> None:
    header, claims, signature = tokens().make("anna", LIFETIME, SHOP).token.split(".")
    _, others, _ = tokens().make("boris", LIFETIME, SHOP).token.split(".")
    for forged in (f"{header}.{others}.{signature}", f"{header}.{claims}.{signature[::-1]}"):
        with pytest.raises(Unauthenticated):
            owner(forged, tokens())


def test_no_character_of_a_token_can_be_changed() -> None:
    """Nor the last one, of which some bits mean nothing."""
    token = tokens().make("anna", LIFETIME, SHOP).token
    assert is_let_in(token)
    for place in range(len(token)):
        other = "A" if token[place] != "A" else "B"
        forged = token[:place] + other + token[place + 1 :]
        assert not is_let_in(forged), place


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_a_token_signed_in_another_way_is_refused(algorithm: str) -> None:
    claims = {"sub": "anna", "iat": 0, "exp": 4_000_000_000, "scope": "customers:read"}
    forged = jwt.encode(
        claims, SECRET if algorithm == "HS256" else "", algorithm, headers={"typ": TYPE}
    )
    with pytest.raises(Unauthenticated):
        owner(forged if algorithm == "HS256" else forged + "AA", tokens())


def test_a_token_says_what_it_is() -> None:
    header = jwt.get_unverified_header(tokens().make("anna", LIFETIME, SHOP).token)
    assert header == {"alg": ALGORITHM, "typ": TYPE}
