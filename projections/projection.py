"""A projection: its tables, and one text, `apply.sql`, that says how events change them.

The text reads the relation `batch` (`app.eventstore.batch`) and names its tables by placeholder:
``{timeline}`` stands for that table of whichever set it runs on. Live batches, rebuilds, as-of
queries and tests run the same text. It is a pure function of the events and the rows so far: no
``now()``, no sequence, nothing random, no sum of floats. Its statements end with a semicolon at a
line's end.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Generic, Protocol, TypeVar

from sqlalchemy import Index, MetaData, Table
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import make_url
from sqlalchemy.schema import CreateIndex, CreateTable

from app.eventstore.batch import Claim, ShardKey, Span
from app.eventstore.database import Connection
from app.eventstore.tables import metadata as store_metadata

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)

_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_END_OF_STATEMENT = re.compile(r";[ \t]*(?:\n|\Z)")
_COMMENT = re.compile(r"^[ \t]*--.*\n?", re.MULTILINE)
DIALECT = make_url("postgresql+psycopg://").get_dialect()()
"""What SQLAlchemy's tables and queries are turned into text with."""


class Handler(Protocol[T_contra]):
    """Applies a batch in Python: like `apply.sql`, a pure function of the events and rows so far.

    It reads the relation `batch` and its tables in binary, never JSON that it does not need, and
    writes many rows by `COPY`.
    """

    async def __call__(self, connection: Connection, tables: T_contra) -> None:
        """Do so in the transaction that has claimed the batch, on the tables of one generation."""
        ...


@dataclass(frozen=True)
class Projection(Generic[T]):
    """A read model's definition. Give a new version to whatever changes its rows or tables."""

    name: str
    """Of up to 40 of a-z, 0-9 and _; its tables' names begin with it."""
    version: int
    shard_key: ShardKey
    make_tables: Callable[[MetaData, str], T]
    """Declares the tables, each named by its placeholder and the suffix.

    Primary keys are made with the tables, and indexes (unique ones too) after a rebuild's load.
    """
    apply: Callable[[], str] | None = None
    """Loads the text of `apply.sql`."""
    handler: Handler[T] | None = None
    """In its place, where no SQL can say it."""

    def shards(self, wanted: int) -> int:
        """How many shards its work can have, of so many."""
        return 1 if self.shard_key is ShardKey.NONE else wanted

    def generation(self, number: int) -> "Generation[T]":
        """One set of the tables."""
        return Generation(self, f"_g{number}", number)


@dataclass(frozen=True)
class TableSet(Generic[T]):
    """One set of a projection's tables, told from the others by the suffix of their names."""

    projection: Projection[T]
    suffix: str

    @property
    def tables(self) -> T:
        """The tables, for queries."""
        return self._declared[0]

    @cached_property
    def statements(self) -> tuple[str, ...]:
        """What applies a `batch` to this generation, in order."""
        names = {table.name.removesuffix(self.suffix): table.name for table in self._all_tables}

        def name(placeholder: re.Match[str]) -> str:
            return names[placeholder[1]]

        text = self.projection.apply() if self.projection.apply else ""
        text = _PLACEHOLDER.sub(name, _COMMENT.sub("", text))
        return tuple(part.strip() for part in _END_OF_STATEMENT.split(text) if part.strip())

    async def work(self, connection: Connection) -> None:
        """Apply `batch`, in the open transaction."""
        if self.projection.handler is not None:
            await self.projection.handler(connection, self.tables)
        for statement in self.statements:
            await connection.execute(statement, prepare=True)

    @property
    def all_tables(self) -> tuple[Table, ...]:
        """The tables, in the same order in every generation."""
        return tuple(self._all_tables)

    @property
    def table_names(self) -> tuple[str, ...]:
        """The names of all tables."""
        return tuple(table.name for table in self._all_tables)

    def create_tables(self, *, temporary: bool = False) -> list[str]:
        """The statements that make the tables, with primary keys alone.

        Temporary ones are the session's, and end with the transaction if it is rolled back.
        """
        tables = [str(CreateTable(table).compile(dialect=DIALECT)) for table in self._all_tables]
        if temporary:
            return [text.replace("CREATE TABLE", "CREATE TEMPORARY TABLE", 1) for text in tables]
        # Nobody looks for whole documents, and statistics of them take longer than all others.
        documents = [
            f"ALTER TABLE {table.name} ALTER COLUMN {column.name} SET STATISTICS 0"
            for table in self._all_tables
            for column in table.columns
            if isinstance(column.type, JSONB)
        ]
        return tables + documents

    def create_indexes(self) -> list[str]:
        """The statements that make the indexes which are still missing."""
        indexes: list[Index] = [
            index
            for table in self._all_tables
            for index in sorted(table.indexes, key=lambda index: str(index.name))
        ]
        return [
            str(CreateIndex(index, if_not_exists=True).compile(dialect=DIALECT))
            for index in indexes
        ]

    @property
    def _all_tables(self) -> list[Table]:
        return self._declared[1].sorted_tables

    @cached_property
    def _declared(self) -> tuple[T, MetaData]:
        metadata = MetaData(naming_convention=store_metadata.naming_convention)
        return self.projection.make_tables(metadata, self.suffix), metadata


@dataclass(frozen=True)
class Generation(TableSet[T]):
    """A set of tables that is kept up to date, numbered: ``timeline_g3``."""

    number: int

    @property
    def name(self) -> str:
        """Of the generation, which is also its consumer's."""
        return f"{self.projection.name}{self.suffix}"

    @property
    def key(self) -> ShardKey:
        """What the order of its events is kept by."""
        return self.projection.shard_key

    async def apply(
        self, claim: Claim, connection: Connection, *, max_events: int | None = None
    ) -> Span | None:
        """Claim the next batch, apply it, advance, commit; see `Claim.apply`."""
        if self.projection.handler is None:
            return await claim.apply(connection, self.statements, max_events=max_events)
        return await claim.run(connection, self.work, max_events=max_events)


def apply_sql(package: str) -> str:
    """The `apply.sql` beside a projection's code."""
    return files(package).joinpath("apply.sql").read_text(encoding="utf-8")
