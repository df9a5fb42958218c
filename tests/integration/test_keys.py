"""`tidings keys` on a server that TIDINGS_DATABASE_URL names: no embedded one is started for it."""

import os
import pwd
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.eventstore.database import Database
from app.security.uses import StoredKeyUses
from tests.fixtures.tidings_up import environment, tidings
from tests.integration.conftest import on_one_server
from tests.integration.projections.stage import opened_stage

pytestmark = [pytest.mark.anyio, on_one_server]


async def test_keys_are_made_listed_rotated_and_revoked_there(
    database: Database, tmp_path: Path
) -> None:
    settings = environment(
        database_url=database.url,
        accept_data_loss=True,
        secret="s" * 32,
        data_dir=tmp_path / "none",
        environment="test",
    )

    def keys(*arguments: str) -> str:
        done = subprocess.run(
            tidings("keys", *arguments),
            env=settings | {"COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    first = keys("create", "shop", "--scope", "events:read", "--expires", "1h")
    second = keys("rotate", "shop")
    ids = [key.split("_")[2] for key in (first, second)]
    assert first.startswith("tdg_test_")
    assert keys("revoke", ids[0]) == f"Revoked {ids[0]}."
    _, *listed = keys("list").splitlines()
    assert [(ids[0] in one, "revoked" in one) for one in listed] == [(True, True), (False, False)]
    assert ids[1] in listed[1]
    assert not (tmp_path / "none").exists()
    async with opened_stage(database) as stage:
        acts = await stage.store.read_category("api-key", limit=10)
    assert sorted(act.type for act in acts) == [
        "api_key.created",
        "api_key.created",
        "api_key.revoked",
    ]
    actor = f'"actor": "cli:{pwd.getpwuid(os.getuid()).pw_name}"'
    assert all(actor in bytes(act.metadata).decode() for act in acts)


async def execute(database: Database, statement: str) -> None:
    async with await database.connect() as connection:
        await connection.execute(statement.encode())


async def test_uses_that_cannot_be_told_are_told_later_and_never_go_back(
    database: Database,
) -> None:
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    async with opened_stage(database) as stage:
        uses, others = StoredKeyUses(stage.store.pool), StoredKeyUses(stage.store.pool)
        uses.note("one", now)
        await execute(database, "ALTER TABLE api_key_uses RENAME TO away")
        await uses.tell()
        await execute(database, "ALTER TABLE away RENAME TO api_key_uses")
        uses.note("other", now)
        await uses.tell()
        assert await uses.all() == {"one": now, "other": now}
        others.note("one", now - timedelta(seconds=1))
        others.note("other", now + timedelta(seconds=1))
        await others.tell()
        assert await uses.all() == {"one": now, "other": now + timedelta(seconds=1)}
