"""An offer to Anna, and what happens to it."""

from datetime import timedelta

from app.modules.offers.decider import ExpireOffer, IssueOffer, RedeemOffer, WithdrawOffer
from app.modules.offers.events import OfferExpired, OfferIssued, OfferRedeemed, OfferWithdrawn
from app.testing.specs import SOME_DAY

CODE = "K7QX2MZP4A"
EXPIRES_AT = SOME_DAY + timedelta(days=7)

issue = IssueOffer("anna", "ten-percent", CODE, EXPIRES_AT)
redeem = RedeemOffer("anna", CODE, SOME_DAY)
withdraw, expire = WithdrawOffer(), ExpireOffer()

issued = OfferIssued("anna", "ten-percent", CODE, EXPIRES_AT)
redeemed = OfferRedeemed("ten-percent")
withdrawn = OfferWithdrawn("ten-percent")
expired = OfferExpired("ten-percent")
