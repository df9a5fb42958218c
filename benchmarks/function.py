"""The append function at several group sizes, against the bare insert of the same records."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter
from typing import LiteralString

import msgspec

from app.eventstore.database import Connection
from app.eventstore.groups import Waiting, encode_group
from app.eventstore.heads import Heads
from app.eventstore.port import Append, StreamAppend
from app.kernel.ids import stream_name
from benchmarks.bench import Bench
from benchmarks.report import Row, Section, compared
from benchmarks.rounds import side_by_side
from benchmarks.sample import Crowd

GROUP_EVENTS = (1, 50, 200)
TARGETS = {200: 0.7}
MAX_GROUPS = 500
"""Of a round: single events take their time, for each waits for the disk."""

_CALL = "CALL append_group(%s::jsonb, NULL, true)"
_BARE_INSERT = """
INSERT INTO events (
    position, event_id, stream, version, type, schema_version, customer_id, data, metadata,
    occurred_at, recorded_at
)
SELECT
    position, event_id, stream, version, type, schema_version, customer_id, data, metadata,
    occurred_at, clock_timestamp()
FROM jsonb_to_recordset(%s::jsonb) AS r (
    position bigint, event_id uuid, stream text, version integer, type text,
    schema_version smallint, customer_id text, data jsonb, metadata jsonb, occurred_at timestamptz
)
"""


async def measure(bench: Bench) -> Section:
    """One connection, one group after the other; both tables begin empty and grow alike."""
    return Section(
        "The append function, one connection",
        [await _compare(bench, group_events) for group_events in GROUP_EVENTS],
    )


async def _compare(bench: Bench, group_events: int) -> Row:
    database = bench.store(f"function_{group_events}")
    bare_database = bench.plain_table(f"bare_{group_events}", database)
    groups = min(bench.size.function_events // group_events, MAX_GROUPS)
    name = f"groups of {group_events}"
    against = "bare insert from jsonb_to_recordset"
    async with await database.connect() as connection, await bare_database.connect() as bare:
        rates = await side_by_side(
            {
                name: partial(
                    _rate, connection, _CALL, _Groups().of_function, groups, group_events
                ),
                against: partial(
                    _rate, bare, _BARE_INSERT, _Groups().of_bare_insert, groups, group_events
                ),
            },
            rounds=bench.size.rounds,
        )
    bench.drop(database, bare_database)
    return compared(rates, name, against, target=TARGETS.get(group_events))


class _Groups:
    """Makes requests, before the clock runs. What is known of a stream is what was sent to it."""

    def __init__(self) -> None:
        self._crowd = Crowd()
        self._versions: Counter[str] = Counter()
        self._heads = Heads()
        self._position = 0

    def of_function(self, group_events: int) -> str:
        """As the appender writes a group of appends of one event each."""
        group, streams, versions = [], [], []
        for customer_id in self._customers(group_events):
            stream = self._count(customer_id)
            streams.append(stream)
            versions.append(self._versions[stream])
            event = self._crowd.event(customer_id)
            waiting = Waiting(Append((StreamAppend(stream, (event,)),)), answer=None)
            waiting.encode()
            group.append(waiting)
        request = encode_group(group, self._heads)
        self._heads.note(streams, self._heads.position + 1, versions)
        return request.decode()

    def of_bare_insert(self, group_events: int) -> str:
        """The same records, with what the function finds out by itself."""
        records = []
        for customer_id in self._customers(group_events):
            stream = self._count(customer_id)
            self._position += 1
            places = {
                "position": self._position,
                "stream": stream,
                "version": self._versions[stream],
            }
            records.append(msgspec.structs.asdict(self._crowd.event(customer_id)) | places)
        return msgspec.json.encode(records).decode()

    def _customers(self, number: int) -> Sequence[str]:
        return [self._crowd.customer() for _ in range(number)]

    def _count(self, customer_id: str) -> str:
        stream = stream_name("activity", customer_id)
        self._versions[stream] += 1
        return stream


async def _rate(
    connection: Connection,
    statement: LiteralString,
    make_request: Callable[[int], str],
    groups: int,
    group_events: int,
) -> float:
    """Events a second; both statements are sent in the same way, prepared."""
    requests = [make_request(group_events) for _ in range(groups)]
    started = perf_counter()
    for request in requests:
        await connection.execute(statement, (request,), prepare=True)
    return groups * group_events / (perf_counter() - started)
