"""`tidings import` as a process of its own, on real servers: twice, killed, stopped, mistaken."""

import asyncio
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app.catalogue import CATALOGUE
from app.eventstore.codec import Codec
from app.eventstore.database import Database
from app.eventstore.execute import Executor, Step
from app.eventstore.postgres import opened_store
from app.kernel.event import Metadata
from app.modules.event_types.decider import EVENT_TYPE, DeclareEventType
from app.modules.event_types.events import EventTypeDeclared
from tests.integration.conftest import on_one_server

DEADLINE_S = 60
SECRET = "of the import's tests, and long enough"
COLUMNS = ["--customer", "user", "--type", "event", "--occurred-at", "at"]

Events = list[dict[str, Any]]


def environment(database: Database) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("TIDINGS_")},
        "TIDINGS_DATABASE_URL": database.url,
        "TIDINGS_ACCEPT_DATA_LOSS": "true",
        "TIDINGS_SECRET": SECRET,
    }


def start(database: Database, *arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "app", "import", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(database),
    )


def run(database: Database, *arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
    """The exit status, what it said, and what it complained of."""
    process = start(database, *arguments)
    out, err = process.communicate(stdin, timeout=DEADLINE_S)
    return process.returncode, out.decode(), err.decode()


def log_of(database: Database) -> Events:
    with psycopg.connect(database.conninfo()) as connection:
        rows = connection.execute(
            "SELECT stream, customer_id, type, occurred_at, data, metadata FROM events"
            " ORDER BY position"
        ).fetchall()
    names = ("stream", "customer_id", "type", "occurred_at", "data", "metadata")
    return [dict(zip(names, row, strict=True)) for row in rows]


def until(outcome: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not outcome():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def csv_of(rows: int) -> bytes:
    """Rows of a hundred customers; each third row is equal to the one before it."""
    lines = [
        f"user-{number % 100},Seen,2024-03-13 10:{number // 60 % 60:02}:{number % 60:02},{number}\n"
        for number in (n - (n % 3 == 2) for n in range(rows))
    ]
    return b"user,event,at,number\n" + "".join(lines).encode()


def numbers(events: Events) -> Counter[str]:
    return Counter(event["data"]["number"] for event in events)


@on_one_server
def test_every_row_is_an_event_in_the_order_of_the_file_and_a_repeat_adds_nothing(
    database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "events.csv"
    file.write_bytes(csv_of(3_456))
    status, said, complaints = run(database, str(file), *COLUMNS)
    assert (status, complaints) == (0, "")
    assert said.startswith("3,456 rows: 3,456 recorded, 0 recorded before, 0 rejected")
    events = log_of(database)
    expected = [n - (n % 3 == 2) for n in range(3_456)]
    assert [int(event["data"]["number"]) for event in events] == expected
    assert {event["metadata"]["source"] for event in events} == {"import"}
    assert len({event["metadata"]["correlation_id"] for event in events}) == 1

    status, said, _ = run(database, "-", *COLUMNS, stdin=gzip.compress(csv_of(3_456)))
    assert status == 0
    assert said.startswith("3,456 rows: 0 recorded, 3,456 recorded before, 0 rejected")
    assert len(log_of(database)) == 3_456


@on_one_server
def test_a_file_that_has_grown_adds_what_is_new(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "events.csv"
    file.write_bytes(csv_of(1_500))
    run(database, str(file), *COLUMNS)
    file.write_bytes(csv_of(1_600))
    _, said, _ = run(database, str(file), *COLUMNS)
    assert said.startswith("1,600 rows: 100 recorded, 1,500 recorded before, 0 rejected")


@on_one_server
def test_killed_in_the_middle_and_repeated_it_ends_right(
    database: Database, tmp_path: Path
) -> None:
    content = csv_of(8_000)
    process = start(database, "-", *COLUMNS)
    assert process.stdin
    process.stdin.write(content[: len(content) // 2])
    process.stdin.flush()
    until(lambda: len(log_of(database)) >= 1_000)
    process.kill()
    process.communicate()

    file = tmp_path / "events.csv"
    file.write_bytes(content)
    status, said, _ = run(database, str(file), *COLUMNS)
    assert status == 0
    assert said.startswith("8,000 rows: "), said
    assert ", 0 rejected" in said
    assert numbers(log_of(database)) == Counter(str(n - (n % 3 == 2)) for n in range(8_000))


@on_one_server
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_what_a_silent_pipe_has_said_is_recorded_and_it_can_be_asked_to_stop(
    database: Database, signum: signal.Signals
) -> None:
    process = start(database, "-", *COLUMNS)
    assert process.stdin
    process.stdin.write(csv_of(2_500) + b"half a row")
    process.stdin.flush()
    until(lambda: len(log_of(database)) == 2_500)
    process.send_signal(signum)
    assert process.wait(DEADLINE_S) == 128 + signum
    out, _ = process.communicate()
    assert out.decode().startswith("2,500 rows: 2,500 recorded")
    assert len(log_of(database)) == 2_500


@on_one_server
def test_bad_lines_are_told_of_by_number_and_stop_nothing(database: Database) -> None:
    lines = [
        '{"user":"ann","event":"Seen","at":1710325274,"n":1}',
        '{"user":"ann","event":"Seen"',
        '{"user":"a/b","event":"Seen","at":1710325274}',
        '{"user":"ann","event":"Seen","at":"soon"}',
        '{"user":"ann","event":"Seen","at":1710325275,"n":2}',
    ]
    status, said, complaints = run(
        database, "-", *COLUMNS, stdin="\n".join([*lines, *["[]"] * 50]).encode()
    )
    assert status == 1
    assert said.startswith("55 rows: 2 recorded, 0 recorded before, 53 rejected")
    told = complaints.splitlines()
    assert told[0] == "line 2: the JSON ends before it is complete"
    assert told[1].startswith("line 3: column 'user': an id is printable")
    assert told[2].startswith("line 4: column 'at': 'soon' is no time")
    assert len(told) == 21
    assert told[-1] == "further bad lines are counted, not shown"
    assert [event["data"] for event in log_of(database)] == [{"n": 1}, {"n": 2}]


@on_one_server
def test_with_ids_a_row_is_recorded_once_and_another_under_its_id_is_told_of(
    database: Database,
) -> None:
    def rows(*sizes: int) -> bytes:
        return b"".join(
            json.dumps(
                {"id": number, "user": "ann", "event": "Ordered", "at": 1710325274, "size": size}
            ).encode()
            + b"\n"
            for number, size in enumerate(sizes)
        )

    columns = [*COLUMNS, "--id", "id"]
    status, said, _ = run(database, "-", *columns, stdin=rows(1, 2, 3) + rows(1))
    assert (status, said[:55]) == (0, "4 rows: 3 recorded, 1 recorded before, 0 rejected, in 0")
    status, said, complaints = run(database, "-", *columns, stdin=rows(1, 7, 3, 4))
    assert (status, said[:49]) == (1, "4 rows: 1 recorded, 2 recorded before, 1 rejected")
    assert complaints == "line 2: another event was recorded under its id\n"
    assert [event["data"]["size"] for event in log_of(database)] == [1, 2, 3, 4]


@on_one_server
def test_read_in_another_zone_rows_are_not_recorded_again(database: Database) -> None:
    status, _, _ = run(database, "-", *COLUMNS, "--timezone", "Europe/Berlin", stdin=csv_of(10))
    assert status == 0
    assert {event["occurred_at"].hour for event in log_of(database)} == {9}
    status, _, complaints = run(database, "-", *COLUMNS, stdin=csv_of(10))
    assert status == 1
    assert complaints.startswith("line 2: the row was recorded before, read by other options\n")
    assert len(log_of(database)) == 10


@on_one_server
def test_a_value_that_the_store_refuses_hurts_no_other_row(database: Database) -> None:
    digits = "1" + "0" * 307
    many = "," + ",".join(f'"n{number}":{digits}' for number in range(3))
    lines = [
        f'{{"user":"ann","event":"Seen","at":1710325274,"n":{number}{more}}}'
        for number, more in enumerate(["", many, ""])
    ]
    status, said, _ = run(database, "-", *COLUMNS, stdin="\n".join(lines).encode())
    assert status == 0, said
    assert [event["data"]["n"] for event in log_of(database)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("arguments", "stdin", "complaint"),
    [
        (["none.csv", *COLUMNS], b"", "File 'none.csv' does not exist"),
        (["-", *COLUMNS[2:]], b"", "Missing option '--customer'"),
        (["-", *COLUMNS], b"user,event\n", "--occurred-at: there is no column 'at'"),
        (["-", *COLUMNS, "--id", "id"], b"user,event,at\n", "--id: there is no column 'id'"),
        (["-", *COLUMNS], b"", "there is no header line"),
        (["-", *COLUMNS, "--timezone", "Mars/Olympus"], b"", "--timezone: there is no time zone"),
        (["-", *COLUMNS, "--source", "a/b"], b"", "--source: an id is printable"),
    ],
)
def test_what_cannot_be_tried_is_refused_in_one_line(
    tmp_path: Path, arguments: list[str], stdin: bytes, complaint: str
) -> None:
    nowhere = Database(f"postgresql:///nowhere?host={tmp_path}")
    status, said, complaints = run(nowhere, *arguments, stdin=stdin)
    assert (status, said) == (2, "")
    assert complaint in complaints
    assert len(complaints.splitlines()) == 1


def test_without_a_server_it_fails_in_one_line(tmp_path: Path) -> None:
    nowhere = Database(f"postgresql:///nowhere?host={tmp_path}")
    status, _, complaints = run(nowhere, "-", *COLUMNS, stdin=csv_of(1))
    assert status == 1
    assert complaints.startswith("tidings: ")
    assert len(complaints.splitlines()) == 1


@on_one_server
def test_a_compressed_file_that_breaks_off_is_imported_as_far_as_it_goes(
    database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "events.csv.gz"
    whole = gzip.compress(csv_of(60_000))
    file.write_bytes(whole[: len(whole) // 2])
    status, _, complaints = run(database, str(file), *COLUMNS)
    assert status == 1
    assert "events.csv.gz cannot be read to its end" in complaints
    assert 1_000 < len(log_of(database)) < 60_000


async def declared(database: Database, event_type: str, schema: object) -> None:
    async with opened_store(database, poll_interval=timedelta(seconds=5)) as store:
        executor = Executor(store, Codec(CATALOGUE))
        command = DeclareEventType(EventTypeDeclared(schema))
        step = Step(EVENT_TYPE, event_type, command, customer_id=None)
        await executor.execute(step, metadata=Metadata())


@on_one_server
def test_rows_that_do_not_fit_their_type_are_quarantined_once_and_in_order(
    database: Database, tmp_path: Path
) -> None:
    asyncio.run(declared(database, "Seen", {"properties": {"number": {"maxLength": 2}}}))
    file = tmp_path / "events.csv"
    lines = [f"ann,Seen,2024-03-13 10:21:14,{number}" for number in range(1_000)]
    file.write_text("\n".join(["user,event,at,number", *lines]), "utf-8")
    status, said, complaints = run(database, str(file), *COLUMNS)
    assert (status, complaints) == (0, "")
    sums = "1,000 rows: 100 recorded, 0 recorded before, 900 quarantined, 0 rejected"
    assert said.startswith(sums)
    again = run(database, str(file), *COLUMNS)[1]
    assert again.startswith(sums.replace("100 recorded, 0", "0 recorded, 100"))
    with psycopg.connect(database.conninfo()) as connection:
        kept = connection.execute("SELECT data ->> 'number' FROM quarantine ORDER BY number")
        assert [row[0] for row in kept] == [f"{number}" for number in range(100, 1_000)]
    assert len(log_of(database)) == 1 + 100
