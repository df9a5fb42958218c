"""Every policy and every decider that reactions know, one line each."""

from typing import Any

from app.kernel.decider import Decider
from app.kernel.policy import Policy
from app.modules.customers.decider import CUSTOMER
from app.modules.inventory.decider import INVENTORY
from app.modules.messages.decider import MESSAGE
from app.modules.orders.decider import ORDER
from app.modules.payments.decider import PAYMENT
from app.reactions.fulfilment.decider import FULFILMENT
from app.reactions.fulfilment.policy import FULFILMENT_POLICY

DECIDERS: tuple[Decider[Any, Any], ...] = (
    CUSTOMER,
    MESSAGE,
    ORDER,
    PAYMENT,
    INVENTORY,
    FULFILMENT,
)
"""Those that policies may send commands to, and of whose events they hear."""

POLICIES: tuple[Policy, ...] = (FULFILMENT_POLICY,)
