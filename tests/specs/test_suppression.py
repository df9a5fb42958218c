"""By which channels a customer gets nothing."""

import pytest

from app.modules.suppressions.decider import (
    MAX_CHANNELS,
    SUPPRESSION,
    LiftSuppression,
    Suppress,
    TooManySuppressions,
)
from app.modules.suppressions.events import ChannelSuppressed, Reason, SuppressionLifted
from app.testing.specs import given

bounced = ChannelSuppressed("email", Reason.HARD_BOUNCE)
lifted = SuppressionLifted("email")


@pytest.mark.parametrize("reason", Reason)
def test_a_channel_is_suppressed_once_whatever_the_reason(reason: Reason) -> None:
    suppress = Suppress("email", reason)
    given(SUPPRESSION).when(suppress).then(ChannelSuppressed("email", reason))
    given(SUPPRESSION, bounced).when(suppress).then_nothing()


def test_a_channel_is_suppressed_beside_others_and_again_after_it_was_lifted() -> None:
    push = ChannelSuppressed("push", Reason.ASKED)
    given(SUPPRESSION, bounced).when(Suppress("push", Reason.ASKED)).then(push)
    suppress = Suppress("email", Reason.COMPLAINT)
    given(SUPPRESSION, bounced, lifted).when(suppress).then(
        ChannelSuppressed("email", Reason.COMPLAINT)
    )


def test_a_suppression_is_lifted_once() -> None:
    given(SUPPRESSION, bounced).when(LiftSuppression("email")).then(lifted)
    given(SUPPRESSION, bounced, lifted).when(LiftSuppression("email")).then_nothing()
    given(SUPPRESSION, bounced).when(LiftSuppression("push")).then_nothing()


def test_there_are_not_more_channels_than_one_can_count() -> None:
    many = [ChannelSuppressed(f"channel-{n}", Reason.MANUAL) for n in range(MAX_CHANNELS)]
    one_more = Suppress("email", Reason.MANUAL)
    given(SUPPRESSION, *many).when(one_more).then_refused(TooManySuppressions)
    given(SUPPRESSION, *many[1:]).when(one_more).then(ChannelSuppressed("email", Reason.MANUAL))
