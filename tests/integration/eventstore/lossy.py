"""A socket between a store and its server that can keep an answer for itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from app.eventstore.database import Database

CHUNK_BYTES = 65536


class LossySocket:
    """Passes everything on, until it is told to lose what the server says next."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._loses = asyncio.Event()
        self.lost = asyncio.Event()
        """Set when the server has answered, and nobody was told."""
        self._passing: set[asyncio.Task[None]] = set()

    def lose_the_next_answer(self) -> None:
        self.lost.clear()
        self._loses.set()

    def accept(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        self._passing.add(asyncio.ensure_future(self._pass_on(client, to_client)))

    async def close(self) -> None:
        for passing in self._passing:
            passing.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)

    async def _pass_on(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_unix_connection(self._server)
        sending = asyncio.create_task(self._copy(client, to_server, is_answer=False))
        answering = asyncio.create_task(self._copy(server, to_client, is_answer=True))
        try:
            await asyncio.wait([sending, answering], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, answering):
                task.cancel()
            await asyncio.gather(sending, answering, return_exceptions=True)
            for writer in (to_server, to_client):
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()

    async def _copy(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, is_answer: bool
    ) -> None:
        while chunk := await source.read(CHUNK_BYTES):
            if is_answer and self._loses.is_set():
                self._loses.clear()
                self.lost.set()
                return
            target.write(chunk)
            await target.drain()


@asynccontextmanager
async def lossy(database: Database) -> AsyncIterator[tuple[Database, LossySocket]]:
    """The same store, behind a socket of ours."""
    said = psycopg.conninfo.conninfo_to_dict(database.url)
    with TemporaryDirectory(prefix="lossy-") as folder:
        name = f".s.PGSQL.{said['port']}"
        between = LossySocket(f"{said['host']}/{name}")
        server = await asyncio.start_unix_server(between.accept, Path(folder) / name)
        try:
            url = psycopg.conninfo.make_conninfo(database.url, host=folder)
            yield replace(database, url=url), between
        finally:
            server.close()
            await between.close()
            await server.wait_closed()
