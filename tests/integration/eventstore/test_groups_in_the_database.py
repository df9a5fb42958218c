"""What `append_events` answers to a group, also to one that breaks the appender's rules."""

from typing import Any

import psycopg
import pytest

from app.eventstore.database import Database
from app.eventstore.port import NO_STREAM, Append, StreamAppend
from tests.controls.events import an_append, an_event, keyed_id
from tests.integration.eventstore.sessions import append_events, log_of, session

EXACT = an_append("order-1", expected_version=NO_STREAM)
ANY = an_append("order-1")

BROKEN = {
    "an_exact_append_behind_another": [ANY, EXACT],
    "two_exact_appends": [EXACT, an_append("order-1", expected_version=NO_STREAM)],
    "an_exact_part_of_several": [
        ANY,
        Append((StreamAppend("x", (an_event(),)), StreamAppend("order-1", (an_event(),), 0))),
    ],
    "an_id_twice": [
        an_append("order-1", an_event(event_id=keyed_id("a"))),
        an_append("order-2", an_event(event_id=keyed_id("a"))),
    ],
}


@pytest.mark.parametrize("group", BROKEN.values(), ids=BROKEN)
def test_a_group_that_breaks_a_rule_fails_whole(database: Database, group: list[Append]) -> None:
    with session(database) as connection:
        with pytest.raises(psycopg.IntegrityError) as refused:
            append_events(connection, an_append("order-9"), *group)
        assert (refused.value.sqlstate or "").startswith("23")
    assert log_of(database) == []


def test_an_exact_append_may_come_first(database: Database) -> None:
    with session(database) as connection:
        assert append_events(connection, EXACT, ANY) == (1, [1, 2], None)


def test_a_group_of_mixed_appends_answers_each(database: Database) -> None:
    again = an_append("order-3", an_event(event_id=keyed_id("a"), fingerprint="f"))
    with session(database) as connection:
        append_events(connection, again, an_append("order-4"))
        first_position, versions, refusals = append_events(
            connection,
            an_append("order-1", an_event(), an_event()),
            again,
            an_append("order-4", expected_version=7),
            an_append("order-3"),
            an_append("order-1"),
            Append(
                (
                    StreamAppend("order-5", (an_event(),), NO_STREAM),
                    StreamAppend("order-6", (an_event(),), 1),
                )
            ),
        )

    assert (first_position, versions) == (3, [1, 2, 2, 3])
    assert [place(refusal) for refusal in refusals] == [
        (1, 1, 1, "f"),
        (2, None, 1, None),
        (5, None, 0, None),
        (5, None, 0, None),
    ]
    assert [(position, stream, version) for position, stream, version, _ in log_of(database)] == [
        (1, "order-3", 1),
        (2, "order-4", 1),
        (3, "order-1", 1),
        (4, "order-1", 2),
        (5, "order-3", 2),
        (6, "order-1", 3),
    ]


def place(refusal: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(refusal.get(name) for name in ("append", "position", "version", "fingerprint"))


def test_a_group_in_which_all_is_refused_records_nothing(database: Database) -> None:
    with session(database) as connection:
        answer = append_events(connection, an_append("order-1", expected_version=1))
    assert answer[:2] == (None, None)
    assert len(answer[2]) == 1
    assert log_of(database) == []


def test_an_empty_group_records_nothing(database: Database) -> None:
    with session(database) as connection:
        assert append_events(connection) == (None, None, None)


def test_a_version_that_is_known_to_be_old_changes_nothing_in_the_outcome(
    database: Database,
) -> None:
    with session(database) as connection:
        append_events(connection, an_append("order-1", *(an_event() for _ in range(5))))
        for known in (1, 3, 5):
            record = (
                f'[{{"append":0,"nth":1,"event_id":"{keyed_id(str(known))}","stream":"order-1",'
                f'"known":{known},"type":"x","schema_version":1,"data":{{}},"metadata":{{}}}}]'
            )
            connection.execute("SELECT append_events(%s)", (record,))
    assert [version for _, _, version, _ in log_of(database)] == list(range(1, 9))


def test_a_head_is_believed_only_while_the_log_ends_where_it_was_seen(database: Database) -> None:
    def record(number: int, head: int) -> str:
        return (
            f'[{{"append":0,"nth":1,"event_id":"{keyed_id(str(number))}","stream":"order-1",'
            f'"head":{head},"type":"x","schema_version":1,"data":{{}},"metadata":{{}}}}]'
        )

    with session(database) as connection:
        append_events(connection, an_append("order-1", *(an_event() for _ in range(5))))
        for number, head, seen in ((1, 5, 5), (2, 3, 5)):
            connection.execute("SELECT append_events(%s, %s)", (record(number, head), seen))
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("SELECT append_events(%s, %s)", (record(3, 3), 7))
    assert [version for _, _, version, _ in log_of(database)] == list(range(1, 8))
