"""Whom a list of customers shows: by id, by identity, or by trait, one range of an index each."""

from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from msgspec import Struct

from projections.customers.tables import CustomersTables
from projections.prefixes import ascii_lower, first_after
from projections.reading import LIMIT, Query

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


def values_of(search: Search) -> dict[str, Any]:
    """The values that a search is for: those of ``low`` up to ``high``, mostly."""
    match search:
        case ByIdentity(identity_id=identity_id):
            return {"identity_id": identity_id}
        case ByIdPrefix(prefix=""):
            # Up to the visitors, and on behind them: there may be many more of them than of
            # customers, and reading over them would take for ever.
            return {"high": "~", "next_low": first_after("~")}
        case ByIdPrefix(prefix=prefix):
            return _range(prefix)
        case ByTrait(name=name, prefix=prefix):
            return {"name": name, **_range(ascii_lower(prefix))}


def _range(prefix: str) -> dict[str, str]:
    high = first_after(prefix)
    return {"low": prefix} if high is None else {"low": prefix, "high": high}


def found(tables: CustomersTables, search: type[Search], shape: frozenset[str]) -> Query:
    """The first of those searched for, in the search's order, up to the limit.

    The shape has the names of the search's values, and ``after`` to begin after a `Place`. Rows of
    ``value`` (of the trait searched for, else empty) and ``customer_id``.
    """
    if search is ByIdPrefix:
        return _by_id(tables, shape)
    if search is ByTrait:
        return _by_trait(tables, shape)
    known = tables.identities.c
    who = sa.select(NO_VALUE, known.customer_id)
    return who.where(known.identity_id == sa.bindparam("identity_id")).limit(LIMIT)


def _by_id(tables: CustomersTables, shape: frozenset[str]) -> Query:
    customer_id = tables.customers.c.customer_id
    conditions = {
        "low": customer_id >= sa.bindparam("low"),
        "high": customer_id < sa.bindparam("high"),
        "next_low": customer_id >= sa.bindparam("next_low"),
        "after": customer_id > sa.bindparam("customer_id"),
    }
    # Two ranges are read each by its own, for a condition over both would read the gap between.
    ranges = [shape - {"next_low"}, shape - {"high"}] if "next_low" in shape else [shape]
    parts = []
    for names in ranges:
        part = sa.select(NO_VALUE, customer_id).where(tables.customers.c.erased_at.is_(None))
        part = part.where(*(conditions[name] for name in sorted(names)))
        parts.append(sa.select(part.order_by(customer_id).limit(LIMIT).subquery()))
    both = sa.union_all(*parts).subquery()
    return sa.select(both).order_by(both.c.customer_id).limit(LIMIT)


def _by_trait(tables: CustomersTables, shape: frozenset[str]) -> Query:
    trait = tables.traits.c
    place = (sa.bindparam(name, type_=sa.Text) for name in Place._fields)
    conditions = {
        "name": trait.name == sa.bindparam("name"),
        "low": trait.search >= sa.bindparam("low"),
        "high": trait.search < sa.bindparam("high"),
        "after": sa.tuple_(trait.search, trait.customer_id) > sa.tuple_(*place),
    }
    return (
        sa.select(trait.search.label("value"), trait.customer_id)
        .where(*(conditions[name] for name in sorted(shape)))
        .order_by(trait.search, trait.customer_id)
        .limit(LIMIT)
    )
