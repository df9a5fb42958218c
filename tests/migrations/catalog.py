"""What PostgreSQL says a schema holds, in words that do not name the schema."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import text

import migrations
from app.eventstore.database import Database
from app.migrate import engine_of

_TABLES = """
SELECT c.relname, 'column', a.attnum || ' ' || a.attname
    || ' ' || format_type(a.atttypid, a.atttypmod)
    || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
    || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')
    || coalesce(' collate ' || l.collname, '') || a.attidentity::text || a.attgenerated::text
    || coalesce(' comment ' || col_description(c.oid, a.attnum), '')
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
LEFT JOIN pg_collation l ON l.oid = a.attcollation AND l.collname <> 'default'
WHERE c.relnamespace = %(schema)s::regnamespace AND c.relkind IN ('r', 'p')
UNION ALL
SELECT c.relname, 'constraint', o.conname || ' ' || pg_get_constraintdef(o.oid)
FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid
WHERE c.relnamespace = %(schema)s::regnamespace AND o.contype <> 'n'
UNION ALL
SELECT tablename, 'index', replace(indexdef, ' ' || schemaname || '.', ' ')
FROM pg_indexes WHERE schemaname = %(schema)s::text
"""

_FUNCTIONS = """
SELECT proname, replace(pg_get_functiondef(p.oid), %(schema)s || '.', '')
FROM pg_proc p WHERE p.pronamespace = %(schema)s::regnamespace
"""

_EVERYTHING = """
SELECT 'relation ' || relname FROM pg_class WHERE relnamespace = %(schema)s::regnamespace
UNION ALL
SELECT 'function ' || proname FROM pg_proc WHERE pronamespace = %(schema)s::regnamespace
UNION ALL
SELECT 'type ' || typname FROM pg_type WHERE typnamespace = %(schema)s::regnamespace
UNION ALL
SELECT 'trigger ' || tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE relnamespace = %(schema)s::regnamespace
"""


def tables_of(database: Database) -> set[tuple[Any, ...]]:
    """Every column, constraint and index of the schema's tables, but for alembic's own."""
    return {row for row in _rows(database, _TABLES) if row[0] != "alembic_version"}


def functions_of(database: Database) -> dict[str, str]:
    """Each function's full definition, by name."""
    return dict(_rows(database, _FUNCTIONS))


def everything_in(database: Database) -> set[str]:
    """The names of all that the schema holds."""
    return {row[0] for row in _rows(database, _EVERYTHING)}


def alembic(database: Database, run: Callable[..., object], *arguments: str) -> None:
    """Run an alembic command on the store, committed when it ends well."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    with engine_of(database).begin() as connection:
        config.attributes |= {"connection": connection, "schema": database.schema}
        run(config, *arguments)


def downgrade(database: Database) -> None:
    """Go down to where nothing was."""
    alembic(database, command.downgrade, "base")


def execute(database: Database, statement: str) -> list[Any]:
    """The rows of one statement in the store's schema."""
    with engine_of(database).begin() as connection:
        result = connection.execute(text(statement))
        return list(result) if result.returns_rows else []


def _rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database.conninfo()) as connection:
        return connection.execute(query.encode(), {"schema": database.schema}).fetchall()
