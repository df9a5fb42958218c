"""A client that stalls in the middle of an append holds the log's lock at no moment."""

import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from app.eventstore.database import Database
from app.eventstore.group_calls import CALL
from app.eventstore.port import Append
from app.eventstore.postgres import PostgresEventStore
from tests.controls.events import an_append, an_event, keyed_id
from tests.integration.embedded_owner import eventually
from tests.integration.eventstore.sessions import (
    SYNC,
    append_events,
    append_group,
    log_of,
    messages,
    request,
    session,
)

SENDS_AND_STOPS = """
import os, signal, sys, psycopg
connection = psycopg.connect(sys.argv[1], autocommit=True)
connection.pgconn.send_query_params(sys.argv[2].encode(), [sys.stdin.buffer.read(), b"0", b"f"])
while connection.pgconn.flush():
    pass
os.kill(os.getpid(), signal.SIGSTOP)
"""


def repeated(size: int) -> list[Append]:
    """Appends that the store refuses from the second time on, each with some 150 bytes of why."""
    return [
        an_append(
            f"order-{number}",
            an_event(event_id=keyed_id(f"{number}"), fingerprint="f" * 32),
            fingerprint="f" * 32,
        )
        for number in range(size)
    ]


@contextmanager
def stopped_after_sending(database: Database, appends: Sequence[Append]) -> Iterator[None]:
    """A process that sends the group and is stopped, as by Ctrl-Z, before it reads the answer."""
    with subprocess.Popen(
        [sys.executable, "-c", SENDS_AND_STOPS, database.conninfo(), CALL.decode()],
        stdin=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdin is not None
            process.stdin.write(request(appends))
            process.stdin.close()
            _, status = os.waitpid(process.pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status)
            yield
        finally:
            process.kill()


def test_a_process_that_is_stopped_before_it_reads_the_answer_has_appended(
    database: Database,
) -> None:
    with stopped_after_sending(database, [an_append()]), session(database) as other:
        assert eventually(lambda: len(log_of(database)) == 1)
        assert append_events(other, an_append())[0] == 2


def test_a_process_that_does_not_read_a_long_answer_holds_up_nobody(database: Database) -> None:
    """Longer than what the sockets take in: the server waits for the client, but has committed."""
    appends = repeated(4_000)
    with session(database) as other:
        append_group(other, appends)
        with stopped_after_sending(database, [*appends, an_append("order-new")]):
            assert eventually(lambda: len(log_of(database)) == 4_001)
            assert append_events(other, an_append())[0] == 4_002


def test_a_client_that_has_sent_half_an_append_holds_up_nobody(database: Database) -> None:
    message = messages([an_append("order-1", *(an_event() for _ in range(100)))])
    with session(database) as other, session(database) as slow:
        half = len(message) // 2
        send(slow, message[:half])
        assert append_events(other, an_append("order-2"))[0] == 1

        send(slow, message[half:] + SYNC)
        assert eventually(lambda: len(log_of(database)) == 101)


def test_a_client_that_never_ends_what_it_says_has_appended_and_holds_up_nobody(
    database: Database,
) -> None:
    """A statement of the extended protocol is over at its Sync, which a client may never send."""
    with session(database) as other, session(database) as slow:
        send(slow, messages([an_append("order-1", *(an_event() for _ in range(100)))]))
        assert eventually(lambda: len(log_of(database)) == 100)
        assert append_events(other, an_append("order-2"))[0] == 101


def send(client: psycopg.Connection[Any], message: bytes) -> None:
    """Write to the socket behind the library's back."""
    sent = 0
    while sent < len(message):
        select.select([], [client.pgconn.socket], [])
        sent += os.write(client.pgconn.socket, message[sent:])


@pytest.mark.anyio
async def test_an_append_is_one_statement_and_never_part_of_a_pipeline(
    store: PostgresEventStore,
) -> None:
    """In a pipeline a procedure cannot commit, and the lock would be the client's to keep."""
    assert store.appender._calls is not None
    connection = store.appender._calls._connection
    with tempfile.TemporaryFile() as trace:
        connection.pgconn.trace(trace.fileno())
        for _ in range(10):
            await store.append(an_append("order-1"))
        connection.pgconn.untrace()
        trace.seek(0)
        sent = [
            line.split("\t")[3] for line in trace.read().decode().splitlines() if "\tF\t" in line
        ]
    assert sent == ["Bind", "Describe", "Execute", "Sync"] * 10
