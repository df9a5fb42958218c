"""Whom a list of customers shows: by id, by identity, or by trait, one range of an index each."""

from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from msgspec import Struct

from projections.customers.tables import CustomersTables
from projections.prefixes import ascii_lower, first_after
from projections.reading import Query

MAX_SEARCH_CHARACTERS = 100
"""How much of a trait's value `apply.sql` keeps for searches."""

NO_VALUE = sa.literal_column("''", sa.Text).label("value")


class ByIdPrefix(Struct, frozen=True):
    """Those whose ids begin so, by id; visitors only when the prefix begins with ``~``."""

    prefix: str = ""


class ByIdentity(Struct, frozen=True):
    """Who is known by an identity; nobody by one that was never seen."""

    identity_id: UUID | None


class ByTrait(Struct, frozen=True):
    """Those of whom a trait's value begins so, by the value and then by id."""

    name: str
    prefix: str


Search = ByIdPrefix | ByIdentity | ByTrait


class Place(NamedTuple):
    """Where a page ended: the last one's value of the trait searched for, and its id."""

    value: str
    customer_id: str


def found(tables: CustomersTables, search: Search, after: Place | None, limit: int) -> Query:
    """The first of those searched for, after a place, in the search's order.

    Rows of ``value`` (of the trait searched for, else empty) and ``customer_id``.
    """
    match search:
        case ByIdPrefix(prefix=prefix):
            return _by_id(tables, prefix, after, limit)
        case ByIdentity(identity_id=identity_id):
            known = tables.identities.c
            who = sa.select(NO_VALUE, known.customer_id)
            return who.where(known.identity_id == identity_id).limit(limit)
        case ByTrait(name=name, prefix=prefix):
            return _by_trait(tables, name, ascii_lower(prefix), after, limit)


def _by_id(tables: CustomersTables, prefix: str, after: Place | None, limit: int) -> Query:
    """One range of ids; without a prefix those before and after the visitors'.

    There may be many more visitors than customers: reading over them would take for ever.
    """
    customer_id = tables.customers.c.customer_id
    visitors_end = first_after("~")
    ranges = [(prefix, first_after(prefix))] if prefix else [("", "~"), (visitors_end, None)]
    parts = []
    for low, high in ranges:
        part = sa.select(NO_VALUE, customer_id).where(customer_id >= low)
        if high is not None:
            part = part.where(customer_id < high)
        if after is not None:
            part = part.where(customer_id > after.customer_id)
        parts.append(sa.select(part.order_by(customer_id).limit(limit).subquery()))
    both = sa.union_all(*parts).subquery()
    return sa.select(both).order_by(both.c.customer_id).limit(limit)


def _by_trait(
    tables: CustomersTables, name: str, prefix: str, after: Place | None, limit: int
) -> Query:
    trait = tables.traits.c
    who = sa.select(trait.search.label("value"), trait.customer_id).where(
        trait.name == name, trait.search >= prefix
    )
    if (high := first_after(prefix)) is not None:
        who = who.where(trait.search < high)
    if after is not None:
        place = sa.tuple_(sa.literal(after.value), sa.literal(after.customer_id))
        who = who.where(sa.tuple_(trait.search, trait.customer_id) > place)
    return who.order_by(trait.search, trait.customer_id).limit(limit)
