"""An offer: issued to one customer under a code, and redeemed once, withdrawn, or expired."""

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from msgspec import Struct

from app.kernel.decider import Decider
from app.kernel.errors import NotFound, Refused, UnknownEvent
from app.kernel.event import Event
from app.kernel.sensitive import Sensitive
from app.modules.offers.events import OfferExpired, OfferIssued, OfferRedeemed, OfferWithdrawn


class NoSuchOffer(NotFound, Refused):
    """There is no such offer."""


class OfferTaken(Refused):
    """There is another offer of this id."""


class WrongCode(Refused):
    """The code is not the offer's."""


class CodeExpired(Refused):
    """The offer's time is over."""


class CodeUsed(Refused):
    """The offer was redeemed before."""


class CodeWithdrawn(Refused):
    """The offer was withdrawn."""


class IssueOffer(Struct, frozen=True):
    """Let a customer have it; nothing when the same was issued under this id before."""

    customer_id: str
    offer: str
    code: Sensitive[str]
    expires_at: datetime


class RedeemOffer(Struct, frozen=True):
    """Let the customer use it."""

    customer_id: str
    code: Sensitive[str]
    at: datetime


class WithdrawOffer(Struct, frozen=True):
    """Take it back; nothing when it is over anyway."""


class ExpireOffer(Struct, frozen=True, tag="expire"):
    """Note that its time is over; nothing when it is over anyway."""


OfferCommand = IssueOffer | RedeemOffer | WithdrawOffer | ExpireOffer


class NotIssued(Struct, frozen=True):
    """There is no offer."""


class Issued(Struct, frozen=True):
    """It may be redeemed, until it expires."""

    issued: OfferIssued


class Redeemed(Issued, frozen=True):
    """It was used."""


class Withdrawn(Issued, frozen=True):
    """It was taken back."""


class Expired(Issued, frozen=True):
    """Its time is over."""


Offer = NotIssued | Issued | Redeemed | Withdrawn | Expired
Known = Issued | Redeemed | Withdrawn | Expired


def decide_offer(command: OfferCommand, offer: Offer) -> Sequence[Event]:
    """What follows from a command to an offer."""
    if isinstance(command, IssueOffer):
        return _issue(command, offer)
    if isinstance(offer, NotIssued):
        raise NoSuchOffer
    is_open, name = type(offer) is Issued, offer.issued.offer
    match command:
        case RedeemOffer():
            return _redeem(command, offer)
        case WithdrawOffer():
            return (OfferWithdrawn(name),) if is_open else ()
        case ExpireOffer():
            return (OfferExpired(name),) if is_open else ()
        case _:
            assert_never(command)


def _issue(command: IssueOffer, offer: Offer) -> Sequence[Event]:
    issued = OfferIssued(command.customer_id, command.offer, command.code, command.expires_at)
    if isinstance(offer, NotIssued):
        return (issued,)
    if offer.issued != issued:
        raise OfferTaken
    return ()


def _redeem(command: RedeemOffer, offer: Known) -> Sequence[Event]:
    """To another customer it is as if there were none; whoever lacks the code learns no more."""
    if command.customer_id != offer.issued.customer_id:
        raise NoSuchOffer
    if command.code != offer.issued.code:
        raise WrongCode
    match offer:
        case Redeemed():
            raise CodeUsed
        case Withdrawn():
            raise CodeWithdrawn
        case Expired():
            raise CodeExpired
        case Issued() if command.at >= offer.issued.expires_at:
            raise CodeExpired
        case Issued():
            return (OfferRedeemed(offer.issued.offer),)
        case _:
            assert_never(offer)


def evolve_offer(offer: Offer, event: Event) -> Offer:
    """The offer after an event."""
    if isinstance(event, OfferIssued):
        return Issued(event)
    if isinstance(offer, NotIssued):
        raise UnknownEvent(f"{event.tag} is no first event of an offer")
    match event:
        case OfferRedeemed():
            return Redeemed(offer.issued)
        case OfferWithdrawn():
            return Withdrawn(offer.issued)
        case OfferExpired():
            return Expired(offer.issued)
        case _:
            raise UnknownEvent(f"{event.tag} is no event of an offer")


def _customer_of(offer: Offer) -> str | None:
    return None if isinstance(offer, NotIssued) else offer.issued.customer_id


OFFER: Decider[OfferCommand, Offer] = Decider(
    category="offer",
    initial=NotIssued(),
    decide=decide_offer,
    evolve=evolve_offer,
    events=(OfferIssued, OfferRedeemed, OfferWithdrawn, OfferExpired),
    commands=(ExpireOffer,),
    customer_of=_customer_of,
)
