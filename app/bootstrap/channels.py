"""The channels that the settings set up, apart from the courier: `tidings up` checks them, too."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from app.delivery.channel import Channel
from app.delivery.console import ConsoleChannel
from app.delivery.email import EmailChannel, mail_server, sender_of
from app.delivery.guard import Guard
from app.delivery.inbox import InboxChannel
from app.delivery.webhook import WebhookChannel, opened_session, signing
from app.settings import Settings, listed


def check_channels(settings: Settings) -> None:
    """Raise `InvalidInput` for settings that no channel can be made of."""
    guard_of(settings)
    if settings.smtp_url is not None:
        mail_server(settings.smtp_url)
        sender_of(settings.smtp_from or "")
    if settings.webhook_url is not None:
        signing(settings.webhook_secret or "", field="TIDINGS_WEBHOOK_SECRET")
    if settings.receipts_secret is not None:
        signing(settings.receipts_secret, field="TIDINGS_RECEIPTS_SECRET")


def guard_of(settings: Settings) -> Guard:
    """What every URL has to pass that is called."""
    return Guard(listed(settings.allowed_destinations))


@asynccontextmanager
async def opened_channels(settings: Settings) -> AsyncIterator[Sequence[Channel]]:
    """The channels that the settings set up, for the time of the block."""
    channels: list[Channel] = [InboxChannel()]
    async with AsyncExitStack() as stack:
        if settings.console_channel:
            channels.append(ConsoleChannel())
        if settings.smtp_url is not None and settings.smtp_from is not None:
            channels.append(EmailChannel(mail_server(settings.smtp_url), settings.smtp_from))
        if settings.webhook_url is not None and settings.webhook_secret is not None:
            guard = guard_of(settings)
            session = await stack.enter_async_context(opened_session(guard))
            signs = signing(settings.webhook_secret, field="TIDINGS_WEBHOOK_SECRET")
            channels.append(WebhookChannel(settings.webhook_url, signs, session, guard))
        yield channels
