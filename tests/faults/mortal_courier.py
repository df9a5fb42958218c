"""A courier that ends itself; run as `tests.faults.mortal` says.

The last arguments are the mail server's port and the webhook's URL.
"""

import asyncio
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
from app.modules.messages import decider
from app.modules.messages.decider import BeginSending
from tests.faults.mortal import Mortal
from tests.fixtures.hooks import SECRET
from tests.integration.on_store import POLL

POINTS = (
    "before it is begun",
    "in the append that begins it",
    "before it is sent",
    "while it is sent",
    "behind the send",
    "in the append of the outcome",
    "behind the outcome",
)
FIRST_PAUSE = timedelta(milliseconds=20)


class MortalCourier(Mortal):
    """Stands at the points."""

    async def record(self, sender: Sender, *of: Any, **more: Any) -> Any:
        begins = isinstance(of[-1], BeginSending)
        if begins:
            self.at("before it is begun")
        point = "in the append that begins it" if begins else "in the append of the outcome"
        answer = await self.amid(point, _record(sender, *of, **more), after_s=0.001)
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
        await self._mortal.amid("while it is sent", self._inner.send(outgoing), after_s=0.002)
        self._mortal.at("behind the send")


_record = Sender._record


async def main(database: Database, mortal: MortalCourier, port: int, url: str) -> None:
    async def record(sender: Sender, *of: Any, **more: Any) -> Any:
        return await mortal.record(sender, *of, **more)

    Sender._record = record  # type: ignore[method-assign, assignment] # of this process
    decider.MAX_TRIES_A_CHANNEL = 1_000  # kills come faster than a message has tries
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
    database, mortal, (smtp_port, hook) = MortalCourier.from_arguments()
    uvloop.run(main(database, mortal, int(smtp_port), hook))
