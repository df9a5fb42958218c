"""Canaries: values that no text holds by chance, and the search for them in all that is stored."""

import random
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg import sql

from app.embedded import find_running
from app.embedded.binaries import find_binaries
from tests.fixtures.tidings_up import TidingsUp

LETTERS = "bcdfghjklmnpqrstvwxz"
"""Eight of these in a row are in no word."""
CANARY_LETTERS = 32
WINDOW_LETTERS = 8
"""PostgreSQL's compression (pglz) writes eight bytes that it has not met before as they are, then
one of its own. So of a canary in a compressed value, eight letters in a row are to be found.
"""
PHONE_DIGITS = 15

_LETTERS = re.compile(rb"[%s]{%d,}" % (LETTERS.encode(), WINDOW_LETTERS))
_DIGITS = re.compile(rb"[0-9]{%d,}" % PHONE_DIGITS)


def a_canary(chance: random.Random) -> str:
    """Another one each time."""
    return "".join(chance.choices(LETTERS, k=CANARY_LETTERS))


def a_phone(chance: random.Random) -> str:
    """A number with as many digits as there may be."""
    return "+" + str(chance.randrange(10 ** (PHONE_DIGITS - 1), 10**PHONE_DIGITS))


class Customer(NamedTuple):
    """Somebody whose every value is a canary; only the ids may be known."""

    id: str
    visitor: str
    name: str
    email: str
    phone: str
    nickname: str
    """Not sensitive when it is first sent."""

    @property
    def sealed(self) -> tuple[str, ...]:
        """What was sensitive from the beginning."""
        return self.name, self.email, self.phone


def customers(number: int, chance: random.Random) -> list[Customer]:
    """So many."""
    return [
        Customer(
            id=f"c-{n}",
            visitor=f"v-{n}",
            name=a_canary(chance),
            email=f"{a_canary(chance)}@example.org",
            phone=a_phone(chance),
            nickname=a_canary(chance),
        )
        for n in range(number)
    ]


class Search:
    """Looks for all of some canaries at once, in whatever case."""

    def __init__(self, canaries: Iterable[str]) -> None:
        self._parts: dict[bytes, str] = {}
        for canary in canaries:
            text = canary.removeprefix("+").partition("@")[0].encode()
            size = PHONE_DIGITS if text.isdigit() else WINDOW_LETTERS
            self._parts |= dict.fromkeys(_windows(text, size), canary)

    def __call__(self, data: bytes) -> set[str]:
        """Those of which there is a part."""
        found = set()
        text = data.lower()
        for pattern, size in ((_LETTERS, WINDOW_LETTERS), (_DIGITS, PHONE_DIGITS)):
            for run in pattern.finditer(text):
                for part in _windows(run[0], size):
                    if part in self._parts:
                        found.add(self._parts[part])
        return found


def _windows(text: bytes, size: int) -> Iterator[bytes]:
    return (text[start : start + size] for start in range(len(text) - size + 1))


class Store:
    """Everywhere that a `tidings up` on its embedded PostgreSQL leaves anything."""

    def __init__(self, up: TidingsUp) -> None:
        self._up = up
        dsn = find_running(up.data_dir)
        assert dsn
        self._dsn = dsn
        self.said: list[str] = []
        """By commands that ran beside it."""

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        """As the server's owner; what it answers, if it answers anything."""
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            connection.execute("SET search_path = tidings")
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def forget_the_past(self) -> None:
        """Do as docs/explanation/sensitive-fields.md says is to be done after a redaction."""
        self.execute("VACUUM (FULL, ANALYZE) events, quarantine, engagement_states")
        self.execute("VACUUM FULL pg_catalog.pg_statistic")
        self.execute("ALTER SYSTEM SET wal_recycle = off")
        self.execute("SELECT pg_reload_conf()")
        for _ in range(2):
            self.execute("SELECT pg_switch_wal()")
            self.execute("CHECKPOINT")

    def places(self) -> Iterator[tuple[str, bytes]]:
        """What is there, by the name of the place."""
        self.execute("CHECKPOINT")
        yield from self._dump()
        yield from self._rows()
        for path in self._up.data_dir.rglob("*"):
            if path.is_file():
                yield _place_of(path), path.read_bytes()
        yield "logs", self._up.log.read_bytes()
        yield "logs", "\n".join(self.said).encode()

    def found(self, search: Search) -> dict[str, set[str]]:
        """What the search finds, by place."""
        found: dict[str, set[str]] = {}
        for place, data in self.places():
            found[place] = found.get(place, set()) | search(data)
        return found

    def _dump(self) -> Iterator[tuple[str, bytes]]:
        program = Path(find_binaries().program("pg_dump"))
        if not program.exists():
            print(f"no dump was searched: there is no {program.name} in {program.parent}")
            return
        done = subprocess.run([program, self._dsn], capture_output=True, check=True, timeout=300)
        yield "dump", done.stdout

    def _rows(self) -> Iterator[tuple[str, bytes]]:
        """Of every table of every schema, those of the system and its statistics too."""
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            tables = connection.execute(
                "SELECT relnamespace::regnamespace::text, relname FROM pg_class"
                " WHERE relkind IN ('r', 'm')"
            ).fetchall()
            for name in tables:
                copy = sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(*name))
                with connection.cursor().copy(copy) as rows:
                    yield "rows", b"".join(rows)


def _place_of(path: Path) -> str:
    if path.name == "postgres.log":
        return "logs"
    return "wal" if "pg_wal" in path.parts else "files"
