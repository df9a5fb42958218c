"""Processes that are started again when they die load nothing that they have no use for."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("command", "unused"),
    [
        ("up", ["litestar", "uvicorn", "liquid"]),
        ("projector", ["litestar", "uvicorn", "aiohttp", "liquid", "alembic"]),
        ("reactor", ["litestar", "uvicorn", "aiohttp", "liquid", "alembic"]),
        ("courier", ["litestar", "uvicorn", "alembic"]),
        ("rules", ["litestar", "uvicorn", "aiohttp", "alembic"]),
        ("import_events", ["litestar", "uvicorn", "aiohttp", "liquid", "alembic", "sqlalchemy"]),
    ],
)
def test_a_command_loads_no_more_than_it_uses(command: str, unused: list[str]) -> None:
    script = f"import sys, app.cli.{command}; print(*sorted(set({unused!r}) & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
