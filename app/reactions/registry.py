"""Every policy and every decider that reactions know, one line each."""

from typing import Any

from app.kernel.decider import Decider
from app.kernel.policy import Policy
from app.modules.customers.decider import CUSTOMER
from app.modules.messages.decider import MESSAGE

DECIDERS: tuple[Decider[Any, Any], ...] = (CUSTOMER, MESSAGE)
"""Those that policies may send commands to, and of whose events they hear."""

POLICIES: tuple[Policy, ...] = ()
