"""A courier that ends itself by SIGKILL at a named point, the nth time that it comes there.

Run as a module: URL, schema, point, count, the mail server's port, the webhook's URL.
"""

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import uvloop
from yarl import URL

from app.catalogue import CODEC
from app.delivery.channel import AfterInterruption, Channel, Outgoing
from app.delivery.courier import Courier
from app.delivery.email import EmailChannel, MailServer
from app.delivery.guard import Guard
from app.delivery.sending import Sender
from app.delivery.webhook import WebhookChannel, opened_session, signing
from app.eventstore.database import Database
from app.eventstore.execute import Executor
from app.eventstore.postgres import opened_store
from app.eventstore.wakeups import Wakeups
from app.kernel.cipher import as_stored
from app.modules.messages.decider import BeginSending
from tests.fixtures.hooks import SECRET

POINTS = (
    "before it is begun",
    "in the append that begins it",
    "before it is sent",
    "while it is sent",
    "behind the send",
    "in the append of the outcome",
    "behind the outcome",
)
NEVER = "never"
POLL = timedelta(seconds=1)
FIRST_PAUSE = timedelta(milliseconds=20)


class Mortal:
    """Stands at the points."""

    def __init__(self, point: str, count: int) -> None:
        self._point = point
        self._left = count

    def at(self, point: str) -> None:
        if point == self._point:
            self._left -= 1
            if self._left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    async def record(self, sender: Sender, *of: Any, **more: Any) -> Any:
        begins = isinstance(of[-1], BeginSending)
        if begins:
            self.at("before it is begun")
        recorded = asyncio.ensure_future(_record(sender, *of, **more))
        await asyncio.sleep(0.001)  # it is sent now, and nobody knows how far it came
        self.at("in the append that begins it" if begins else "in the append of the outcome")
        answer = await recorded
        if not begins:
            self.at("behind the outcome")
        return answer


class MortalChannel:
    """Another channel, with points around it."""

    def __init__(self, inner: Channel, mortal: Mortal) -> None:
        self._inner = inner
        self._mortal = mortal

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def address_trait(self) -> str | None:
        return self._inner.address_trait

    @property
    def after_interruption(self) -> AfterInterruption:
        return self._inner.after_interruption

    async def send(self, outgoing: Outgoing) -> None:
        self._mortal.at("before it is sent")
        sent = asyncio.ensure_future(self._inner.send(outgoing))
        await asyncio.sleep(0.002)
        self._mortal.at("while it is sent")
        await sent
        self._mortal.at("behind the send")


_record = Sender._record


async def main(database: Database, mortal: Mortal, port: int, url: str) -> None:
    async def record(sender: Sender, *of: Any, **more: Any) -> Any:
        return await mortal.record(sender, *of, **more)

    Sender._record = record  # type: ignore[method-assign, assignment] # of this process
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened_store(database, poll_interval=POLL))
        wakeups = await stack.enter_async_context(Wakeups(database, POLL))
        guard = Guard([URL(url).host or ""])
        session = await stack.enter_async_context(opened_session(guard))
        channels: list[Channel] = [
            EmailChannel(MailServer("127.0.0.1", port, tls=False), "shop@example.com"),
            WebhookChannel(url, signing(SECRET, field=""), session, guard),
        ]
        courier = Courier(
            database,
            store,
            wakeups,
            Executor(store, CODEC),
            [MortalChannel(channel, mortal) for channel in channels],
            codec=CODEC,
            upcasters=(),
            view=as_stored,
            first_pause=FIRST_PAUSE,
        )
        await courier.run(asyncio.Event())


if __name__ == "__main__":
    where, schema, point, times, smtp_port, hook = sys.argv[1:]
    database = Database(where, schema, accept_data_loss=True)
    uvloop.run(main(database, Mortal(point, int(times)), int(smtp_port), hook))
