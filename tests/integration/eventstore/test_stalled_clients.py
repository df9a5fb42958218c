"""A client that stalls in the middle of an append holds the log's lock at no moment."""

import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from app.eventstore.database import Database
from app.eventstore.port import Append
from app.eventstore.postgres import PostgresEventStore
from tests.controls.events import an_append, an_event, keyed_id
from tests.integration.embedded_owner import eventually
from tests.integration.eventstore.sessions import append_events, call, log_of, session

SENDS_AND_STOPS = """
import os, signal, sys, psycopg
connection = psycopg.connect(sys.argv[1], autocommit=True)
connection.pgconn.send_query(sys.stdin.buffer.read())
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
        [sys.executable, "-c", SENDS_AND_STOPS, database.conninfo()], stdin=subprocess.PIPE
    ) as process:
        try:
            assert process.stdin is not None
            process.stdin.write(call(appends))
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
        other.execute(call(appends))
        with stopped_after_sending(database, [*appends, an_append("order-new")]):
            assert eventually(lambda: len(log_of(database)) == 4_001)
            assert append_events(other, an_append())[0] == 4_002


def test_a_client_that_has_sent_half_an_append_holds_up_nobody(database: Database) -> None:
    statement = call([an_append("order-1", *(an_event() for _ in range(100)))]) + b"\0"
    message = b"Q" + (len(statement) + 4).to_bytes(4) + statement
    with session(database) as other:
        slow = session(database)
        sent = os.write(slow.pgconn.socket, message[: len(message) // 2])
        assert append_events(other, an_append("order-2"))[0] == 1

        while sent < len(message):
            select.select([], [slow.pgconn.socket], [])
            sent += os.write(slow.pgconn.socket, message[sent:])
        assert eventually(lambda: len(log_of(database)) == 101)
        slow.pgconn.finish()


@pytest.mark.anyio
async def test_an_append_is_one_message_of_the_simple_protocol_however_often_it_is_sent(
    store: PostgresEventStore,
) -> None:
    """The extended protocol commits at a message of its own, which a client may never send."""
    connection = store._appender._connection
    assert connection is not None
    with tempfile.TemporaryFile() as trace:
        connection.pgconn.trace(trace.fileno())
        for _ in range(10):
            await store.append(an_append("order-1", an_event(event_id=keyed_id("same"))))
        connection.pgconn.untrace()
        trace.seek(0)
        sent = [
            line.split("\t")[3] for line in trace.read().decode().splitlines() if "\tF\t" in line
        ]
    assert sent == ["Query"] * 10
