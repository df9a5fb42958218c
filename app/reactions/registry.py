"""Every policy and every decider that reactions know, one line each."""

from typing import Any

from app.kernel.decider import Decider
from app.kernel.policy import Policy
from app.modules.accounts.cases import CASE
from app.modules.accounts.decider import TRANSACTION
from app.modules.accounts.instruments import ACCOUNT, CARD
from app.modules.customers.decider import CUSTOMER
from app.modules.messages.decider import MESSAGE
from app.reactions.fraud import FRAUD

DECIDERS: tuple[Decider[Any, Any], ...] = (
    ACCOUNT,
    CARD,
    CASE,
    CUSTOMER,
    MESSAGE,
    TRANSACTION,
)
"""Those that policies may send commands to, and of whose events they hear."""

POLICIES: tuple[Policy, ...] = (
    FRAUD,
    # one line each
)
