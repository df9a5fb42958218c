"""One message is sent: begun in the log, handed over, and what came of it recorded.

Crash semantics, for an end at each point:

- before `message.sending` is recorded nothing has happened, and whoever comes next begins;
- behind it, the message stands there as being sent by nobody, until a courier finds it. By a
  channel whose destination knows messages by their ids it is sent again, under the same id; by
  e-mail it is recorded as unknown, and stays so until somebody decides;
- when the outcome is recorded, it is over.

So is it when the store is away at one of these points: what is recorded is asked for until there is
an answer. The append that begins names the version that it was decided on, and of several couriers
one has begun it.
"""

import asyncio
import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
import structlog
from msgspec import Raw

from app.delivery.channel import (
    AddressRefused,
    AfterInterruption,
    Channel,
    Channels,
    DestinationDown,
    NeverSo,
    NotNow,
    OutcomeUnknown,
    Outgoing,
)
from app.delivery.circuit import Circuit
from app.delivery.deliveries import Due, Known, Messages
from app.delivery.rendering import CannotRender, Render, Rendered, Rendering
from app.eventstore.clock import StoreClock
from app.eventstore.execute import Executed, Executor, IdempotencyKey, Step
from app.kernel.cipher import View
from app.kernel.decider import Decider
from app.kernel.errors import Contention, Erased, StoreUnavailable, named_line
from app.kernel.ids import new_event_id
from app.kernel.metrics import UNMEASURED, Counter, Histogram
from app.modules.customers.decider import CUSTOMER, Consent
from app.modules.messages.decider import (
    MESSAGE,
    BeginSending,
    MessageCommand,
    NoteFailed,
    NoteReceipt,
    NoteSent,
    NoteUnknown,
    ReceiptStatus,
)
from app.modules.messages.events import FailureKind
from app.modules.messages.states import Requested, Sending, Waiting
from app.modules.suppressions.decider import SUPPRESSION

SEND_TIMEOUT_S = 300
"""Whatever a channel bounds itself."""
ASK_AGAIN_AFTER_S = 0.2
FIRST_PAUSE = timedelta(seconds=5)
PAUSES_GROW_BY = 4
LONGEST_PAUSE = timedelta(hours=4)

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()
_log = structlog.get_logger(__name__)


class ChannelMeasures(NamedTuple):
    """What is counted and measured of a channel."""

    sent: Counter = UNMEASURED
    failed: Counter = UNMEASURED
    """Attempts, also those that are made again, and those that nobody knows the outcome of."""
    latency_s: Histogram = UNMEASURED
    """From when a message was requested, or was to be sent, until it was."""


class Sender:
    """Sends messages by their channels."""

    def __init__(
        self,
        messages: Messages,
        executor: Executor,
        channels: Channels,
        clock: StoreClock,
        *,
        view: View,
        render: Render,
        measures: Mapping[str, ChannelMeasures],
        first_pause: timedelta = FIRST_PAUSE,
    ) -> None:
        """Take the channels, what opens sealed values, and what puts templates into words."""
        self._messages = messages
        self._executor = executor
        self.channels: Mapping[str, Channel] = {channel.name: channel for channel in channels}
        self.circuits = {name: Circuit() for name in self.channels}
        self._clock = clock
        self._view = view
        self._render = render
        self._measures = measures
        self._first_pause = first_pause

    async def send(self, due: Due) -> int:
        """Make the message's next attempt; up to which position the log tells of it."""
        known = (await self._messages.known([due.message_id])).get(due.message_id)
        if known is None:
            return 0
        message = known.message
        is_turn = (
            isinstance(message, Requested)
            and isinstance(message.status, Waiting)
            and message.status.channel == due.channel
            and message.attempts == due.attempts
        )
        if not is_turn or not isinstance(message, Requested):
            return known.last.position
        try:
            return await self._attempt(due, known, message)
        except Erased:  # nothing more is recorded of the customer, nor sent
            return known.last.position

    async def take_up(self, due: Due) -> int:
        """End what a courier began that is no more; up to which position the log tells of it."""
        known = (await self._messages.known([due.message_id])).get(due.message_id)
        if known is None:
            return 0
        message = known.message
        if not isinstance(message, Requested) or not isinstance(message.status, Sending):
            return known.last.position
        attempt, channel = message.attempts, self.channels.get(message.status.channel)
        error = "the courier ended while it was sending"
        command: MessageCommand = NoteUnknown(attempt, error)
        if channel and channel.after_interruption is AfterInterruption.SEND_AGAIN:
            command = NoteFailed(attempt, FailureKind.INTERRUPTED, error, self._clock())
        try:
            return (await self._record(due.message_id, known, command)).position
        except Erased:
            return known.last.position

    async def _attempt(self, due: Due, known: Known, message: Requested) -> int:
        attempt = due.attempts + 1
        try:
            channel = self._channel(due.channel)
            await self._check_allowed(due.channel, known, message.request.kind)
            outgoing = await self._outgoing(due.message_id, known, message, channel)
        except (NeverSo, CannotRender) as error:
            self._measured(due.channel).failed.inc()
            failed = NoteFailed(attempt, FailureKind.PERMANENT, str(error), self._clock())
            return (await self._record(due.message_id, known, failed)).position
        begin = BeginSending(due.channel, attempt, outgoing.text, outgoing.subject)
        begun = await self._record(due.message_id, known, begin, once=True)
        if not begun.events:  # somebody else was faster
            return begun.position
        command = await self._hand_over(channel, outgoing, message, attempt)
        recorded = await self._record(due.message_id, known, command)
        self._observe(due.channel, command, known, message)
        return recorded.position

    def _channel(self, name: str) -> Channel:
        channel = self.channels.get(name)
        if channel is None:
            raise NeverSo(f"the channel {name} is not set up")
        return channel

    async def _check_allowed(self, channel: str, known: Known, kind: str) -> None:
        """Asked at each attempt: it may have been forbidden since the message was requested.

        What a service requests goes by no consents: whoever requests it knows what it is.
        """
        customer_id = known.first.customer_id or ""
        reason = (await self._state(SUPPRESSION, customer_id)).reasons.get(channel)
        if reason is not None:
            raise NeverSo(f"the channel {channel} is suppressed: {reason.value}")
        if known.is_by_rule:
            consents = (await self._state(CUSTOMER, customer_id)).consents
            if consents.get((channel, kind)) is Consent.WITHDRAWN:
                raise NeverSo(f"the customer has declined {kind} by {channel}")

    async def _outgoing(
        self, message_id: str, known: Known, message: Requested, channel: Channel
    ) -> Outgoing:
        """The words and the address in plain. Raises `NeverSo` or `CannotRender`."""
        request, customer_id = message.request, known.first.customer_id or ""
        traits: Mapping[str, Any] = {}
        if request.template is not None or channel.address_trait is not None:
            traits = (await self._state(CUSTOMER, customer_id)).traits or {}
        opened = await self._opened(
            customer_id,
            {"text": request.text, "parameters": request.parameters, "traits": traits},
        )
        address = None
        if channel.address_trait is not None:
            address = opened["traits"].get(channel.address_trait)
            if not isinstance(address, str):
                raise NeverSo(f"the customer has no {channel.address_trait}")
        words = await self._words(request.template, opened)
        return Outgoing(
            message_id,
            customer_id,
            request.kind,
            words.text,
            words.subject,
            words.html,
            address,
            request.priority.value,
        )

    async def _state(self, decider: Decider[Any, Any], customer_id: str) -> Any:
        """What the log says of the customer, however long the store is away."""
        while True:
            try:
                return (await self._executor.read(decider, customer_id)).state
            except StoreUnavailable:
                await asyncio.sleep(ASK_AGAIN_AFTER_S)

    async def _opened(self, customer_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
        [opened] = await self._view([(customer_id, Raw(_encoder.encode(values)))])
        decoded: dict[str, Any] = _decoder.decode(opened)
        return decoded

    async def _words(self, template: str | None, opened: Mapping[str, Any]) -> Rendered:
        if template is not None:
            return await self._render(Rendering(template, opened["parameters"], opened["traits"]))
        if not isinstance(opened["text"], str):
            raise NeverSo("nobody can read its words any more")
        return Rendered(opened["text"])

    async def _hand_over(
        self, channel: Channel, outgoing: Outgoing, message: Requested, attempt: int
    ) -> MessageCommand:
        """What is to be recorded of it."""
        circuit = self.circuits[channel.name]
        tries = message.tries + 1
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await channel.send(outgoing)
        except DestinationDown as error:
            circuit.failed()
            return self._later(attempt, tries, error)
        except NotNow as error:
            circuit.answered()
            return self._later(attempt, tries, error)
        except AddressRefused:
            circuit.answered()
            return NoteReceipt(channel.name, ReceiptStatus.BOUNCED_HARD, self._clock())
        except NeverSo as error:
            circuit.answered()
            return NoteFailed(attempt, FailureKind.PERMANENT, str(error), self._clock())
        except Exception as error:
            circuit.failed()
            return self._in_doubt(channel, attempt, tries, error)
        circuit.answered()
        return NoteSent(attempt)

    def _in_doubt(
        self, channel: Channel, attempt: int, tries: int, error: Exception
    ) -> MessageCommand:
        """Nobody knows whether it was taken."""
        if not isinstance(error, OutcomeUnknown):
            _log.error("channel_failed", channel=channel.name, error=type(error).__name__)
        told = str(error) if isinstance(error, OutcomeUnknown) else type(error).__name__
        if channel.after_interruption is AfterInterruption.GIVE_UP:
            return NoteUnknown(attempt, told)
        return self._later(attempt, tries, NotNow(told))

    def _later(self, attempt: int, tries: int, error: NotNow) -> NoteFailed:
        pause = min(self._first_pause * PAUSES_GROW_BY ** (tries - 1), LONGEST_PAUSE)
        pause *= random.uniform(0.5, 1)  # noqa: S311 - no secret
        if error.after is not None:
            pause = max(pause, error.after)
        return NoteFailed(attempt, FailureKind.TEMPORARY, str(error), self._clock() + pause)

    async def _record(
        self, message_id: str, known: Known, command: MessageCommand, *, once: bool = False
    ) -> Executed:
        """Record it, however long the store is away.

        `once`: under a key, so that an answer that was lost is answered again. Raises `Erased`.
        """
        mark = str(new_event_id())
        key = IdempotencyKey("courier", f"{message_id}:{mark}", mark) if once else None
        step = Step(MESSAGE, message_id, command, known.first.customer_id)
        while True:
            try:
                return await self._executor.execute(step, metadata=known.metadata, key=key)
            except (StoreUnavailable, Contention) as error:
                _log.warning("courier_waits", error=named_line(error))
                await asyncio.sleep(ASK_AGAIN_AFTER_S)

    def _observe(
        self, channel: str, command: MessageCommand, known: Known, message: Requested
    ) -> None:
        measures = self._measured(channel)
        if not isinstance(command, NoteSent):
            measures.failed.inc()
            return
        measures.sent.inc()
        wanted: datetime = known.first.recorded_at
        if message.request.not_before is not None:
            wanted = max(wanted, message.request.not_before)
        measures.latency_s.observe(max((self._clock() - wanted).total_seconds(), 0))

    def _measured(self, channel: str) -> ChannelMeasures:
        return self._measures.get(channel) or ChannelMeasures()
