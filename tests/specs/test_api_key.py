"""What may happen to an API key."""

from app.security.decider import API_KEY, CreateApiKey, NoSuchKey, RevokeApiKey
from app.security.events import ApiKeyCreated, ApiKeyRevoked
from app.testing.specs import given

CREATE = CreateApiKey("shop", ("events:write",), "d1")
CREATED = ApiKeyCreated("shop", ("events:write",), "d1")


def test_a_key_is_made_once() -> None:
    given(API_KEY).when(CREATE).then(CREATED)
    given(API_KEY, CREATED).when(CREATE).then_nothing()


def test_a_key_is_revoked_once() -> None:
    given(API_KEY, CREATED).when(RevokeApiKey()).then(ApiKeyRevoked())
    given(API_KEY, CREATED, ApiKeyRevoked()).when(RevokeApiKey()).then_nothing()


def test_a_revoked_key_is_not_made_again() -> None:
    given(API_KEY, CREATED, ApiKeyRevoked()).when(CREATE).then_nothing()


def test_a_key_that_was_never_made_is_refused() -> None:
    given(API_KEY).when(RevokeApiKey()).then_refused(NoSuchKey)
