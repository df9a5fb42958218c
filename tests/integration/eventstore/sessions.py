"""Sessions of a store's database that are no store's own: rude, slow or privileged ones."""

from collections.abc import Sequence
from typing import Any

import msgspec
import psycopg
from psycopg.pq import ExecStatus

from app.eventstore.database import Database
from app.eventstore.group_calls import CALL
from app.eventstore.groups import Waiting, encode_group
from app.eventstore.heads import Heads
from app.eventstore.port import Append

LOCK_TIMEOUT = "20s"
"""Whoever waits this long for the log's lock waits for somebody who should not have it."""


def session(database: Database, *, autocommit: bool = True) -> psycopg.Connection[Any]:
    """A session in the store's schema that does not wait for ever."""
    connection = psycopg.connect(database.conninfo(), autocommit=autocommit)
    connection.prepare_threshold = None
    connection.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
    if not autocommit:
        connection.commit()
    return connection


def request(appends: Sequence[Append]) -> bytes:
    """The group as `append_events` takes it, without the appender's rules."""
    group = [Waiting(append, answer=None) for append in appends]
    for waiting in group:
        waiting.encode()
    return encode_group(group, Heads())


def append_group(connection: psycopg.Connection[Any], appends: Sequence[Append]) -> None:
    """Append by the statement that the appender sends."""
    result = connection.pgconn.exec_params(CALL, [request(appends), None, b"f"])
    assert result.status == ExecStatus.TUPLES_OK, result.get_error_message()


def messages(appends: Sequence[Append]) -> bytes:
    """What the appender sends, byte by byte, but for the last message: Sync."""
    group = request(appends)
    return b"".join(
        kind + (len(body) + 4).to_bytes(4) + body
        for kind, body in (
            (b"P", b"\0%s\0\0\0" % CALL),
            (b"B", b"\0\0\0\0\0\3%b\0\0" % b"".join(map(_parameter, (group, b"0", b"f")))),
            (b"D", b"P\0"),
            (b"E", b"\0\0\0\0\0"),
        )
    )


def _parameter(value: bytes) -> bytes:
    return len(value).to_bytes(4) + value


SYNC = b"S\0\0\0\4"


def append_events(connection: psycopg.Connection[Any], *appends: Append) -> Any:
    """Append in the session's transaction; answers first_position, versions, refusals."""
    answer = connection.execute(
        "SELECT first_position, versions, refusals::text FROM append_events(%s)",
        (request(appends).decode(),),
    ).fetchone()
    assert answer is not None
    first_position, versions, refusals = answer
    return first_position, versions, msgspec.json.decode(refusals) if refusals else None


def log_of(database: Database) -> list[Any]:
    """Position, stream, version and recorded_at of every event, by position."""
    with session(database) as connection:
        return connection.execute(
            "SELECT position, stream, version, recorded_at FROM events ORDER BY position"
        ).fetchall()


def waiting_for_the_lock(database: Database) -> int:
    """How many sessions of this database wait for the log's lock."""
    with session(database) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ).fetchone()
    assert row is not None
    return int(row[0])
