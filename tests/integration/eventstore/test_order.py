"""Positions are dense and become visible in order, whoever appends and however the clock goes."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest

from app.eventstore.database import Database
from tests.controls.events import an_append, an_event
from tests.integration.embedded_owner import eventually
from tests.integration.eventstore.sessions import (
    append_events,
    append_group,
    log_of,
    session,
    waiting_for_the_lock,
)


@pytest.mark.parametrize("level", ["READ UNCOMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_events_are_not_appended_at_another_isolation(database: Database, level: str) -> None:
    """There a statement would not see what the lock's last holder committed."""
    with session(database, autocommit=False) as connection:
        connection.execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
        with pytest.raises(psycopg.errors.ActiveSqlTransaction, match="READ COMMITTED"):
            append_events(connection, an_append())
    assert log_of(database) == []


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_a_store_appends_at_its_own_isolation_whatever_the_servers_default(
    database: Database, level: str
) -> None:
    with session(database) as connection:
        name = connection.info.dbname
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = '{level}'")
    with session(database) as connection:
        append_group(connection, [an_append()])
    assert len(log_of(database)) == 1


@pytest.mark.parametrize("ending", ["commit", "rollback"])
def test_whoever_waited_for_the_lock_sees_what_its_last_holder_did(
    database: Database, ending: str
) -> None:
    rounds = 15
    with (
        session(database, autocommit=False) as holder,
        session(database) as waiter,
        ThreadPoolExecutor(1) as pool,
    ):
        for number in range(rounds):
            held = append_events(holder, an_append("order-1", an_event(), an_event()))
            waited = pool.submit(append_events, waiter, an_append("order-1", an_event()))
            assert eventually(lambda: waiting_for_the_lock(database) == 1), number
            getattr(holder, ending)()

            seen = 2 if ending == "commit" else 0
            assert waited.result()[0] == held[0] + seen
            assert waited.result()[1] == [held[1][0] + seen]


def test_many_sessions_at_once_leave_no_hole_though_the_clock_jumps(database: Database) -> None:
    writers, appends = 6, 40

    def write(writer: int) -> None:
        with session(database) as connection:
            for number in range(appends):
                events = (an_event(), an_event())
                append_group(connection, [an_append(f"order-{number % 3}", *events)])

    with clock_that_jumps(database), ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(writers)))

    log = log_of(database)
    assert [position for position, *_ in log] == list(range(1, 2 * writers * appends + 1))
    for stream in {stream for _, stream, *_ in log}:
        versions = [version for _, of, version, _ in log if of == stream]
        assert versions == list(range(1, len(versions) + 1))
    times = [recorded_at for *_, recorded_at in log]
    assert times == sorted(times)


def test_time_stands_still_in_the_log_while_the_clock_is_behind_it(database: Database) -> None:
    with session(database) as connection:
        for offset in ("1 day", "-1 day", "2 days", "0"):
            connection.execute("UPDATE clock SET offset_by = %s", (offset,))
            append_events(connection, an_append())
    ahead, behind, further_ahead, today = (recorded_at for *_, recorded_at in log_of(database))
    assert ahead == behind < further_ahead == today


@contextmanager
def clock_that_jumps(database: Database) -> Iterator[None]:
    """The store's clock goes forth and back by hours while the block runs."""
    done = threading.Event()

    def jump() -> None:
        with session(database) as connection:
            hours = 0
            while not done.wait(0.01):
                hours = 5 - hours
                connection.execute(f"UPDATE clock SET offset_by = '{hours} hours'")

    jumper = threading.Thread(target=jump)
    jumper.start()
    try:
        yield
    finally:
        done.set()
        jumper.join()
