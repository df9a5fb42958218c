"""A backtest decides what the engine has decided, event for event, and what others would."""

import asyncio
import itertools
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app.catalogue import CATALOGUE, CODEC
from app.engagement import backtest, engine, past
from app.engagement.backtest import Backtest, Backtests
from app.engagement.backtested import (
    Asked,
    Difference,
    Period,
    Progress,
    Shown,
    Summary,
)
from app.engagement.commands import CALLABLE
from app.engagement.course import Decided
from app.engagement.decider import (
    RULE,
    SETTINGS,
    SETTINGS_ID,
    ChangeSettings,
    GoLive,
    NoSuchRuleVersion,
    SaveRule,
)
from app.engagement.events import OnChange
from app.engagement.rule import Cap, Settings
from app.engagement.rules import Rules
from app.engagement.shapes import EventShapes
from app.eventstore import scanning
from app.eventstore.database import Database
from app.eventstore.scanning import Scan
from app.kernel.errors import InvalidInput, NotFound
from app.kernel.sensitive import SensitiveFields
from app.modules.customers.decider import CUSTOMER, ChangeTraits
from app.modules.suppressions.decider import SUPPRESSION, Suppress
from app.modules.suppressions.events import Reason
from app.modules.templates.saved import Templates
from tests.integration.conftest import on_one_server
from tests.integration.engagement.stage import SEND, Stage, rule_of, stage_on
from tests.integration.erasing import erase

pytestmark = [pytest.mark.anyio, on_one_server]

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
RULES: dict[str, Mapping[str, Any]] = {
    "absent": {"pattern": {"is": "absence", "of": [{"event": "tock"}], "within": "2h"}},
    "often": {
        "trigger": {"event": "tick", "key": "event.data.key"},
        "pattern": {"is": "count", "at_least": 2, "within": "3h"},
        "goal": {"event": "tock", "within": "6h"},
        "holdout": 30,
    },
    "slow": {
        "trigger": {"event": "tock", "where": "event.data.key != 'b'"},
        "steps": [
            {"do": "wait", "time": "1h"},
            {"do": "offer", "offer": "half", "expires_in": "7d", "in_total": 3},
            {"do": "send", "kind": "news", "text": "Hello"},
            {"do": "record", "type": "tick", "data": {"key": "'a'"}},
        ],
        "limits": {"consent": False, "mass": {"more_than": 4, "within": "5h"}},
    },
}
EAST, WEST = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))


def backtests(stage: Stage) -> Backtests:
    shapes = EventShapes(CATALOGUE, SensitiveFields(), lambda _type: None)
    rules = Rules(stage.store, CODEC, shapes, CALLABLE, Templates(stage.store, CODEC).has)
    return Backtests(stage.store, CODEC, Scan(stage.store.pool), rules)


async def period(stage: Stage) -> Period:
    """All that the log has, and some time before and after."""
    [first, *_] = await stage.events()
    return Period(first.recorded_at - HOUR, await stage.store.now() + HOUR)


async def run(test: Backtest) -> tuple[list[Shown], Summary, list[dict[str, Any]]]:
    """What it shows, how it sums up, and each decision of the first trial by its id."""
    found: list[dict[str, Any]] = [{}, {}]

    def keep(trial: int, decided: Decided) -> None:
        made = msgspec.json.decode(msgspec.json.encode(decided.decision.made))
        found[trial][str(decided.decision.id)] = made

    test.on_decided = keep
    told = [each async for each in test.run()]
    summary = told[-1]
    assert isinstance(summary, Summary)
    return [each for each in told if isinstance(each, Shown)], summary, found


async def backtested(
    stage: Stage, name: str, **asked: Any
) -> tuple[list[Shown], Summary, list[dict[str, Any]]]:
    asked.setdefault("period", await period(stage))
    return await run(await backtests(stage).of(name, Asked(**asked)))


moves = st.one_of(
    st.tuples(
        st.just("happen"),
        st.sampled_from(["tick", "tock"]),
        st.sampled_from(["anna", "ben", "~v"]),
        st.sampled_from(["a", "b"]),
    ),
    st.tuples(st.just("pass"), st.sampled_from([30, 60, 61, 180])),
    st.tuples(st.sampled_from(["pause", "resume", "fire"]), st.sampled_from([*RULES])),
    st.tuples(st.just("change"), st.sampled_from([*RULES]), st.sampled_from([*OnChange])),
    st.tuples(st.just("canary"), st.sampled_from([*RULES])),
    st.tuples(st.just("cap")),
    st.tuples(st.just("suppress"), st.sampled_from(["anna", "ben"])),
    st.tuples(st.just("erase"), st.just("ben")),
    st.tuples(st.just("decide")),
)


async def move(stage: Stage, what: str, *of: Any) -> None:
    match what:
        case "happen":
            event_type, who, key = of
            if who != "ben" or not await stage.events("customer.erased"):
                await stage.happen(event_type, who, key=key)
        case "pass":
            await stage.pass_time(timedelta(minutes=of[0]))
        case "pause":
            await stage.pause(of[0])
        case "resume" | "fire":
            await stage.resume(of[0], fire_overdue=what == "fire")
        case "change" | "canary":
            rule = rule_of(**{**RULES[of[0]], "description": what})
            await stage.send(RULE, of[0], SaveRule(rule, {}))
            version = 1 + len([e for e in await saved(stage, of[0]) if e > 1])
            share = 50 if what == "canary" else 100
            on_change = of[1] if what == "change" else OnChange.DRAIN
            await stage.send(RULE, of[0], GoLive(version, on_change, share))
        case "cap":
            settings = Settings(caps=(Cap(1, "2h"),))
            await stage.send(SETTINGS, SETTINGS_ID, ChangeSettings(settings))
        case "suppress":
            if of[0] != "ben" or not await stage.events("customer.erased"):
                await stage.send(SUPPRESSION, of[0], Suppress("inbox", Reason.ASKED))
        case "erase":
            if not await stage.events("customer.erased"):
                await stage.happen("tick", "ben", key="a")
                await stage.send(CUSTOMER, "ben", ChangeTraits({"plan": "x"}))
                await stage.decided()  # of the erased, nothing is decided afterwards
                await stage.rows("CREATE TABLE IF NOT EXISTS test_keys (customer_id text)")
                await erase(stage.store, "ben")
        case "decide":
            await stage.decided()


async def saved(stage: Stage, name: str) -> list[int]:
    return [
        msgspec.json.decode(event.data)["rule_version"]
        for event in await stage.events("rule.saved")
        if event.stream == f"rule-{name}"
    ]


@settings(
    max_examples=8,
    deadline=None,
    print_blob=True,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(moves=st.lists(moves, min_size=25, max_size=60))
def test_a_backtest_of_what_was_live_is_what_the_engine_decided(
    database: Database, moves: list[tuple[Any, ...]]
) -> None:
    async def story() -> None:
        async with stage_on(database) as stage:
            await stage.begin()
            for name, fields in RULES.items():
                await stage.live(name, **fields)
            for each in moves:
                await move(stage, *each)
            await stage.decided()
            recorded = await stage.recorded()
            for name in RULES:
                _, summary, (found, _) = await backtested(stage, name)
                wanted = {k: made for k, made in recorded.items() if made["rule"] == name}
                assert found == wanted
                assert sum(summary.tested.outcomes.values()) == len(wanted)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "MAX_DUE_AT_ONCE", 2)
        patch.setattr(scanning, "RANGE_POSITIONS", 5)
        patch.setattr(past, "READ_AT_ONCE", 1)
        patch.setattr(past, "MAX_REMEMBERED_BYTES", 600)
        asyncio.run(story())


async def test_a_draft_is_tried_from_the_periods_begin_and_two_versions_are_compared(
    stage: Stage,
) -> None:
    await stage.live("greet", trigger={"event": "tick", "where": "event.data.amount > 5"})
    await stage.happen(who="anna", amount=9)
    await stage.happen(who="ben", amount=3)
    draft = rule_of(trigger={"event": "tick", "where": "event.data.amount < 5"})
    shown, summary, _ = await backtested(stage, "greet", rule=draft, compare_with=1)
    assert [(each.customer_id, each.rule_version, each.is_compared) for each in shown] == [
        ("ben", 2, False),
        ("anna", 1, True),
    ]
    assert (summary.tested.version, summary.tested.outcomes) == (2, {"acted": 1})
    assert summary.tested.did == {"send": 1}
    assert summary.difference == Difference(both=0, only_tested=1, only_compared=1)
    assert len(await stage.events()) == 4  # nothing was recorded


async def test_what_began_before_the_period_is_known_and_what_lies_outside_is_not_told(
    stage: Stage,
) -> None:
    await stage.live("greet", pattern=RULES["often"]["pattern"])
    await stage.happen(who="anna")
    await stage.pass_time(HOUR)
    begin = await stage.store.now()
    await stage.happen(who="anna")
    await stage.pass_time(HOUR)
    end = await stage.store.now()
    await stage.happen(who="anna")
    await stage.happen(who="anna")
    _, summary, _ = await backtested(stage, "greet", period=Period(begin, end))
    assert (summary.tested.outcomes, summary.begun_at_position, summary.events) == (
        {"acted": 1},
        2,
        2,
    )
    _, tried, _ = await backtested(stage, "greet", period=Period(begin, end), version=1)
    assert (tried.tested.outcomes, tried.events) == ({}, 1)


async def test_others_have_their_turn_while_much_falls_due(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.live("greet", steps=[{"do": "wait", "time": "1h"}, SEND])
    for number in range(20):
        await stage.happen(who=f"c-{number}")
    await stage.pass_time(2 * HOUR)
    monkeypatch.setattr(backtest, "TURN_S", 0)
    turns = itertools.count()

    async def wait() -> None:
        while next(turns) >= 0:
            await asyncio.sleep(0)

    waiting, before = asyncio.create_task(wait()), 0
    test = await backtests(stage).of("greet", Asked(period=await period(stage)))
    async for told in test.run():
        if isinstance(told, Progress):
            before = next(turns)
        if isinstance(told, Summary):
            assert told.tested.outcomes == {"waiting": 20, "acted": 20}
    assert next(turns) - before > 20
    waiting.cancel()


async def test_what_cannot_be_tested_is_refused(stage: Stage) -> None:
    await stage.live("greet")
    now = await stage.store.now()
    with pytest.raises(NotFound):
        await backtested(stage, "other")
    with pytest.raises(NoSuchRuleVersion):
        await backtested(stage, "greet", version=2)
    with pytest.raises(InvalidInput):
        await backtested(stage, "greet", period=Period(now, now))
    with pytest.raises(InvalidInput):
        await backtested(stage, "greet", version=1, rule=rule_of())


async def test_a_period_may_begin_with_the_first_instant_that_there_is(stage: Stage) -> None:
    await stage.live("greet")
    now = await stage.store.now()
    begin = datetime.min.replace(tzinfo=UTC)
    await backtested(stage, "greet", period=Period(begin, now))


@pytest.mark.parametrize(
    ("begin", "end", "field"),
    [
        (datetime(1, 1, 1, tzinfo=EAST), datetime(2026, 1, 1, tzinfo=UTC), "from"),
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, tzinfo=WEST), "to"),
    ],
)
async def test_a_bound_that_an_offset_puts_out_of_range_is_refused(
    stage: Stage, begin: datetime, end: datetime, field: str
) -> None:
    await stage.live("greet")
    with pytest.raises(InvalidInput) as refused:
        await backtested(stage, "greet", period=Period(begin, end))
    assert refused.value.field == field
