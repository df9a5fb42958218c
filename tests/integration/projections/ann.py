"""Ann, who is to be erased, and what is left of her."""

from uuid import UUID

import msgspec

from app.modules.customers.events import ConsentRecorded, CustomerRegistered, IdentityLinked
from projections.customers.queries import Customer, Customers
from tests.integration.projections.stage import Stage, of_customer, sent
from tests.integration.projections.visitors import identities_of, known_visitor


async def introduce_ann(stage: Stage) -> UUID:
    """Ann, who turned out to be the visitor v1; the id of her address. There is Ben, too."""
    await stage.make_first()
    visitor = await known_visitor(stage, "v1")
    address = await identities_of(stage).find_or_create("email", "ann@example.org")
    await _execute(
        stage, "CREATE TABLE test_keys AS SELECT unnest('{ann,~v1,ben}'::text[]) AS customer_id"
    )
    await stage.record(
        sent("~v1", minutes=1),
        of_customer("ann", CustomerRegistered({"plan": "gold", "name": "Ann"}), minutes=2),
        of_customer("ann", ConsentRecorded("email", "news"), minutes=3),
        of_customer("ann", IdentityLinked(visitor, "anonymous"), minutes=4),
        of_customer("ann", IdentityLinked(address, "email"), minutes=5),
        sent("ann", minutes=6),
        of_customer("ben", CustomerRegistered({"plan": "gold"}), minutes=7),
    )
    return address


async def _execute(stage: Stage, statement: str) -> None:
    async with await stage.database.connect() as connection:
        await connection.execute(statement.encode())


async def keys_left(stage: Stage) -> list[str]:
    return [key for (key,) in await stage.fetch("SELECT customer_id FROM test_keys ORDER BY 1")]


async def customer(stage: Stage, customer_id: str = "ann", at: int | None = None) -> Customer:
    past = None if at is None else await stage.past.of(customer_id, at, field="as_of")
    return await Customers(stage.models).one(customer_id, as_of=past)


def is_bare(customer: Customer) -> bool:
    """Whether it shows an erased customer and nothing else."""
    details = (bytes(customer.traits), list(customer.consents), list(customer.identities))
    return details == (b"{}", [], []) and customer.erased_at is not msgspec.UNSET
