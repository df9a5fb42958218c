"""Long random histories, drawn from a seed, for where Hypothesis would take too long."""

import random
from uuid import UUID

from app.modules.customers.events import (
    ConsentRecorded,
    ConsentWithdrawn,
    CustomerTraitsChanged,
    IdentityLinked,
    IdentityUnlinked,
)
from tests.integration.projections.stage import Happening, of_customer, sent


def history(chance: random.Random, count: int) -> list[Happening]:
    """What a dozen customers do, in an order in which much of it overwrites what was before."""
    return [_happening(chance) for _ in range(count)]


def _happening(chance: random.Random) -> Happening:
    customer_id = f"customer-{chance.randrange(12)}"
    minutes = chance.randrange(-500, 500)
    identity_id = UUID(int=chance.randrange(4))
    event = chance.choice(
        [
            None,
            CustomerTraitsChanged({"plan": chance.choice([None, "free", "pro"])}),
            ConsentRecorded("email", "news"),
            ConsentWithdrawn("email", "news"),
            IdentityLinked(identity_id, "anonymous"),
            IdentityUnlinked(identity_id, "anonymous"),
        ]
    )
    if event is None:
        return sent(customer_id, minutes=minutes)
    return of_customer(customer_id, event, minutes=minutes)
