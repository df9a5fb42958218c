"""The same catch-up by the Python package `eventsourcing`, as a process of its own.

    python -m benchmarks.eventsourcing_runner URL SCHEMA EVENTS

records so many events in an empty schema by an `Application`, lets a `ProjectionRunner` insert a
row for each, as its documentation has it, and prints how many it did a second.
"""

import sys
import threading
from time import perf_counter
from typing import Any
from uuid import UUID

import msgspec
from eventsourcing.application import Application
from eventsourcing.dispatch import singledispatchmethod
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier

from benchmarks.sample import Crowd

EVENTS_PER_SAVE = 500
LOOK_EVERY_S = 1.0


class Activity(Aggregate):
    """What happens to one customer."""

    class Opened(Aggregate.Created):
        customer_id: str

    class Happened(Aggregate.Event):
        customer_id: str
        what: str
        data: dict[str, Any]

    @event(Opened)
    def __init__(self, customer_id: str) -> None:
        self.customer_id = customer_id

    @event(Happened)
    def happen(self, customer_id: str, what: str, data: dict[str, Any]) -> None:
        pass


class Activities(Application[UUID]):
    """Records it."""


class Entries(PostgresTrackingRecorder):
    """The read model: a row an event, inserted with the position in one transaction."""

    def __init__(self, datastore: PostgresDatastore, **named: Any) -> None:
        super().__init__(datastore, **named)
        table = Identifier(datastore.schema, "entries")
        self.sql_create_statements.append(
            SQL(
                "CREATE TABLE IF NOT EXISTS {} (position bigint PRIMARY KEY, "
                "customer_id text NOT NULL, type text NOT NULL)"
            ).format(table)
        )
        self._insert = SQL("INSERT INTO {} VALUES (%s, %s, %s)").format(table)

    def add(self, customer_id: str, what: str, tracking: Tracking) -> None:
        with self.datastore.transaction(commit=True) as cursor:
            cursor.execute(
                self._insert, (tracking.notification_id, customer_id, what), prepare=True
            )
            self._insert_tracking(cursor, tracking)


class EntriesProjection(Projection[Entries]):
    """Turns each event into an entry."""

    last: int = 0
    done = threading.Event()

    @singledispatchmethod
    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        # What is dispatched to for any other class: none is recorded here.
        raise NotImplementedError(domain_event)

    @process_event.register
    def _(self, domain_event: Activity.Opened, tracking: Tracking) -> None:
        self._add(domain_event.customer_id, "Opened", tracking)

    @process_event.register
    def _(self, domain_event: Activity.Happened, tracking: Tracking) -> None:
        self._add(domain_event.customer_id, domain_event.what, tracking)

    def _add(self, customer_id: str, what: str, tracking: Tracking) -> None:
        self.view.add(customer_id, what, tracking)
        if tracking.notification_id == self.last:
            self.done.set()


def record(env: dict[str, str], events: int) -> int:
    """Record the events, many at once; answers the last one's position."""
    crowd = Crowd()
    activities = Activities(env)
    position = 0
    for first in range(0, events, EVENTS_PER_SAVE):
        customer_id = crowd.customer()
        activity = Activity(customer_id)
        for _ in range(min(EVENTS_PER_SAVE, events - first) - 1):
            happened = crowd.event(customer_id)
            activity.happen(customer_id, happened.type, msgspec.json.decode(happened.data))
        position = activities.save(activity)[-1].notification.id
    activities.close()
    return position


def rate(env: dict[str, str], events: int) -> float:
    """Events a second, from the runner's start to the last one's commit."""
    EntriesProjection.last = record(env, events)
    started = perf_counter()
    runner = ProjectionRunner(
        application_class=Activities,
        projection_class=EntriesProjection,
        view_class=Entries,
        env=env,
    )
    with runner:
        while not EntriesProjection.done.wait(LOOK_EVERY_S):
            if runner.is_interrupted.is_set():
                break  # what failed in its thread is raised at the end of the block
        return events / (perf_counter() - started)


def environment(url: str, schema: str) -> dict[str, str]:
    """The settings of its PostgreSQL module; everything else is at its default."""
    parts = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": parts["dbname"],
        "POSTGRES_HOST": parts["host"],
        "POSTGRES_PORT": parts.get("port", "5432"),
        "POSTGRES_USER": parts.get("user", "postgres"),
        "POSTGRES_PASSWORD": parts.get("password", ""),
        "POSTGRES_SCHEMA": schema,
    }


if __name__ == "__main__":
    url, schema, events = sys.argv[1:]
    print(rate(environment(url, schema), int(events)))
