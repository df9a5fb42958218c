"""Every policy and every decider that reactions know, one line each."""

from typing import Any

from app.kernel.decider import Decider
from app.kernel.policy import Policy
from app.modules.carts.decider import CART, VISITOR
from app.modules.customers.decider import CUSTOMER
from app.modules.messages.decider import MESSAGE
from app.modules.playback.decider import SUBSCRIPTION
from app.modules.playback.policy import SUBSCRIPTION_PERIODS
from app.reactions.visitors_carts import VISITORS_CARTS

DECIDERS: tuple[Decider[Any, Any], ...] = (
    CART,
    VISITOR,
    CUSTOMER,
    MESSAGE,
    SUBSCRIPTION,
)
"""Those that policies may send commands to, and of whose events they hear."""

POLICIES: tuple[Policy, ...] = (
    VISITORS_CARTS,
    SUBSCRIPTION_PERIODS,
)
