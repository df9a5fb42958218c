"""An address that does not exist is not tried again: a hard bounce suppresses its channel."""

from collections.abc import Iterable

from app.kernel.policy import Effect, Happened, Policy, Send
from app.modules.messages.events import MessageBounced
from app.modules.suppressions.decider import SUPPRESSION, Suppress
from app.modules.suppressions.events import Reason


def _suppress(happened: Happened[MessageBounced]) -> Iterable[Effect]:
    bounced, customer_id = happened.event, happened.customer_id
    if bounced.hard and customer_id is not None:
        suppress = Suppress(bounced.channel, Reason.HARD_BOUNCE)
        yield Send(SUPPRESSION, customer_id, suppress, customer_id)


BOUNCES = Policy("bounces", {MessageBounced: _suppress})
