"""Data keys: made once however many ask, gone for good once destroyed, wrapped by epochs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.bootstrap.sealing import rewrap_data_keys
from app.bootstrap.store import command_store
from app.eventstore.database import Database, fetch
from app.kernel.event import Metadata
from app.master_key import read_master_keys
from app.security.ciphers.data_key import DataKey
from app.security.ciphers.data_keys import DataKeys
from app.security.ciphers.master_key import MasterKeys, WrongMasterKey, epoch_of
from app.security.ciphers.rewrap import alone, rewrap
from app.settings import Settings
from tests.integration.conftest import on_one_server

pytestmark = [pytest.mark.anyio, on_one_server]

OLD, NEW = b"o" * 32, b"n" * 32


@asynccontextmanager
async def opened(
    database: Database, *masters: bytes, count: int = 1
) -> AsyncIterator[list[DataKeys]]:
    """Key rings as so many processes have them."""
    async with database.pool(max_size=4) as pool:
        rings = [
            DataKeys(pool, MasterKeys(lambda: masters or (OLD,)), "tidings") for _ in range(count)
        ]
        for ring in rings:
            await ring.begin()
        yield rings


def opens(one: DataKey | None, other: DataKey | None) -> bool:
    assert one
    assert other
    return bytes(other.open("email", one.seal("email", b'"a@b.c"'))) == b'"a@b.c"'


async def test_however_many_ask_for_new_keys_at_once_all_get_the_same(database: Database) -> None:
    ids = [f"c{number}" for number in range(50)]
    async with opened(database, count=4) as rings:
        answers = await asyncio.gather(*(ring.of_all(ids) for ring in rings * 3))
        for customer_id in ids:
            assert all(opens(answers[0][customer_id], keys[customer_id]) for keys in answers[1:])


async def test_reading_makes_no_key(database: Database) -> None:
    async with opened(database) as [ring]:
        assert await ring.of(["ann"]) == {"ann": None}
        key = (await ring.of_all(["ann"]))["ann"]
        assert opens(key, (await ring.of(["ann"]))["ann"])


async def test_what_is_known_is_not_asked_for_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(database) as [ring]:
        await ring.of_all(["ann", "boris"])
        monkeypatch.setattr(ring, "_pool", None)  # any statement would fail
        assert all((await ring.of_all(["ann", "boris"])).values())


async def test_a_key_that_is_destroyed_is_gone_for_good(database: Database) -> None:
    async with opened(database, count=2) as [here, there]:
        sealed = (await here.of_all(["ann"]))["ann"]
        assert sealed
        await here.destroy("ann", "never-seen")
        assert await here.of_all(["ann", "never-seen"]) == {"ann": None, "never-seen": None}
        assert await there.of_all(["ann", "never-seen"]) == {"ann": None, "never-seen": None}
        await here.destroy("ann")


async def test_a_key_that_is_destroyed_elsewhere_is_forgotten_at_the_next_look(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(database, count=2) as [here, there]:
        await there.of_all(["ann", "boris"])
        await here.destroy("ann")
        monkeypatch.setattr("app.security.ciphers.data_keys.LOOKED_AFTER_S", 0.0)
        keys = await there.of(["ann", "boris"])
        assert keys["ann"] is None
        assert keys["boris"] is not None


async def test_a_process_with_another_master_key_is_refused(database: Database) -> None:
    async with opened(database) as [ring]:
        await ring.of_all(["ann"])
        with pytest.raises(WrongMasterKey):
            async with opened(database, NEW):
                pass


async def test_what_is_kept_in_memory_is_bounded(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.security.ciphers.data_keys.MAX_KEYS_IN_MEMORY", 3)
    monkeypatch.setattr("app.security.ciphers.data_keys.MAX_KEYS_A_STATEMENT", 4)
    async with opened(database) as [ring]:
        keys = await ring.of_all([f"c{number}" for number in range(10)])
        assert len(keys) == 10
        assert all(keys.values())
        assert len(ring._known) == 3


async def test_a_rewrap_leaves_every_living_key_usable_and_the_old_master_key_useless(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.security.ciphers.rewrap.KEYS_A_STATEMENT", 3)
    ids = [f"c{number}" for number in range(10)]
    async with opened(database) as [ring]:
        before = await ring.of_all(ids)
        await ring.destroy("c0")
        masters = MasterKeys(lambda: (OLD, NEW))
        assert await rewrap(ring._pool, masters, "tidings") == 9
        assert await rewrap(ring._pool, masters, "tidings") == 0
    async with opened(database, NEW) as [ring]:
        after = dict(await ring.of(ids))
        assert after.pop("c0") is None
        assert all(opens(before[customer_id], key) for customer_id, key in after.items())
    with pytest.raises(WrongMasterKey):
        async with opened(database, OLD):
            pass


async def test_a_process_that_runs_during_a_rewrap_makes_keys_under_the_new_epoch(
    database: Database,
) -> None:
    masters = [OLD]
    async with database.pool(max_size=4) as pool:
        running = DataKeys(pool, MasterKeys(lambda: masters), "tidings")
        await running.begin()
        await running.of_all(["ann"])
        masters.append(NEW)
        await rewrap(pool, MasterKeys(lambda: masters), "tidings")
        assert (await running.of_all(["boris"]))["boris"]
        rows = await fetch(pool, "SELECT DISTINCT epoch FROM data_keys", ())
        assert rows == [(epoch_of(NEW),)]


async def test_no_key_is_left_behind_by_a_rewrap_among_those_who_make_keys(
    database: Database,
) -> None:
    masters = [OLD]
    async with database.pool(max_size=6) as pool:
        rings = [DataKeys(pool, MasterKeys(lambda: masters), "tidings") for _ in range(4)]
        for ring in rings:
            await ring.begin()

        async def make(number: int) -> None:
            for turn in range(20):
                await rings[number].of_all([f"c{number}-{turn}", f"shared-{turn}"])

        async def move_on() -> None:
            await asyncio.sleep(0.02)
            masters.append(NEW)
            await rewrap(pool, MasterKeys(lambda: masters), "tidings")

        await asyncio.gather(*map(make, range(4)), move_on())
        rows = await fetch(pool, "SELECT epoch, count(*) FROM data_keys GROUP BY 1", ())
        assert rows == [(epoch_of(NEW), 100)]


async def test_of_two_rewraps_the_later_waits_and_the_log_tells_of_both(
    database: Database, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path, schema=database.schema)
    [first] = read_master_keys(settings)
    who = Metadata(correlation_id="c", actor="cli:ann", request_id="r")
    async with alone(database):
        later = asyncio.create_task(rewrap_data_keys(settings, database, who))
        await asyncio.wait({later}, timeout=0.5)
        assert not later.done()
        assert read_master_keys(settings) == [first]
    assert await later == 0
    assert await rewrap_data_keys(settings, database, who) == 0
    assert first not in read_master_keys(settings)
    async with command_store(database) as store:
        acts = await store.read_category("rewrap", limit=10)
    assert [act.type for act in acts] == 2 * ["tidings.rewrap_begun", "tidings.rewrapped"]
    assert all(b'"cli:ann"' in bytes(act.metadata) for act in acts)
