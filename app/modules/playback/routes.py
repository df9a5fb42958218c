"""Commands to playbacks and subscriptions over HTTP."""

from typing import Annotated, Any, Literal

from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from litestar.types import ASGIApp
from msgspec import Meta, Struct

from app.eventstore.execute import Step
from app.http.fields import Currency, Nothing
from app.kernel.clock import Clock
from app.kernel.ids import check_customer_id, check_id
from app.kernel.time_zones import zone_named
from app.modules.playback.decider import (
    PLAYBACK,
    SUBSCRIPTION,
    CancelSubscription,
    Finish,
    Interrupt,
    LapseSubscription,
    Pause,
    PlaybackCommand,
    ReportBuffering,
    ReportProgress,
    Resume,
    StartPlayback,
    StartSubscription,
    SubscriptionCommand,
)
from app.security.commands import Commands, command

MAX_PROGRESS_S = 1_000_000
MAX_DURATION_MS = 86_400_000
MAX_SEQUENCE = 1_000_000_000
MAX_PRICE = 1_000_000_000

_PLAYBACK = "/v1/playbacks/{playback_id:str}"
_SUBSCRIPTION = "/v1/subscriptions/{subscription_id:str}"
_TAGS = ["Playback"]

CustomerId = Annotated[str, Meta(description="Whose it is.", examples=["anna"])]
TitleId = Annotated[
    str, Meta(min_length=1, max_length=200, description="What is played.", examples=["dune-2"])
]
DeviceId = Annotated[
    str, Meta(min_length=1, max_length=200, description="On what.", examples=["tv-livingroom"])
]
Progress = Annotated[
    int,
    Meta(
        ge=0,
        le=MAX_PROGRESS_S,
        description="How far into the title, in seconds.",
        examples=[754],
    ),
]
Sequence = Annotated[
    int,
    Meta(
        ge=1,
        le=MAX_SEQUENCE,
        description="The player's count of its reports on this playback. One that does not exceed "
        "the latest that came is nothing.",
        examples=[3],
    ),
]
Length = Annotated[
    int,
    Meta(
        ge=1, le=MAX_PROGRESS_S, description="How long the title is, in seconds.", examples=[9600]
    ),
]
Duration = Annotated[
    int, Meta(ge=0, le=MAX_DURATION_MS, description="In milliseconds.", examples=[2300])
]
Reason = Annotated[
    str,
    Meta(min_length=1, max_length=200, description="In the player's words.", examples=["network"]),
]
Plan = Annotated[
    str, Meta(min_length=1, max_length=200, description="What it is for.", examples=["family"])
]
Price = Annotated[
    int,
    Meta(
        ge=0,
        le=MAX_PRICE,
        description="Of a period, in minor units of the currency: 1299 are 12.99 EUR.",
        examples=[1299],
    ),
]
Months = Annotated[Literal[1, 2, 3, 6, 12], Meta(description="How long a period is.", examples=[1])]
TimeZone = Annotated[
    str,
    Meta(
        max_length=100,
        description="An IANA name: by whose calendar periods end.",
        examples=["Europe/Berlin"],
    ),
]


class PlaybackStart(Struct, frozen=True, forbid_unknown_fields=True):
    """What is played, where and by whom."""

    customer_id: CustomerId
    title_id: TitleId
    device_id: DeviceId
    progress_s: Progress = 0
    length_s: Length | None = None


class PlayerReport(Struct, frozen=True, forbid_unknown_fields=True):
    """What every report says."""

    sequence: Sequence
    progress_s: Progress


class BufferingReport(PlayerReport, frozen=True, forbid_unknown_fields=True):
    """How long the customer had to wait."""

    duration_ms: Duration


class InterruptionReport(PlayerReport, frozen=True, forbid_unknown_fields=True):
    """Why it broke off."""

    reason: Reason


class Terms(Struct, frozen=True, forbid_unknown_fields=True):
    """On what terms a customer subscribes."""

    customer_id: CustomerId
    plan: Plan
    price: Price
    currency: Currency
    time_zone: TimeZone
    months: Months = 1


def playback_routes(commands: Commands, clock: Clock) -> list[HTTPRouteHandler]:
    """The routes of the commands to playbacks and subscriptions."""
    return [
        _start_route(commands),
        *_watching_routes(commands),
        *_trouble_routes(commands),
        *_subscription_routes(commands, clock),
    ]


def _start_route(commands: Commands) -> HTTPRouteHandler:
    @command(f"{_PLAYBACK}/start", scope="playback:write", summary="Start a playback", tags=_TAGS)
    async def start_playback(
        request: Request[Any, Any, Any], playback_id: FromPath[str], data: JSONBody[PlaybackStart]
    ) -> ASGIApp:
        """One title on one device, once: who plays it again has a new playback.

        A customer may have several at a time. The same again is nothing.
        """
        check_customer_id(data.customer_id)
        start = StartPlayback(
            data.customer_id, data.title_id, data.device_id, data.progress_s, data.length_s
        )
        step = _playback_step(playback_id, start, data.customer_id)
        return await commands.run(request, step)

    return start_playback


def _watching_routes(commands: Commands) -> list[HTTPRouteHandler]:
    @command(
        f"{_PLAYBACK}/report-progress",
        scope="playback:write",
        summary="Report how far a playback is",
        tags=_TAGS,
    )
    async def report_progress(
        request: Request[Any, Any, Any], playback_id: FromPath[str], data: JSONBody[PlayerReport]
    ) -> ASGIApp:
        """Reports may come late, twice or in another order: an earlier one is nothing."""
        report = ReportProgress(data.sequence, data.progress_s)
        return await commands.run(request, _playback_step(playback_id, report))

    @command(f"{_PLAYBACK}/pause", scope="playback:write", summary="Report a pause", tags=_TAGS)
    async def pause_playback(
        request: Request[Any, Any, Any], playback_id: FromPath[str], data: JSONBody[PlayerReport]
    ) -> ASGIApp:
        """The customer has stopped it for a while."""
        report = Pause(data.sequence, data.progress_s)
        return await commands.run(request, _playback_step(playback_id, report))

    @command(
        f"{_PLAYBACK}/resume",
        scope="playback:write",
        summary="Report that a playback goes on",
        tags=_TAGS,
    )
    async def resume_playback(
        request: Request[Any, Any, Any], playback_id: FromPath[str], data: JSONBody[PlayerReport]
    ) -> ASGIApp:
        """After a pause or an interruption."""
        report = Resume(data.sequence, data.progress_s)
        return await commands.run(request, _playback_step(playback_id, report))

    @command(f"{_PLAYBACK}/finish", scope="playback:write", summary="Finish a playback", tags=_TAGS)
    async def finish_playback(
        request: Request[Any, Any, Any], playback_id: FromPath[str], data: JSONBody[PlayerReport]
    ) -> ASGIApp:
        """The last report: a later one is refused, an earlier one that comes behind is nothing."""
        report = Finish(data.sequence, data.progress_s)
        return await commands.run(request, _playback_step(playback_id, report))

    return [report_progress, pause_playback, resume_playback, finish_playback]


def _trouble_routes(commands: Commands) -> list[HTTPRouteHandler]:
    @command(
        f"{_PLAYBACK}/report-buffering",
        scope="playback:write",
        summary="Report that a playback had to wait",
        tags=_TAGS,
    )
    async def report_buffering(
        request: Request[Any, Any, Any],
        playback_id: FromPath[str],
        data: JSONBody[BufferingReport],
    ) -> ASGIApp:
        """Sent once it goes on, with how long it took."""
        report = ReportBuffering(data.sequence, data.progress_s, data.duration_ms)
        return await commands.run(request, _playback_step(playback_id, report))

    @command(
        f"{_PLAYBACK}/interrupt",
        scope="playback:write",
        summary="Report that a playback broke off",
        tags=_TAGS,
    )
    async def interrupt_playback(
        request: Request[Any, Any, Any],
        playback_id: FromPath[str],
        data: JSONBody[InterruptionReport],
    ) -> ASGIApp:
        """It may be resumed."""
        report = Interrupt(data.sequence, data.progress_s, data.reason)
        return await commands.run(request, _playback_step(playback_id, report))

    return [report_buffering, interrupt_playback]


def _subscription_routes(commands: Commands, clock: Clock) -> list[HTTPRouteHandler]:
    @command(f"{_SUBSCRIPTION}/start", scope="playback:write", summary="Subscribe", tags=_TAGS)
    async def start_subscription(
        request: Request[Any, Any, Any], subscription_id: FromPath[str], data: JSONBody[Terms]
    ) -> ASGIApp:
        """The first period begins now. It is renewed at the end of each, until it is cancelled.

        Who subscribes again later has a new subscription. The same again is nothing.
        """
        check_customer_id(data.customer_id)
        zone_named(data.time_zone, field="time_zone")
        start = StartSubscription(
            data.customer_id,
            data.plan,
            data.price,
            data.currency,
            data.months,
            data.time_zone,
            at=clock(),
        )
        step = _subscription_step(subscription_id, start, data.customer_id)
        return await commands.run(request, step)

    @command(
        f"{_SUBSCRIPTION}/cancel",
        scope="playback:write",
        summary="Cancel a subscription",
        tags=_TAGS,
    )
    async def cancel_subscription(
        request: Request[Any, Any, Any],
        subscription_id: FromPath[str],
        data: JSONBody[Nothing],  # noqa: ARG001 - it is to be an object without fields
    ) -> ASGIApp:
        """It goes on to the end of its period, and ends then."""
        step = _subscription_step(subscription_id, CancelSubscription())
        return await commands.run(request, step)

    @command(
        f"{_SUBSCRIPTION}/lapse",
        scope="playback:write",
        summary="End a subscription that is not paid",
        tags=_TAGS,
    )
    async def lapse_subscription(
        request: Request[Any, Any, Any],
        subscription_id: FromPath[str],
        data: JSONBody[Nothing],  # noqa: ARG001 - it is to be an object without fields
    ) -> ASGIApp:
        """At once, whether it was cancelled or not."""
        step = _subscription_step(subscription_id, LapseSubscription())
        return await commands.run(request, step)

    return [start_subscription, cancel_subscription, lapse_subscription]


def _playback_step(
    playback_id: str, playback_command: PlaybackCommand, customer_id: str | None = None
) -> Step[PlaybackCommand]:
    check_id(playback_id, field="playback_id")
    return Step(PLAYBACK, playback_id, playback_command, customer_id)


def _subscription_step(
    subscription_id: str, subscription_command: SubscriptionCommand, customer_id: str | None = None
) -> Step[SubscriptionCommand]:
    check_id(subscription_id, field="subscription_id")
    return Step(SUBSCRIPTION, subscription_id, subscription_command, customer_id)
