"""The bare `alembic` command, as an operator runs it."""

import os
import subprocess
import sys
from pathlib import Path

from app.eventstore.database import Database

ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 60


def start_alembic(database: Database, *arguments: str) -> "subprocess.Popen[str]":
    """Start it in the checkout, with the store in its environment and nothing else of ours."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("TIDINGS_")}
    return subprocess.Popen(
        [sys.executable, "-m", "alembic", *arguments],
        cwd=ROOT,
        env=others
        | {
            "TIDINGS_DATABASE_URL": database.url,
            "TIDINGS_SCHEMA": database.schema,
            "TIDINGS_ACCEPT_DATA_LOSS": "true",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finished(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Its exit code, and all that it said."""
    said, _ = process.communicate(timeout=DEADLINE_SECONDS)
    return process.returncode, said


def run_alembic(database: Database, *arguments: str) -> tuple[int, str]:
    """Its exit code, and all that it said."""
    return finished(start_alembic(database, *arguments))
