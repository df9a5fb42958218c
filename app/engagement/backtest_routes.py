"""``POST /v1/rules/{name}/backtest``."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated
from weakref import WeakSet

import msgspec
from litestar import post
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody
from litestar.response import Stream
from msgspec import Meta, Struct, field

from app.engagement.backtest import Backtest, Backtests
from app.engagement.backtested import (
    DEFAULT_SHOWN_DECISIONS,
    MAX_SHOWN_DECISIONS,
    Asked,
    Period,
    Progress,
    Shown,
    Summary,
)
from app.engagement.compiled import InvalidRule
from app.engagement.decider import MAX_VERSIONS
from app.engagement.routes import as_problem
from app.engagement.rule import Rule
from app.http.access import requires
from app.http.load import Overloaded
from app.http.problems import Problem, problem_for
from app.kernel.errors import TidingsError
from app.security.commands import MAX_COMMAND_BYTES

MEDIA_TYPE = "application/jsonl"
MAX_AT_A_TIME = 2
"""Of a process, which has other work."""
MAX_KEPT_BYTES = 512 * 1024 * 1024
"""Of each, as estimated. `tidings rules backtest`, a process of its own, takes what it needs."""

_Instant = Annotated[datetime, Meta(tz=True)]
_Version = Annotated[int, Meta(ge=1, le=MAX_VERSIONS)]

_encoder = msgspec.json.Encoder()


class Testing(Struct, frozen=True, forbid_unknown_fields=True):
    """What to test a rule on."""

    since: Annotated[
        _Instant,
        Meta(description="When the period begins, inclusive.", examples=["2026-11-01T00:00:00Z"]),
    ] = field(name="from")
    until: Annotated[
        _Instant,
        Meta(description="When it ends, exclusive.", examples=["2026-11-22T00:00:00Z"]),
    ] = field(name="to")
    version: Annotated[
        _Version | None,
        Meta(description="As if it went live when the period begins; else the rule as it was."),
    ] = None
    rule: Annotated[Rule | None, Meta(description="The same for a draft that is not saved.")] = None
    compare_with: Annotated[
        _Version | None, Meta(description="A version that is tried beside it.")
    ] = None
    decisions: Annotated[
        int, Meta(ge=0, le=MAX_SHOWN_DECISIONS, description="How many to show, at the most.")
    ] = DEFAULT_SHOWN_DECISIONS


class ProgressLine(Struct, frozen=True):
    """How far it has come."""

    progress: Progress


class DecisionLine(Struct, frozen=True):
    """A decision."""

    decision: Shown


class SummaryLine(Struct, frozen=True):
    """The last line; a backtest without it broke off."""

    summary: Summary


class ProblemLine(Struct, frozen=True):
    """The last line of a backtest that broke off for a reason that can be told."""

    problem: Problem


def backtest_routes(backtests: Backtests) -> list[HTTPRouteHandler]:
    """The route of backtests."""
    running = WeakSet[Backtest]()  # one that nobody waits for may never begin

    @post(
        "/v1/rules/{name:str}/backtest",
        opt=requires("rules:read"),
        tags=["Rules"],
        summary="Test a rule on the past",
        status_code=200,
        request_max_body_size=MAX_COMMAND_BYTES,
        media_type=MEDIA_TYPE,
        responses={
            200: ResponseSpec(
                ProgressLine | DecisionLine | SummaryLine | ProblemLine,
                generate_examples=False,
                media_type=MEDIA_TYPE,
                description="A JSON object a line: how far it has come, decisions, the summary.",
            )
        },
    )
    async def test_rule_on_past(name: FromPath[str], data: JSONBody[Testing]) -> Stream:
        """Who would have got what in a period, when, and held back by what; nothing is recorded.

        The rules that are live beside it are evaluated with it, as they were. Without `version`
        and `rule` it tells what the rule has decided; with one of them, what it would have, had
        it gone live when the period began. Lines are sent as it goes: `{"progress": …}`,
        `{"decision": …}`, and at last `{"summary": …}`, without which it broke off;
        `{"problem": …}` tells why, such as that more would be kept than fits. Whoever hangs up
        ends it.
        """
        asked = Asked(
            Period(data.since, data.until),
            data.version,
            data.rule,
            data.compare_with,
            data.decisions,
        )
        try:
            backtest = await backtests.of(name, asked, max_kept_bytes=MAX_KEPT_BYTES)
        except InvalidRule as error:
            raise as_problem(error, below="rule") from error
        if len(running) >= MAX_AT_A_TIME:
            raise Overloaded(f"{MAX_AT_A_TIME} backtests are running")
        running.add(backtest)
        return Stream(_lines(backtest, running), media_type=MEDIA_TYPE)

    return [test_rule_on_past]


async def _lines(backtest: Backtest, running: WeakSet[Backtest]) -> AsyncIterator[bytes]:
    try:
        async for told in backtest.run():
            yield _encoder.encode(_line(told)) + b"\n"
    except TidingsError as error:  # the answer has begun
        yield _encoder.encode(ProblemLine(problem_for(error))) + b"\n"
    finally:
        running.discard(backtest)


def _line(told: Progress | Shown | Summary) -> Struct:
    match told:
        case Progress():
            return ProgressLine(told)
        case Shown():
            return DecisionLine(told)
        case Summary():
            return SummaryLine(told)
