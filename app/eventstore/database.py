"""Connections to a store: a server, a schema, and the checks that a server must pass."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib.resources import files
from time import monotonic
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests

from app.kernel.errors import StoreUnavailable, UnsafeServer, first_line

OLDEST_MAJOR_VERSION = 15
FETCH_FOR = timedelta(seconds=10)
FETCH_PAUSE_S = 0.05
ASK_AGAIN_AFTER_S = 1.0

T = TypeVar("T")

Connection = AsyncConnection[tuple[Any, ...]]
Values = Sequence[Any] | Mapping[str, Any]

# A dead peer is noticed within about half a minute, at both ends: whoever held a lock or a row
# when its network went away frees it then.
_KEEPALIVE = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}
_SERVER_SETTINGS = {
    "timezone": "UTC",
    "datestyle": "ISO",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "4",
    "tcp_user_timeout": "30000",
    "default_transaction_isolation": r"read\ committed",
    "standard_conforming_strings": "on",
    "client_encoding": "UTF8",
}
_NEVER_PREPARING = {"autocommit": True, "prepare_threshold": None}


@dataclass(frozen=True)
class Database:
    """Where a store is: a server and a schema. All SQL is unqualified and runs in that schema."""

    url: str
    schema: str = "tidings"
    accept_data_loss: bool = False
    called: str = "the event store"
    """What errors call the server."""

    def conninfo(
        self, settings: Mapping[str, str] | None = None, /, **parameters: str | int
    ) -> str:
        """The libpq connection string whose sessions run in the store's schema.

        Options that the URL has are kept; ours come behind them, and win. So do the settings.
        """
        settings = {"search_path": self.schema, **_SERVER_SETTINGS, **(settings or {})}
        given = conninfo_to_dict(self.url).get("options") or ""
        options = " ".join([str(given), *(f"-c {name}={to}" for name, to in settings.items())])
        defaults: dict[str, str | int] = {
            **_KEEPALIVE,
            "application_name": "tidings",
            "connect_timeout": 10,
            "options": options.strip(),
        }
        return make_conninfo(self.url, **{**defaults, **parameters})

    async def connect(self, **parameters: str | int) -> Connection:
        """A new autocommitting connection. Raises `StoreUnavailable`."""
        try:
            return await AsyncConnection.connect(self.conninfo(**parameters), autocommit=True)
        except psycopg.OperationalError as error:
            raise unavailable(error, self.called) from error

    def pool(
        self, *, max_size: int, settings: Mapping[str, str] | None = None, prepares: bool = True
    ) -> AsyncConnectionPool[Connection]:
        """A pool, still closed, of autocommitting connections; settings are of their sessions.

        `prepares`: statements that are run often are prepared, as psycopg does.
        """
        return AsyncConnectionPool(
            self.conninfo(settings),
            name=self.called,
            kwargs={"autocommit": True} if prepares else _NEVER_PREPARING,
            min_size=1,
            max_size=max_size,
            open=False,
            timeout=10,
            max_waiting=1000,
            # Its pauses between tries double. It gives up soon, and whoever asks next makes it try
            # anew, so that what comes back after an hour is not left alone for another.
            reconnect_timeout=1,
        )


def unavailable(error: psycopg.Error, called: str = Database.called) -> StoreUnavailable:
    """The error for callers, in one line."""
    return StoreUnavailable(f"{called} cannot be reached: {first_line(error)}")


async def check_server(connection: Connection, *, accept_data_loss: bool) -> None:
    """Refuse a server that is too old, or that could lose what it has acknowledged."""
    _refuse_old(connection.info)
    cursor = await connection.execute(_UNSAFE)
    _refuse_unsafe(await cursor.fetchall(), accept_data_loss=accept_data_loss)


def check_server_of(database: Database) -> None:
    """The same of a store's server, before anything is done there. Raises `StoreUnavailable`."""
    try:
        with psycopg.connect(database.conninfo()) as connection:
            _refuse_old(connection.info)
            off = connection.execute(_UNSAFE).fetchall()
    except psycopg.OperationalError as error:
        raise unavailable(error) from error
    _refuse_unsafe(off, accept_data_loss=database.accept_data_loss)


_UNSAFE = """
SELECT name FROM pg_settings WHERE setting = 'off'
    AND name IN ('fsync', 'full_page_writes', 'synchronous_commit') ORDER BY name
"""


def _refuse_old(info: psycopg.ConnectionInfo) -> None:
    if info.server_version // 10_000 < OLDEST_MAJOR_VERSION:
        raise UnsafeServer(
            f"PostgreSQL {OLDEST_MAJOR_VERSION} or newer is needed; this one is "
            f"{info.parameter_status('server_version')}"
        )


def _refuse_unsafe(off: Sequence[tuple[str, ...]], *, accept_data_loss: bool) -> None:
    if off and not accept_data_loss:
        raise UnsafeServer(
            f"the server has {', '.join(name for (name,) in off)} off and could lose acknowledged "
            "events; turn it on, or set TIDINGS_ACCEPT_DATA_LOSS=true"
        )


async def rows_of(
    connection: Connection, statement: LiteralString | bytes, values: Values
) -> list[tuple[Any, ...]]:
    """The rows that a statement answers."""
    return await (await connection.execute(statement, values)).fetchall()


async def fetch(
    pool: AsyncConnectionPool[Connection], statement: LiteralString | bytes, values: Values
) -> list[tuple[Any, ...]]:
    """The same on a connection of a pool: it is run, and fails, as the work of `borrowing`."""
    return await borrowing(pool, lambda connection: rows_of(connection, statement, values))


async def borrowing(
    pool: AsyncConnectionPool[Connection], work: Callable[[Connection], Awaitable[T]]
) -> T:
    """What the work answers on one connection, all of it; it must be work that may be done twice.

    A lost connection, as when the server restarts, is replaced and the work done again, for up to
    `FETCH_FOR`; so is work that a replica cancels, because it conflicts with what it replays.
    Raises `StoreUnavailable` after that, or when no connection has come free.
    """
    deadline = monotonic() + FETCH_FOR.total_seconds()
    while True:
        try:
            return await to_its_end(_borrow_once(pool, work))
        except psycopg.OperationalError as error:
            if isinstance(error, TooManyRequests) or monotonic() > deadline:
                raise _unread(error, pool.name) from error
        await asyncio.sleep(FETCH_PAUSE_S)


def _unread(error: psycopg.OperationalError, called: str) -> StoreUnavailable:
    if isinstance(error, PoolTimeout | TooManyRequests):
        return StoreUnavailable(f"no connection to {called} is free")
    return unavailable(error, called)


async def _borrow_once(
    pool: AsyncConnectionPool[Connection], work: Callable[[Connection], Awaitable[T]]
) -> T:
    # A pool that has given up connects again when it is asked: those who wait ask again and again.
    async with pool.connection(timeout=ASK_AGAIN_AFTER_S) as connection:
        return await work(connection)


async def to_its_end(work: Awaitable[T]) -> T:
    """What the work answers; it goes on when whoever awaits it is cancelled, who does not wait.

    For what borrows a connection for a moment. Cancelled while it waits for one, or gives it back,
    a pool may lose the connection for good; or, before Python 3.12, the cancellation itself, so
    that a task which was told to end goes on. Several may await one future. If it fails when
    nobody is left, that is nobody's failure, and not logged as one.
    """
    done = asyncio.ensure_future(work)
    done.add_done_callback(_seen)
    # Not `shield`: newer Pythons tell the loop of what fails once its awaiter is cancelled.
    await asyncio.wait((done,))
    return done.result()


def _seen(done: asyncio.Future[Any]) -> None:
    if not done.cancelled():
        done.exception()


@cache
def sql(package: str, name: str) -> LiteralString:
    """The text of ``sql/<name>.sql`` in a package: SQL stands in files, one object each."""
    return files(package).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


def function_definitions(package: str = "app.eventstore") -> list[LiteralString]:
    """The ``CREATE OR REPLACE`` texts of a package's ``sql`` folder, functions and procedures."""
    names = sorted(
        entry.name.removesuffix(".sql")
        for entry in files(package).joinpath("sql").iterdir()
        if entry.name.endswith(".sql")
    )
    texts = [sql(package, name) for name in names]
    return [text for text in texts if re.search(r"^CREATE OR REPLACE ", text, re.M)]
