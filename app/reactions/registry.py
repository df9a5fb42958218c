"""Every policy and every decider that reactions know, one line each."""

from typing import Any

from app.kernel.decider import Decider
from app.kernel.policy import Policy
from app.modules.accounts.cases import CASE
from app.modules.accounts.decider import TRANSACTION
from app.modules.accounts.instruments import ACCOUNT, CARD
from app.modules.carts.decider import CART, VISITOR
from app.modules.customers.decider import CUSTOMER
from app.modules.inventory.decider import INVENTORY
from app.modules.messages.decider import MESSAGE
from app.modules.offers.decider import OFFER
from app.modules.offers.policy import OFFER_EXPIRY
from app.modules.orders.decider import ORDER
from app.modules.payments.decider import PAYMENT
from app.modules.playback.decider import PLAYBACK, SUBSCRIPTION
from app.modules.playback.policy import SUBSCRIPTION_PERIODS
from app.modules.rides.decider import RIDE
from app.modules.rides.policy import RIDES
from app.modules.support.correspondent import CORRESPONDENT
from app.modules.support.decider import QUESTION
from app.modules.support.policy import SUPPORT
from app.modules.suppressions.decider import SUPPRESSION
from app.reactions.bounces import BOUNCES
from app.reactions.dispatch import DISPATCH
from app.reactions.fraud import FRAUD
from app.reactions.fulfilment.decider import FULFILMENT
from app.reactions.fulfilment.policy import FULFILMENT_POLICY
from app.reactions.support_messages import SUPPORT_MESSAGES
from app.reactions.visitors_carts import VISITORS_CARTS

DECIDERS: tuple[Decider[Any, Any], ...] = (
    CUSTOMER,
    MESSAGE,
    OFFER,
    SUPPRESSION,
    CART,
    VISITOR,
    TRANSACTION,
    CARD,
    ACCOUNT,
    CASE,
    QUESTION,
    CORRESPONDENT,
    RIDE,
    PLAYBACK,
    SUBSCRIPTION,
    ORDER,
    PAYMENT,
    INVENTORY,
    FULFILMENT,
)
"""Those that policies may send commands to, and of whose events they hear."""

POLICIES: tuple[Policy, ...] = (
    VISITORS_CARTS,
    FRAUD,
    SUPPORT,
    SUPPORT_MESSAGES,
    RIDES,
    DISPATCH,
    SUBSCRIPTION_PERIODS,
    FULFILMENT_POLICY,
    OFFER_EXPIRY,
    BOUNCES,
)
