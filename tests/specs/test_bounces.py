"""What follows from a message that came back."""

from app.kernel.policy import Send
from app.modules.messages.events import MessageBounced
from app.modules.suppressions.decider import SUPPRESSION, Suppress
from app.modules.suppressions.events import Reason
from app.reactions.bounces import BOUNCES
from app.testing.specs import SOME_DAY, when

HARD = MessageBounced("email", hard=True, at=SOME_DAY)
SOFT = MessageBounced("email", hard=False, at=SOME_DAY)


def test_a_hard_bounce_suppresses_the_channel() -> None:
    suppress = Send(SUPPRESSION, "anna", Suppress("email", Reason.HARD_BOUNCE), "anna")
    when(BOUNCES, HARD, thing_id="m-1", customer_id="anna").then(suppress)


def test_a_soft_bounce_does_not_and_neither_does_nobodys() -> None:
    when(BOUNCES, SOFT, thing_id="m-1", customer_id="anna").then_nothing()
    when(BOUNCES, HARD, thing_id="m-1").then_nothing()
