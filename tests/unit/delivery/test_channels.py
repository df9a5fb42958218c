"""Every channel keeps the contract of channels."""

import io
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import NamedTuple

import pytest
from yarl import URL

from app.delivery.channel import Channel
from app.delivery.console import ConsoleChannel
from app.delivery.email import EmailChannel, MailServer
from app.delivery.guard import Guard
from app.delivery.inbox import InboxChannel
from app.delivery.webhook import WebhookChannel, opened_session, signing
from tests.contracts.channel import *  # noqa: F403 - the contract
from tests.contracts.channel import Taken
from tests.fixtures.hooks import SECRET, receiver
from tests.fixtures.mail import mail_server

pytestmark = pytest.mark.anyio


class Subject(NamedTuple):
    channel: Channel
    taken: Taken


@pytest.fixture(params=["inbox", "console", "email", "webhook"])
async def subject(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    async with AsyncExitStack() as stack:
        yield await _subject(request.param, stack)


async def _subject(name: str, stack: AsyncExitStack) -> Subject:
    if name == "inbox":
        return Subject(InboxChannel(), lambda: ["recorded"])
    if name == "console":
        output = io.StringIO()
        return Subject(
            ConsoleChannel(output),
            lambda: [line.split()[1] for line in output.getvalue().splitlines()],
        )
    if name == "email":
        box = await stack.enter_async_context(mail_server())
        server = MailServer("127.0.0.1", box.port, tls=False)
        return Subject(
            EmailChannel(server, "shop@example.com"), lambda: [m["Message-ID"] for m in box.mails]
        )
    hook = await stack.enter_async_context(receiver())
    guard = Guard([URL(hook.url).host or ""])
    session = await stack.enter_async_context(opened_session(guard))
    channel = WebhookChannel(hook.url, signing(SECRET, field=""), session, guard)
    return Subject(channel, lambda: [webhook_id for webhook_id, _ in hook.got])


@pytest.fixture
def channel(subject: Subject) -> Channel:
    return subject.channel


@pytest.fixture
def taken(subject: Subject) -> Taken:
    return subject.taken
