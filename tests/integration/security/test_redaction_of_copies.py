"""What rules have copied of a field is redacted with it, beside an engine that goes on."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple

import msgspec
import pytest
from psycopg import sql

from app.catalogue import CATALOGUE, CODEC
from app.engagement.committing import commit
from app.engagement.decider import RULE, GoLive, SaveRule
from app.engagement.events import DecisionMade
from app.engagement.redacting import RuleCopies
from app.engagement.shapes import Field, Kind
from app.eventstore.database import Database
from app.eventstore.port import Append, StreamAppend
from app.eventstore.seeing import seen
from app.kernel.cipher import digest_of
from app.kernel.event import Metadata, RecordedEvent
from app.kernel.sensitive import SensitiveFields
from app.security.ciphers.data_keys import DataKeys
from app.security.ciphers.disclosure import Disclosure
from app.security.ciphers.master_key import MasterKeys
from app.security.ciphers.redaction import Redaction
from app.security.ciphers.sealing import Sealing
from tests.controls.events import an_event
from tests.fixtures.access import ANYBODY
from tests.integration.conftest import on_one_server
from tests.integration.engagement.stage import Stage, rule_of, stage_on

pytestmark = [pytest.mark.anyio, on_one_server]

NICKNAME = "canary"
CUSTOMERS = 60
OPERATOR = Metadata(actor="cli")
NICK = "trigger.data.nickname"
SEND: dict[str, Any] = {
    "do": "send",
    "kind": "hello",
    "template": "hello",
    "parameters": {"nickname": NICK, "nick": NICK, "words": f"'Hello ' + {NICK}"},
}
GREET: dict[str, Any] = {
    "trigger": {"event": "Signed", "where": "event.data.nickname != 'x'"},
    "steps": [
        SEND,
        {"do": "record", "type": "Greeted", "data": {"who": NICK, "is_null": f"{NICK} == null"}},
        {"do": "wait", "event": {"event": "Signed", "where": f"event.data.nickname == {NICK}"}},
        SEND,
    ],
}
KEYED: dict[str, Any] = {
    "trigger": {"event": "Signed", "key": "event.data.nickname"},
    "pattern": {"is": "count", "at_least": 3, "within": "1d"},
    "limits": {"consent": False, "re_entry": {"at_most": 1}},
}
ONCE: dict[str, Any] = {
    "trigger": {"event": "Signed", "key": "event.data.nickname"},
    "limits": {"consent": False, "re_entry": {"at_most": 1}},
}


class Scene(NamedTuple):
    """A store in which a field may be declared sensitive while rules run."""

    stage: Stage
    declared: dict[str, frozenset[str]]
    sealing: Sealing
    redaction: Redaction
    disclosure: Disclosure

    async def sign(self, who: str = "anna", nickname: str = NICKNAME) -> None:
        """A service tells of a nickname."""
        data = msgspec.json.encode({"nickname": nickname, "n": 1, "deep": [{"nickname": nickname}]})
        event = an_event(type="Signed", data=data, customer_id=who)
        append = Append((StreamAppend(f"activity-{who}", (event,)),))
        await self.stage.store.append_many(await self.sealing.appends([append]))

    def declare(self) -> None:
        self.declared["Signed"] = frozenset({"nickname"})

    async def redact(self) -> int:
        return await self.redaction.run(OPERATOR, lambda _position, _last: None)

    async def shown(self, event_type: str) -> list[Mapping[str, Any]]:
        """Events as they are shown to who may see everything."""
        events = await seen(await self.stage.events(event_type), self.disclosure.to(ANYBODY))
        return [msgspec.json.decode(event.data) for event in events]

    async def decisions(self, rule: str) -> list[DecisionMade]:
        return [each for each in await self.stage.decisions() if each.rule == rule]


@pytest.fixture
async def scene(database: Database) -> AsyncIterator[Scene]:
    async with stage_on(database) as stage:
        await stage.begin()
        keys = DataKeys(stage.store.pool, MasterKeys(lambda: [b"m" * 32]), "tidings")
        await keys.begin()
        declared: dict[str, frozenset[str]] = {}
        fields = SensitiveFields(declared=lambda event_type: declared.get(event_type, frozenset()))
        copies = RuleCopies(stage.store, CODEC, fields)
        redaction = Redaction(stage.store, keys, CATALOGUE, fields, copies)
        yield Scene(stage, declared, Sealing(keys, fields), redaction, Disclosure(keys))


async def places(database: Database) -> set[str]:
    """The tables in which the nickname stands, of all that the store has."""
    found = set()
    async with await database.connect() as connection:
        cursor = await connection.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace = current_schema()::regnamespace"
        )
        for (table,) in await cursor.fetchall():
            copy = sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))
            async with connection.cursor().copy(copy) as rows:
                if any([NICKNAME.encode() in bytes(row) async for row in rows]):
                    found.add(table)
    return found


def changed(before: list[RecordedEvent], after: list[RecordedEvent]) -> set[str]:
    """The types of events that are not what they were."""
    pairs = zip(before, after, strict=False)
    return {one.type for one, other in pairs if one.data != other.data}


def with_digests(value: Any) -> Any:
    """What is sealed is sealed in another way each time."""
    if isinstance(value, Mapping):
        return digest_of(value) or {name: with_digests(each) for name, each in value.items()}
    return [with_digests(each) for each in value] if isinstance(value, list) else value


async def test_what_rules_have_copied_is_redacted_while_they_go_on(scene: Scene) -> None:
    stage = scene.stage
    await stage.live("greet", **GREET)
    await stage.live("keyed", **KEYED)
    await stage.live("once", **ONCE)
    async with stage.deciding(scene.sealing):
        await scene.sign()
        await stage.until("Greeted")
        await stage.settled()
        before, shown = await stage.events(), await scene.shown("decision.made")
        assert await places(stage.database) == {"events", "engagement_states"}

        scene.declare()
        assert await scene.redact() == 5
        assert await scene.redact() == 0
        assert await places(stage.database) == set()
        copying = {"Signed", "decision.made", "message.requested", "Greeted"}
        assert changed(before, await stage.events()) == copying
        assert await scene.shown("decision.made") == shown
        [greeted] = await stage.events("Greeted")
        assert b'"is_null":false' in bytes(greeted.data).replace(b" ", b"")
        assert await scene.shown("Greeted") == [{"who": NICKNAME, "is_null": False}]
        hello = {"nickname": NICKNAME, "nick": NICKNAME, "words": f"Hello {NICKNAME}"}
        assert hello in [each["parameters"] for each in await scene.shown("message.requested")]

        await scene.sign(nickname="other")
        await scene.sign()
        await scene.sign()
        await stage.settled()
        assert await places(stage.database) == set()
    assert "2" in {each.step for each in await scene.decisions("greet")}
    assert len(await scene.decisions("keyed")) == 1
    assert with_digests(await stage.replayed()) == with_digests(await stage.recorded())


async def test_nothing_is_copied_again_by_an_engine_that_is_behind(scene: Scene) -> None:
    stage = scene.stage
    await stage.live("greet", **GREET)
    for number in range(CUSTOMERS):
        await scene.sign(f"c-{number}")
    scene.declare()
    async with stage.deciding(scene.sealing):
        await stage.until("decision.made")
        await scene.redact()
        assert await places(stage.database) == set()
        await asyncio.gather(*(scene.sign(f"c-{number}") for number in range(CUSTOMERS)))
        await stage.settled()
    assert await places(stage.database) == set()
    assert len([each for each in await stage.decisions() if each.step == "2"]) == CUSTOMERS


@pytest.mark.parametrize("commits_first", [True, False])
async def test_what_an_engine_has_read_before_is_sealed_or_not_written(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, *, commits_first: bool
) -> None:
    """It has decided on plaintext, and comes to commit when the log it has read is sealed."""
    stage, is_held, may_go = scene.stage, asyncio.Event(), asyncio.Event()
    redact_states = RuleCopies.redact_states

    async def held_commit(*arguments: Any, **more: Any) -> str:
        is_held.set()
        await may_go.wait()
        return await commit(*arguments, **more)

    async def redact_states_later(copies: RuleCopies) -> None:
        if commits_first:
            may_go.set()
            await stage.until("Greeted")
        await redact_states(copies)

    await stage.live("greet", **GREET)
    await scene.sign()
    async with stage.deciding(scene.sealing):
        await stage.settled()
        monkeypatch.setattr("app.engagement.engine.commit", held_commit)
        monkeypatch.setattr(RuleCopies, "redact_states", redact_states_later)
        await scene.sign("bert")
        await is_held.wait()
        scene.declare()
        await scene.redact()
        may_go.set()
        await stage.until("Greeted", 2)
        await stage.settled()
    assert await places(stage.database) == set()


async def test_a_rule_for_which_the_field_was_a_text_fails_from_then_on_and_says_so(
    scene: Scene,
) -> None:
    stage = scene.stage
    shapes = {"Signed": {"nickname": Field(Kind.STRING)}}
    await stage.send(RULE, "once", SaveRule(rule_of(**ONCE), shapes))
    await stage.send(RULE, "once", GoLive(1))
    async with stage.deciding(scene.sealing):
        await scene.sign()
        await stage.until_told(1)
        scene.declare()
        await scene.redact()
        assert await places(stage.database) == set()
        await scene.sign()
        assert await stage.until_told(2) == ["acted", "failed:failed"]
    last = (await stage.decisions())[-1]
    assert last.held[0].detail == "event.data.nickname is no string"


async def test_what_a_rule_saw_of_an_object_is_redacted_within_it(scene: Scene) -> None:
    stage = scene.stage
    await stage.live("deep", trigger={"event": "Signed", "where": "size(event.data.deep) == 1"})
    async with stage.deciding(scene.sealing):
        await scene.sign()
        await stage.until("decision.made")
    scene.declare()
    await scene.redact()
    assert await places(stage.database) == set()
    [made] = await scene.shown("decision.made")
    assert made["inputs"] == {"event.data.deep": [{"nickname": NICKNAME}]}


async def test_a_declaration_of_one_type_touches_no_copies_of_another(scene: Scene) -> None:
    stage = scene.stage
    await stage.live(trigger={"event": "tick", "where": "event.data.nickname != 'x'"})
    async with stage.deciding(scene.sealing):
        await stage.happen(nickname="plain")
        await stage.until("decision.made")
    before = await stage.events()
    scene.declare()
    assert await scene.redact() == 0
    assert changed(before, await stage.events()) == set()
