"""A projection: its tables, and one text, `apply.sql`, that says how events change them.

The text reads the relation `batch` (`app.eventstore.batch`) and names its tables by placeholder:
``{timeline}`` stands for that table of whichever generation it runs on. Live batches, rebuilds and
tests run the same text. It is a pure function of the events and the rows so far: no ``now()``, no
sequence, nothing random, no sum of floats. Its statements end with a semicolon at a line's end.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from importlib.resources import files
from typing import Generic, TypeVar

from sqlalchemy import Index, MetaData, Table
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import make_url
from sqlalchemy.schema import CreateIndex, CreateTable

from app.eventstore.batch import Checkpoint
from app.eventstore.tables import metadata as store_metadata

T = TypeVar("T")

_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_END_OF_STATEMENT = re.compile(r";[ \t]*(?:\n|\Z)")
_COMMENT = re.compile(r"^[ \t]*--.*\n?", re.MULTILINE)
DIALECT = make_url("postgresql+psycopg://").get_dialect()()
"""What SQLAlchemy's tables and queries are turned into text with."""


class ShardKey(Enum):
    """What a projection's order is kept by: events of one key are applied in order."""

    CUSTOMER = "customer"
    STREAM = "stream"
    NONE = "none"


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
    apply: Callable[[], str]
    """Loads the text of `apply.sql`."""

    def generation(self, number: int) -> "Generation[T]":
        """One set of the tables."""
        return Generation(self, number)


@dataclass(frozen=True)
class Generation(Generic[T]):
    """One set of a projection's tables, numbered: ``timeline_g3``."""

    projection: Projection[T]
    number: int

    @property
    def name(self) -> str:
        """Of the generation, which is also its consumer's."""
        return f"{self.projection.name}{self._suffix}"

    @property
    def checkpoint(self) -> Checkpoint:
        """How far the generation's rows have come."""
        return Checkpoint(self.name)

    @property
    def tables(self) -> T:
        """The tables, for queries."""
        return self._declared[0]

    @cached_property
    def statements(self) -> tuple[str, ...]:
        """What applies a `batch` to this generation, in order."""
        names = {table.name.removesuffix(self._suffix): table.name for table in self._all_tables}

        def name(placeholder: re.Match[str]) -> str:
            return names[placeholder[1]]

        text = _PLACEHOLDER.sub(name, _COMMENT.sub("", self.projection.apply()))
        return tuple(part.strip() for part in _END_OF_STATEMENT.split(text) if part.strip())

    @property
    def table_names(self) -> tuple[str, ...]:
        """The names of all tables."""
        return tuple(table.name for table in self._all_tables)

    def create_tables(self) -> list[str]:
        """The statements that make the tables, with primary keys alone."""
        tables = [str(CreateTable(table).compile(dialect=DIALECT)) for table in self._all_tables]
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
    def _suffix(self) -> str:
        return f"_g{self.number}"

    @property
    def _all_tables(self) -> list[Table]:
        return self._declared[1].sorted_tables

    @cached_property
    def _declared(self) -> tuple[T, MetaData]:
        metadata = MetaData(naming_convention=store_metadata.naming_convention)
        return self.projection.make_tables(metadata, self._suffix), metadata


def apply_sql(package: str) -> str:
    """The `apply.sql` beside a projection's code."""
    return files(package).joinpath("apply.sql").read_text(encoding="utf-8")
