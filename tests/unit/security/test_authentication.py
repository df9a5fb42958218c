"""Who a request comes from, on a store in memory."""

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import jwt
import pytest

from app.catalogue import CATALOGUE
from app.eventstore.codec import Codec
from app.eventstore.execute import Executor
from app.eventstore.memory import InMemoryEventStore
from app.http import live
from app.http.access import Unauthenticated
from app.http.context import open_context
from app.kernel.errors import InvalidInput, NotFound
from app.kernel.event import Metadata, RecordedEvent
from app.kernel.principal import Principal
from app.security import authentication
from app.security.api_key import new_api_key
from app.security.authentication import Authentication
from app.security.customer_tokens import CustomerTokens
from app.security.decider import NoSuchKey
from app.security.keys import Keys, NameTaken
from tests.unit.http.asking import scope_of

pytestmark = pytest.mark.anyio

SECRET = b"s" * 32
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Uses:
    def __init__(self) -> None:
        self.noted: dict[str, datetime] = {}

    def note(self, key_id: str, at: datetime) -> None:
        self.noted[key_id] = at

    async def all(self) -> dict[str, datetime]:
        return self.noted


class CountingStore(InMemoryEventStore):
    """Counts how often a stream is looked up."""

    looked_up = 0

    async def read_stream(
        self, stream: str, *, after_version: int = 0, limit: int | None = None
    ) -> list[RecordedEvent]:
        self.looked_up += 1
        return await super().read_stream(stream, after_version=after_version, limit=limit)


@dataclass
class Stage:
    now: datetime = NOW
    store: CountingStore = field(default_factory=CountingStore)
    uses: Uses = field(default_factory=Uses)

    def __post_init__(self) -> None:
        codec = Codec(CATALOGUE)
        self.keys = Keys(
            self.store,
            Executor(self.store, codec),
            codec,
            self.uses,
            secret=SECRET,
            environment="live",
            clock=lambda: self.now,
        )
        self.customer_tokens = CustomerTokens(SECRET, store="live/tidings", clock=lambda: self.now)
        self.gate = Authentication(
            self.keys,
            self.uses,
            customer_tokens=self.customer_tokens,
            secret=SECRET,
            environment="live",
            clock=lambda: self.now,
        )

    def customers_token(self, lifetime: timedelta = timedelta(minutes=1)) -> str:
        maker = Principal("shop", "key:x", frozenset({"customers:write"}))
        return self.customer_tokens.make("anna", lifetime, maker).token

    async def make(self, name: str = "shop", lifetime: timedelta | None = None) -> str:
        made = await self.keys.create(name, ["events:write"], lifetime, Metadata())
        self.store.looked_up = 0
        return made.key

    async def admit(self, authorization: str | None) -> Principal:
        scope = scope_of(**({} if authorization is None else {"authorization": authorization}))
        open_context(scope)
        return await self.gate.admit(scope)


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def unbelieving(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request has its key looked up."""
    monkeypatch.setattr(authentication, "_BELIEVED_FOR_S", 0.0)


async def test_a_key_says_whose_it_is_and_what_it_may_do(stage: Stage) -> None:
    key = await stage.make()
    for header in (
        f"Bearer {key}",
        f"bearer {key}",
        "Basic " + base64.b64encode(f"{key}:".encode()).decode(),
        "Basic " + base64.b64encode(f"{key}:anything".encode()).decode(),
    ):
        principal = await stage.admit(header)
        assert principal.owner == "shop"
        assert principal.scopes == {"events:write"}
        assert principal.actor == f"key:{key.split('_')[2]}"
    assert stage.uses.noted == {key.split("_")[2]: NOW}


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer tdg_live_junk",
        "Basic !",
        "Basic " + base64.b64encode(b"user:password").decode(),
        "Digest username=x",
        "Bearer \xff",
    ],
)
async def test_junk_is_refused_before_anything_is_looked_up(
    stage: Stage, header: str | None
) -> None:
    with pytest.raises(Unauthenticated):
        await stage.admit(header)
    assert stage.store.looked_up == 0


async def test_a_key_of_another_environment_is_not_looked_up(stage: Stage) -> None:
    with pytest.raises(Unauthenticated):
        await stage.admit(f"Bearer {new_api_key('test').text}")
    assert stage.store.looked_up == 0


async def test_a_key_of_another_store_is_refused(stage: Stage) -> None:
    with pytest.raises(Unauthenticated):
        await stage.admit(f"Bearer {new_api_key('live').text}")


async def test_a_key_is_looked_up_once_in_a_while(stage: Stage) -> None:
    key = await stage.make()
    for _ in range(10):
        await stage.admit(f"Bearer {key}")
    assert stage.store.looked_up == 1


@pytest.mark.usefixtures("unbelieving")
async def test_a_key_that_ended_is_refused(stage: Stage) -> None:
    key = await stage.make(lifetime=timedelta(days=1))
    await stage.admit(f"Bearer {key}")
    stage.now += timedelta(days=1)
    with pytest.raises(Unauthenticated):
        await stage.admit(f"Bearer {key}")


@pytest.mark.usefixtures("unbelieving")
async def test_a_revoked_key_is_refused(stage: Stage) -> None:
    key = await stage.make()
    await stage.admit(f"Bearer {key}")
    await stage.keys.revoke(key.split("_")[2], Metadata())
    with pytest.raises(Unauthenticated):
        await stage.admit(f"Bearer {key}")


@pytest.mark.usefixtures("unbelieving")
async def test_two_keys_of_a_name_are_valid_after_a_rotation(stage: Stage) -> None:
    first = await stage.make()
    second = (await stage.keys.rotate("shop", None, Metadata())).key
    assert {(await stage.admit(f"Bearer {key}")).owner for key in (first, second)} == {"shop"}
    third = (await stage.keys.rotate("shop", None, Metadata())).key
    with pytest.raises(Unauthenticated):
        await stage.admit(f"Bearer {first}")
    for key in (second, third):
        assert (await stage.admit(f"Bearer {key}")).scopes == {"events:write"}


async def test_a_customers_token_is_told_by_its_form_and_looked_up_nowhere(stage: Stage) -> None:
    principal = await stage.admit(f"Bearer {stage.customers_token()}")
    assert (principal.owner, principal.customer_id) == ("customer:anna", "anna")
    assert stage.store.looked_up == 0


async def test_a_token_is_believed_no_longer_than_it_lasts(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = 0.0
    monkeypatch.setattr(authentication, "monotonic", lambda: ticks)
    token = stage.customers_token(timedelta(seconds=1))
    await stage.admit(f"Bearer {token}")
    stage.now += timedelta(seconds=1)
    ticks = 1.0
    with pytest.raises(Unauthenticated):
        await stage.admit(f"Bearer {token}")


async def test_a_token_of_a_provider_is_refused_where_none_is_trusted(stage: Stage) -> None:
    token = jwt.encode({"sub": "x"}, "s" * 32, "HS256", headers={"kid": "first"})
    with pytest.raises(Unauthenticated):
        await stage.admit(f"Bearer {token}")


def test_a_key_that_is_revoked_is_found_out_within_five_seconds_by_streams_too() -> None:
    found_out_after = live.CHECKED_EVERY + authentication.BELIEVED_FOR
    assert found_out_after < timedelta(seconds=5)


async def test_a_key_is_looked_up_once_however_its_header_is_written(stage: Stage) -> None:
    key = await stage.make()
    for header in (f"Bearer {key}", f"BEARER  {key} "):
        assert (await stage.admit(header)).owner == "shop"
    for password in range(5):
        header = base64.b64encode(f"{key}:{password}".encode()).decode()
        assert (await stage.admit(f"Basic {header}")).owner == "shop"
    assert stage.store.looked_up == 1


async def test_a_name_whose_keys_have_all_ended_can_have_a_first_one_again(stage: Stage) -> None:
    first = await stage.make()
    await stage.keys.revoke(first.split("_")[2], Metadata())
    second = await stage.make(lifetime=timedelta(seconds=1))
    with pytest.raises(NameTaken):
        await stage.make()
    stage.now += timedelta(seconds=1)
    third = await stage.make()
    assert (await stage.admit(f"Bearer {third}")).owner == "shop"
    with pytest.raises(Unauthenticated):
        await stage.admit(f"Bearer {second}")


async def test_every_key_is_known_however_many_there_are(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.security.keys.PAGE_EVENTS", 2)
    for number in range(5):
        await stage.make(f"shop{number}")
    assert [key.name for key in await stage.keys.all()] == [f"shop{n}" for n in range(5)]


async def test_what_cannot_be_made_is_refused(stage: Stage) -> None:
    await stage.make()
    with pytest.raises(InvalidInput):
        await stage.keys.create("customer:anna", ["events:read"], None, Metadata())
    with pytest.raises(NameTaken):
        await stage.keys.create("shop", ["events:read"], None, Metadata())
    with pytest.raises(NotFound):
        await stage.keys.rotate("nobody", None, Metadata())
    with pytest.raises(NoSuchKey):
        await stage.keys.revoke("3kTMd1AqzX0b", Metadata())
    for scopes in ([], ["events:delete"]):
        with pytest.raises(InvalidInput):
            await stage.keys.create("other", scopes, None, Metadata())


async def test_no_event_holds_a_key(stage: Stage) -> None:
    key = await stage.make()
    for event in await stage.store.read_log(after=0, limit=10):
        assert key.split("_")[3] not in bytes(event.data).decode()
