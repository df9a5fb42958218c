"""What the process remembers of an order, and what it makes of what it hears.

It hears everything in the order of the log, once; what comes when it is not waited for (any more)
is nothing. It never ends an order itself but asks the order, which may be on its way already: only
when that says so is anything undone.
"""

from collections.abc import Mapping, Sequence
from typing import assert_never

from msgspec import Struct

from app.kernel.decider import Decider
from app.kernel.errors import UnknownEvent
from app.kernel.event import Event
from app.reactions.fulfilment.events import (
    FulfilmentAbandoned,
    FulfilmentBegun,
    FulfilmentDispatched,
    FulfilmentFailed,
    FulfilmentPaid,
    FulfilmentSecured,
    StockAnswered,
    Wanted,
)

PAYMENT_TIMEOUT = "payment-timeout"
OUT_OF_STOCK = "out-of-stock"


class Begin(Struct, frozen=True):
    """An order was placed."""

    customer_id: str
    lines: tuple[Wanted, ...]
    currency: str
    total: int
    allow_partial: bool


class NotePaid(Struct, frozen=True):
    """So much was paid for it."""

    amount: int
    currency: str


class Expire(Struct, frozen=True, tag="expire"):
    """The time to pay it is over."""


class NoteStock(Struct, frozen=True):
    """So much of a thing is kept for it; perhaps none."""

    sku: str
    quantity: int


class NoteCancelled(Struct, frozen=True):
    """It was cancelled."""


class NoteShipped(Struct, frozen=True):
    """It was shipped."""


FulfilmentCommand = Begin | NotePaid | Expire | NoteStock | NoteCancelled | NoteShipped


class NotBegun(Struct, frozen=True):
    """There is no such order yet."""


class AwaitingPayment(Struct, frozen=True):
    """Nothing is reserved yet."""

    order: FulfilmentBegun


class Reserving(Struct, frozen=True):
    """It is paid; the stock is asked for."""

    order: FulfilmentBegun
    answers: Mapping[str, int] = {}
    """How much is kept, by thing; of those that were heard of."""


class Secured(Struct, frozen=True):
    """All is there; it waits to be shipped."""

    order: FulfilmentBegun
    quantities: Mapping[str, int]


class Failing(Struct, frozen=True):
    """It is to be cancelled."""

    order: FulfilmentBegun
    skus: tuple[str, ...]
    """Of which something may be kept."""


class Dispatched(Struct, frozen=True):
    """It is on its way: nothing more to do."""

    order: FulfilmentBegun


class Abandoned(Struct, frozen=True):
    """It was cancelled: nothing more to do."""

    order: FulfilmentBegun


Begun = AwaitingPayment | Reserving | Secured | Failing | Dispatched | Abandoned
Fulfilment = NotBegun | Begun


def decide_fulfilment(command: FulfilmentCommand, fulfilment: Fulfilment) -> Sequence[Event]:
    """What follows from what the process hears."""
    match command:
        case Begin():
            return _begin(command, fulfilment)
        case NotePaid():
            return _note_paid(command, fulfilment)
        case Expire():
            is_due = isinstance(fulfilment, AwaitingPayment)
            return (FulfilmentFailed(PAYMENT_TIMEOUT),) if is_due else ()
        case NoteStock():
            return _note_stock(command, fulfilment)
        case NoteCancelled():
            return _note_cancelled(fulfilment)
        case NoteShipped():
            return _note_shipped(fulfilment)
        case _:
            assert_never(command)


def _begin(command: Begin, fulfilment: Fulfilment) -> Sequence[Event]:
    if not isinstance(fulfilment, NotBegun):
        return ()
    of = command
    return (FulfilmentBegun(of.customer_id, of.lines, of.currency, of.total, of.allow_partial),)


def _note_paid(command: NotePaid, fulfilment: Fulfilment) -> Sequence[Event]:
    """Another sum is not the order's: it goes back when the time to pay is over."""
    if not isinstance(fulfilment, AwaitingPayment):
        return ()
    order = fulfilment.order
    if (command.amount, command.currency) != (order.total, order.currency):
        return ()
    quantities = {line.sku: line.quantity for line in order.lines}
    return (FulfilmentPaid(quantities, order.allow_partial),)


def _note_stock(command: NoteStock, fulfilment: Fulfilment) -> Sequence[Event]:
    if not isinstance(fulfilment, Reserving):
        return ()
    if command.sku in fulfilment.answers or command.sku not in _skus(fulfilment.order):
        return ()
    answered = StockAnswered(command.sku, command.quantity)
    answers = {**fulfilment.answers, command.sku: command.quantity}
    return (answered, *_concluded(fulfilment.order, answers))


def _concluded(order: FulfilmentBegun, answers: Mapping[str, int]) -> Sequence[Event]:
    """What the answers so far come to. All or nothing, unless the order allows a part."""
    missing = [line for line in order.lines if answers.get(line.sku, line.quantity) < line.quantity]
    if missing and not order.allow_partial:
        return (FulfilmentFailed(OUT_OF_STOCK),)
    if len(answers) < len(order.lines):
        return ()
    quantities = {sku: quantity for sku, quantity in answers.items() if quantity}
    if not quantities:
        return (FulfilmentFailed(OUT_OF_STOCK),)
    refund = sum((line.quantity - answers[line.sku]) * line.unit_price for line in missing)
    return (FulfilmentSecured(quantities, refund),)


def _note_cancelled(fulfilment: Fulfilment) -> Sequence[Event]:
    match fulfilment:
        case AwaitingPayment():
            return (FulfilmentAbandoned(()),)
        case Reserving(order):
            return (FulfilmentAbandoned(_skus(order)),)
        case Secured(quantities=quantities):
            return (FulfilmentAbandoned(tuple(quantities)),)
        case Failing(skus=skus):
            return (FulfilmentAbandoned(skus),)
        case NotBegun() | Dispatched() | Abandoned():
            return ()
        case _:
            assert_never(fulfilment)


def _note_shipped(fulfilment: Fulfilment) -> Sequence[Event]:
    if not isinstance(fulfilment, Secured):
        return ()
    return (FulfilmentDispatched(tuple(fulfilment.quantities)),)


def _skus(order: FulfilmentBegun) -> tuple[str, ...]:
    return tuple(line.sku for line in order.lines)


def evolve_fulfilment(  # noqa: PLR0911 - one for each event
    fulfilment: Fulfilment, event: Event
) -> Fulfilment:
    """The process after an event."""
    match fulfilment, event:
        case NotBegun(), FulfilmentBegun():
            return AwaitingPayment(event)
        case AwaitingPayment(order), FulfilmentPaid():
            return Reserving(order)
        case AwaitingPayment(order), FulfilmentFailed():
            return Failing(order, ())
        case Reserving(order, answers), StockAnswered(sku, quantity):
            return Reserving(order, {**answers, sku: quantity})
        case Reserving(order), FulfilmentSecured(quantities):
            return Secured(order, quantities)
        case Reserving(order), FulfilmentFailed():
            return Failing(order, _skus(order))
        case (
            AwaitingPayment(order) | Reserving(order) | Secured(order) | Failing(order),
            FulfilmentAbandoned(),
        ):
            return Abandoned(order)
        case Secured(order), FulfilmentDispatched():
            return Dispatched(order)
        case _:
            raise UnknownEvent(f"{event.tag} does not happen to what is {fulfilment!r}")


def _customer_of(fulfilment: Fulfilment) -> str | None:
    return None if isinstance(fulfilment, NotBegun) else fulfilment.order.customer_id


FULFILMENT: Decider[FulfilmentCommand, Fulfilment] = Decider(
    category="fulfilment",
    initial=NotBegun(),
    decide=decide_fulfilment,
    evolve=evolve_fulfilment,
    events=(
        FulfilmentBegun,
        FulfilmentPaid,
        StockAnswered,
        FulfilmentSecured,
        FulfilmentFailed,
        FulfilmentAbandoned,
        FulfilmentDispatched,
    ),
    commands=(Expire,),
    customer_of=_customer_of,
)
