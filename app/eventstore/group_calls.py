"""Calls of `append_group` over a connection of their own, at a third of a cursor's cost.

The group is one parameter, which the server neither scans as SQL nor logs when it refuses it. The
procedure commits by itself: a client that stalls anywhere, the end of its message included, holds
no lock.
"""

import asyncio
from collections.abc import Callable
from functools import partial

import msgspec
from psycopg import OperationalError
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from app.eventstore.database import Connection

CALL = b"CALL append_group($1, $2, $3)"
_PREPARED = b"append_group"
_DONE = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)

_versions = msgspec.json.Decoder(list[int])


class GroupAnswer(msgspec.Struct, frozen=True):
    """What the procedure answers."""

    first_position: int
    """0 when nothing was recorded."""
    versions: list[int]
    refusals: bytes | None
    """A JSON array; None when nothing was refused."""


class GroupCalls:
    """One call at a time, over a connection that is used for nothing else from now on.

    The connection's socket is watched for as long as it lives, for beginning and ending to watch it
    costs more than a call.
    """

    def __init__(self, connection: Connection) -> None:
        """Take an open, idle connection."""
        self._connection = connection
        self._pgconn = connection.pgconn
        self._socket = self._pgconn.socket
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[PGresult] | None = None
        self._result: PGresult | None = None
        self._is_watched = True
        self._loop.add_reader(self._socket, self._read)

    async def prepare(self) -> None:
        """Have the server parse the call once; before the first. Raises like `append`."""
        await self._asked(partial(self._pgconn.send_prepare, _PREPARED, CALL))

    async def append(self, request: bytes, *, seen: int, fresh: bool) -> GroupAnswer:
        """Send a group and wait for the answer, which comes after the commit.

        `seen` and `fresh` say what the store need not look up (see `append_events`).

        Raises `psycopg.Error`; after any other exception the connection is of no further use.
        """
        values = [request, b"%d" % seen, b"t" if fresh else b"f"]
        send = partial(self._pgconn.send_query_prepared, _PREPARED, values)
        result = await self._asked(send)
        versions = result.get_value(0, 1)
        return GroupAnswer(
            int(result.get_value(0, 0) or 0),
            _versions.decode(b"[%s]" % versions[1:-1]) if versions else [],
            result.get_value(0, 2),
        )

    async def _asked(self, send: Callable[[], None]) -> PGresult:
        answer: asyncio.Future[PGresult] = self._loop.create_future()
        self._answer, self._result = answer, None
        try:
            send()
            if self._pgconn.flush():
                self._loop.add_writer(self._socket, self._write)
        except OperationalError as error:
            self._lost(error)
        result = await answer  # not the attribute, which is None once the connection is lost
        if result.status not in _DONE:
            raise error_from_result(result)
        return result

    async def close(self) -> None:
        """Close the connection."""
        self._watch_no_more()
        await self._connection.close()

    def _write(self) -> None:
        """Send more of what the socket did not take at once."""
        try:
            if not self._pgconn.flush():
                self._loop.remove_writer(self._socket)
        except OperationalError as error:
            self._lost(error)

    def _read(self) -> None:
        """Take in what has come; answer the call when that is all of it."""
        try:
            self._pgconn.consume_input()
            while self._answer is not None and not self._pgconn.is_busy():
                result = self._pgconn.get_result()
                if result is not None:
                    self._result = result
                elif self._result is not None:
                    answer, self._answer = self._answer, None
                    if not answer.done():
                        answer.set_result(self._result)
                else:
                    break
        except OperationalError as error:
            self._lost(error)

    def _lost(self, error: OperationalError) -> None:
        self._watch_no_more()
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(error)

    def _watch_no_more(self) -> None:
        """At once when the connection is lost: its descriptor may soon be somebody else's."""
        if self._is_watched:
            self._is_watched = False
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
