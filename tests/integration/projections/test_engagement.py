"""Decisions are found by customer, rule and outcome; rules are measured, and how soon they act."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from app.engagement.events import DecisionMade, Did, Held, Outcome
from app.kernel.cipher import as_stored
from app.modules.messages.events import MessageOpened, MessageRequested, MessageSent
from projections.decisions import DECISIONS
from projections.decisions.queries import DecisionFilter, Decisions
from projections.engagement import ENGAGEMENT
from projections.engagement.queries import Arm, EngagementFilter, Engagements
from projections.reaction_times import REACTION_TIMES
from projections.reaction_times.queries import ReactionTimesFilter, ReactionTimesQuery
from tests.integration.conftest import on_one_server
from tests.integration.projections.stage import NOON, Happening, Stage, of, of_message

pytestmark = [pytest.mark.anyio, on_one_server]


def decision(number: int, outcome: Outcome, *held: Held, **fields: Any) -> Happening:
    """A decision on ann."""
    given = {"rule": "greet", "rule_version": 1, "step": "pattern", "at": NOON, **fields}
    same = UUID(int=number)
    made = DecisionMade(
        instance=same, outcome=outcome, trigger=same, cause=same, held=held, **given
    )
    return of(f"decision-{number}", made, customer_id="ann")


async def apply(stage: Stage, *happenings: Happening) -> None:
    await stage.record(*happenings)
    for projection in (DECISIONS, ENGAGEMENT, REACTION_TIMES):
        await stage.make_first(projection)
        await stage.apply(projection.generation(1))


async def test_decisions_are_paged_newest_first_and_filtered(stage: Stage) -> None:
    await apply(
        stage,
        decision(1, Outcome.ACTED, inputs={"event.data.amount": 7}),
        decision(2, Outcome.HELD_BACK, Held("cap", "all: 1 in 1d")),
        decision(3, Outcome.ACTED, rule="warn"),
    )
    decisions = Decisions(stage.models)

    async def numbers(**only: Any) -> list[int]:
        page = await decisions.page("ann", DecisionFilter(**only), view=as_stored, limit=9)
        return [each.cause.int for each in page.items]

    assert await numbers() == [3, 2, 1]
    assert await numbers(rule="greet") == [2, 1]
    assert await numbers(rule="greet", outcome="acted") == [1]
    first = await decisions.page("ann", DecisionFilter(), view=as_stored, limit=2)
    rest = await decisions.page(
        "ann", DecisionFilter(), view=as_stored, limit=2, cursor=first.next_cursor
    )
    assert (first.items[1].held, rest.next_cursor) == ([Held("cap", "all: 1 in 1d")], None)
    assert bytes(rest.items[0].inputs) == b'{"event.data.amount": 7}'


async def test_a_rule_is_measured_against_those_who_are_held_out(stage: Stage) -> None:
    sends = {"did": [Did("send", "message-m1")]}
    goal = {"step": "goal"}
    await apply(
        stage,
        decision(1, Outcome.ACTED, **sends),
        of_message("m1", MessageRequested("news", "Hello")),
        of_message("m1", MessageOpened("inbox", NOON)),
        of_message("m1", MessageOpened("inbox", NOON)),
        of_message("m9", MessageOpened("inbox", NOON)),
        decision(2, Outcome.HELD_OUT),
        decision(3, Outcome.HELD_OUT),
        decision(4, Outcome.HELD_BACK, Held("no_consent", "inbox, news")),
        decision(5, Outcome.HELD_BACK, Held("running")),
        decision(6, Outcome.ENDED, Held("goal", "acted"), **goal),
        decision(7, Outcome.ENDED, Held("goal", "held_out"), **goal),
        decision(8, Outcome.ENDED, Held("goal", "late"), **goal),
        decision(9, Outcome.ACTED, rule_version=2),
    )
    page = await Engagements(stage.models).page(EngagementFilter(), limit=1)
    [first] = page.items
    assert (first.rule, first.rule_version, first.entered) == ("greet", 1, 4)
    assert first.held == {"no_consent": 1, "running": 1}
    assert (first.treated, first.held_out) == (Arm(2, 1, 0.5), Arm(2, 1, 0.5))
    assert first.late_goals == 1
    sent = first.messages
    assert (sent.sent, sent.delivered, sent.opened, sent.dead) == (1, 1, 1, 0)
    rest = await Engagements(stage.models).page(
        EngagementFilter(), limit=1, cursor=page.next_cursor
    )
    assert ([each.rule_version for each in rest.items], rest.next_cursor) == ([2], None)
    only = EngagementFilter(since=date(2000, 1, 1), until=date(2001, 1, 1))
    assert (await Engagements(stage.models).page(only, limit=1)).items == []


async def test_reaction_times_are_of_decisions_and_of_messages_that_were_not_deferred(
    stage: Stage,
) -> None:
    now = await stage.store.now()
    sends = [Did("send", "message-m1"), Did("send", "message-m2", now)]
    await apply(
        stage,
        decision(1, Outcome.ACTED, did=sends, at=now - timedelta(seconds=4)),
        of_message("m1", MessageSent("email", 1)),
        of_message("m1", MessageSent("webhook", 2)),
        of_message("m2", MessageSent("email", 1)),
    )
    query = ReactionTimesQuery(stage.models)
    told = await query.read(ReactionTimesFilter())
    assert told.decided is not None
    assert told.sent is not None
    assert told.in_all is not None
    assert (told.decided.count, told.sent.count, told.in_all.count) == (1, 1, 1)
    assert told.decided.p50_ms is not None
    assert told.decided.p50_ms >= 5_000
    assert (await query.read(ReactionTimesFilter(rule="warn"))).decided is None
