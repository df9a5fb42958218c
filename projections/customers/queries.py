"""Customers as they are now: one by id, or a list by id, identity or trait."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, Meta, Raw, Struct, UnsetType
from msgspec.structs import replace
from sqlalchemy.dialects.postgresql import aggregate_order_by

from app.eventstore.tables import identities as identity_values
from app.kernel.cipher import View, as_stored
from app.kernel.errors import NotFound
from app.modules.customers.events import IdentityKind
from projections.as_of import Past
from projections.customers import CUSTOMERS
from projections.customers.search import NO_VALUE, Place, Search, found, values_of
from projections.customers.tables import CustomersTables
from projections.reading import AnyRow, Query, ReadModels, compiled, parked


class Consent(Struct, frozen=True):
    """What a customer last said of a topic on a channel."""

    channel: Annotated[str, Meta(examples=["email"])]
    topic: Annotated[str, Meta(examples=["news"])]
    granted: Annotated[bool, Meta(examples=[True])]
    changed_at: datetime


class Identity(Struct, frozen=True):
    """Something that a customer is known by; its value is not told."""

    identity_id: UUID
    kind: IdentityKind
    linked_at: datetime


class Customer(Struct, frozen=True):
    """A customer, or a visitor (``~…``), as the read model has it.

    Events, first and last seen are of what services sent, linked visitors' included.
    """

    customer_id: Annotated[str, Meta(examples=["anna"])]
    version: Annotated[int, Meta(examples=[3])]
    """Of the stream ``customer-<id>``, for If-Match; 0: no command was executed yet."""
    registered_at: datetime | None
    first_seen: datetime | None
    last_seen: datetime | None
    events: Annotated[int, Meta(examples=[12])]
    traits: Annotated[Raw, Meta(examples=[{"name": "Anna Berg", "plan": "pro"}])]
    consents: Sequence[Consent]
    identities: Sequence[Identity]
    stale: Annotated[bool, Meta(examples=[False])]
    """Whether events are missing, for one of them could not be applied; see parked keys."""
    erased_at: datetime | UnsetType = UNSET
    """When the customer was erased, with traits, consents and identities; absent: it was not."""


class CustomerPage(Struct, frozen=True):
    """Some customers, and where to go on."""

    items: Sequence[Customer]
    next_cursor: str | None
    """Null on the last page."""


class Customers:
    """The customers of a store."""

    def __init__(self, models: ReadModels) -> None:
        """Take how to read."""
        self._models = models

    async def one(
        self,
        customer_id: str,
        *,
        min_position: int | None = None,
        as_of: Past | None = None,
        view: View = as_stored,
    ) -> Customer:
        """The customer, now or `as_of` then, as the view has it, or `NotFound`.

        Raises what `ReadModels.rows` or `Past.rows` raises.
        """
        values = {"customer_id": customer_id}
        if as_of is None:
            rows = await self._models.rows(CUSTOMERS, _one, values, min_position=min_position)
        else:
            rows = await as_of.rows(CUSTOMERS, _one, values, people=_visitors)
        if not rows:
            raise NotFound(f"there is no customer {customer_id!r}")
        [customer] = await _seen([_customer(rows[0])], view)
        return customer

    async def page(
        self,
        search: Search,
        *,
        limit: int,
        cursor: str | None = None,
        min_position: int | None = None,
        view: View = as_stored,
    ) -> CustomerPage:
        """Those that the search finds, in its order, as the view has them.

        Raises `InvalidInput` for a cursor that is none, and what `ReadModels.rows` raises.
        """
        values = values_of(search)
        shape, scope = frozenset(values), (CUSTOMERS.name, type(search).__name__)
        if cursor is not None:
            shape |= {"after"}
            place = self._models.cursors.decode(cursor, Place, *scope)
            values |= place._asdict()
        rows = await self._models.rows(
            CUSTOMERS,
            lambda tables: _page(tables, type(search), shape),
            {**values, "limit": limit + 1},
            min_position=min_position,
        )
        customers = await _seen([_customer(row) for row in rows[:limit]], view)
        if len(rows) <= limit:
            return CustomerPage(customers, None)
        value, customer_id, *_ = rows[limit - 1]
        place = Place(value, customer_id)
        return CustomerPage(customers, self._models.cursors.encode(place, *scope))


_consents = msgspec.json.Decoder(list[Consent])
_identities = msgspec.json.Decoder(list[Identity])


def _customer(row: AnyRow) -> Customer:
    _value, *profile, traits, consents, identities, stale, erased_at = row
    details = (Raw(traits.encode()), _consents.decode(consents), _identities.decode(identities))
    fields = (*profile, *details, stale, UNSET if erased_at is None else erased_at)
    return Customer(*fields)


async def _seen(customers: Sequence[Customer], view: View) -> list[Customer]:
    """The customers with what is sealed in their traits opened, or masked."""
    traits = await view([(customer.customer_id, customer.traits) for customer in customers])
    return [
        replace(customer, traits=seen) for customer, seen in zip(customers, traits, strict=True)
    ]


@compiled
def _one(tables: CustomersTables) -> Query:
    customer_id = tables.customers.c.customer_id
    one = sa.select(NO_VALUE, customer_id).where(customer_id == sa.bindparam("customer_id"))
    return _with_details(tables, one)


@compiled
def _visitors(tables: CustomersTables) -> Query:
    """The ids of the visitors that a customer turned out to be."""
    linked = tables.identities.c
    return (
        sa.select(identity_values.c.anonymous_id)
        .join(tables.identities, linked.identity_id == identity_values.c.identity_id)
        .where(linked.customer_id == sa.bindparam("customer_id"))
        .where(identity_values.c.anonymous_id.is_not(None))
    )


@compiled
def _page(tables: CustomersTables, search: type[Search], shape: frozenset[str]) -> Query:
    return _with_details(tables, found(tables, search, shape))


def _with_details(tables: CustomersTables, whom: Query) -> Query:
    """The profiles of those found, in the same order, with what belongs to each."""
    page = whom.subquery("page")
    profile = tables.customers.c
    visits = _visits(tables).lateral("visits")
    return (
        sa.select(
            page.c.value,
            profile.customer_id,
            profile.stream_version,
            profile.registered_at,
            sa.func.least(profile.first_seen, visits.c.first_seen).label("first_seen"),
            sa.func.greatest(profile.last_seen, visits.c.last_seen).label("last_seen"),
            (profile.events + visits.c.events).label("events"),
            _traits(tables).label("traits"),
            _consents_of(tables).label("consents"),
            _identities_of(tables).label("identities"),
            _is_stale(tables).label("stale"),
            profile.erased_at,
        )
        .select_from(
            page.join(tables.customers, profile.customer_id == page.c.customer_id).join(
                visits, sa.true()
            )
        )
        .order_by(page.c.value, page.c.customer_id)
    )


def _visits(tables: CustomersTables) -> Query:
    """What the customer's linked visitors did before they were known."""
    visitor, linked = tables.customers.alias("visitor"), tables.identities.c
    return (
        sa.select(
            sa.func.min(visitor.c.first_seen).label("first_seen"),
            sa.func.max(visitor.c.last_seen).label("last_seen"),
            sa.func.coalesce(
                sa.cast(sa.func.sum(visitor.c.events), sa.BigInteger), sa.literal_column("0")
            ).label("events"),
        )
        .select_from(tables.identities)
        .join(identity_values, identity_values.c.identity_id == linked.identity_id)
        .join(visitor, visitor.c.customer_id == identity_values.c.anonymous_id)
        .where(linked.customer_id == tables.customers.c.customer_id)
        .correlate(tables.customers)
    )


def _is_stale(tables: CustomersTables) -> sa.ColumnElement[bool]:
    """Whether events are left out of the customer, or of a linked visitor."""
    generation = tables.customers.name  # as the table that is named like the projection is
    customer_id, linked = tables.customers.c.customer_id, tables.identities
    visitors = linked.join(identity_values, identity_values.c.identity_id == linked.c.identity_id)
    of_visitors = (
        sa.exists()
        .select_from(visitors)
        .where(
            linked.c.customer_id == customer_id,
            parked(generation, identity_values.c.anonymous_id),
        )
        .correlate(tables.customers)
    )
    return sa.or_(parked(generation, customer_id), of_visitors)


def _traits(tables: CustomersTables) -> sa.ScalarSelect[str]:
    trait = tables.traits.c
    together = sa.cast(sa.func.jsonb_object_agg(trait.name, trait.value), sa.Text)
    return (
        sa.select(sa.func.coalesce(together, _constant("{}")))
        .where(trait.customer_id == tables.customers.c.customer_id)
        .correlate(tables.customers)
        .scalar_subquery()
    )


def _consents_of(tables: CustomersTables) -> sa.ScalarSelect[str]:
    consent = tables.consents.c
    columns = (consent.channel, consent.topic, consent.granted, consent.changed_at)
    return _rows_of(tables, columns, consent.customer_id, (consent.channel, consent.topic))


def _identities_of(tables: CustomersTables) -> sa.ScalarSelect[str]:
    identity = tables.identities.c
    columns = (identity.identity_id, identity.kind, identity.linked_at)
    return _rows_of(
        tables, columns, identity.customer_id, (identity.linked_at, identity.identity_id)
    )


def _rows_of(
    tables: CustomersTables,
    columns: Sequence[sa.ColumnElement[Any]],
    customer_id: sa.ColumnElement[str],
    order: Sequence[sa.ColumnElement[Any]],
) -> sa.ScalarSelect[str]:
    """The customer's rows of a table, as the text of a JSON array of objects."""
    fields = [part for column in columns for part in (_constant(str(column.key)), column)]
    each = sa.func.jsonb_build_object(*fields)
    together = sa.cast(sa.func.jsonb_agg(aggregate_order_by(each, *order)), sa.Text)
    return (
        sa.select(sa.func.coalesce(together, _constant("[]")))
        .where(customer_id == tables.customers.c.customer_id)
        .correlate(tables.customers)
        .scalar_subquery()
    )


def _constant(text: str) -> sa.ColumnElement[str]:
    """A text of our own, in the statement itself: PostgreSQL asks no parameter's type."""
    return sa.literal_column(f"'{text}'", sa.Text)
