"""The timer of an offer: until it expires."""

from collections.abc import Iterable

from app.kernel.policy import CancelTimer, Effect, Happened, Policy, Send, SetTimer
from app.modules.offers.decider import OFFER, ExpireOffer
from app.modules.offers.events import OfferIssued, OfferRedeemed, OfferWithdrawn


def _issued(happened: Happened[OfferIssued]) -> Iterable[Effect]:
    expire = Send(OFFER, happened.thing_id, ExpireOffer())
    yield SetTimer(_timer(happened.thing_id), happened.event.expires_at, expire)


def _over(happened: Happened[OfferRedeemed] | Happened[OfferWithdrawn]) -> Iterable[Effect]:
    yield CancelTimer(_timer(happened.thing_id))


def _timer(offer_id: str) -> str:
    return f"offer-expiry:offer-{offer_id}"


OFFER_EXPIRY = Policy(
    "offer-expiry", {OfferIssued: _issued, OfferRedeemed: _over, OfferWithdrawn: _over}
)
