"""What happens to an offer to a customer."""

from datetime import datetime
from typing import ClassVar

from app.kernel.event import Event
from app.kernel.sensitive import Sensitive


class OfferIssued(Event, frozen=True):
    """The customer may have something, for whoever has the code may redeem it."""

    tag: ClassVar[str] = "offer.issued"
    title: ClassVar[str] = "Got an offer: {offer}"

    customer_id: str
    offer: str
    """What it is, in the words of whoever issues it, such as ``ten-percent``."""
    code: Sensitive[str]
    expires_at: datetime


class OfferRedeemed(Event, frozen=True):
    """The customer has used it."""

    tag: ClassVar[str] = "offer.redeemed"
    title: ClassVar[str] = "Redeemed an offer: {offer}"

    offer: str


class OfferWithdrawn(Event, frozen=True):
    """It was taken back."""

    tag: ClassVar[str] = "offer.withdrawn"
    title: ClassVar[str] = "Withdrew an offer: {offer}"

    offer: str


class OfferExpired(Event, frozen=True):
    """The customer has not used it in time."""

    tag: ClassVar[str] = "offer.expired"
    title: ClassVar[str] = "Let an offer expire: {offer}"

    offer: str


REGISTERED = (OfferIssued, OfferRedeemed, OfferWithdrawn, OfferExpired)
"""The event types of this module, for the catalogue."""
