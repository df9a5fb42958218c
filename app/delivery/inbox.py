"""The store's own inbox: what is recorded as being sent there is there (`projections/inbox`)."""

from app.delivery.channel import AfterInterruption, Outgoing
from app.modules.messages.events import INBOX


class InboxChannel:
    """Has nothing to do."""

    name = INBOX
    address_trait = None
    after_interruption = AfterInterruption.SEND_AGAIN

    async def send(self, outgoing: Outgoing) -> None:
        """See `Channel.send`."""
