"""By which channels a customer gets nothing: one stream a customer."""

from collections.abc import Mapping, Sequence
from typing import assert_never

from msgspec import Struct

from app.kernel.decider import Decider
from app.kernel.errors import Refused, UnknownEvent
from app.kernel.event import Event
from app.modules.suppressions.events import ChannelSuppressed, Reason, SuppressionLifted

MAX_CHANNELS = 50


class TooManySuppressions(Refused):
    """At most 50 channels of a customer are suppressed."""


class Suppress(Struct, frozen=True):
    """Send nothing by the channel; nothing to do when that is so, whatever the reason was."""

    channel: str
    reason: Reason


class LiftSuppression(Struct, frozen=True):
    """Use the channel again; nothing to do when it is used."""

    channel: str


SuppressionCommand = Suppress | LiftSuppression


class Suppressions(Struct, frozen=True):
    """The channels that are not used, each with the reason that came first."""

    reasons: Mapping[str, Reason] = {}


def decide_suppression(command: SuppressionCommand, suppressions: Suppressions) -> Sequence[Event]:
    """What follows from a command to a customer's suppressions."""
    is_suppressed = command.channel in suppressions.reasons
    match command:
        case Suppress(channel, reason):
            if is_suppressed:
                return ()
            if len(suppressions.reasons) >= MAX_CHANNELS:
                raise TooManySuppressions
            return (ChannelSuppressed(channel, reason),)
        case LiftSuppression(channel):
            return (SuppressionLifted(channel),) if is_suppressed else ()
        case _:
            assert_never(command)


def evolve_suppressions(suppressions: Suppressions, event: Event) -> Suppressions:
    """The suppressions after an event."""
    match event:
        case ChannelSuppressed(channel, reason):
            return Suppressions({**suppressions.reasons, channel: reason})
        case SuppressionLifted(channel):
            kept = {name: why for name, why in suppressions.reasons.items() if name != channel}
            return Suppressions(kept)
        case _:
            raise UnknownEvent(f"{event.tag} is no event of a suppression")


SUPPRESSION: Decider[SuppressionCommand, Suppressions] = Decider(
    category="suppression",
    initial=Suppressions(),
    decide=decide_suppression,
    evolve=evolve_suppressions,
    events=(ChannelSuppressed, SuppressionLifted),
)
