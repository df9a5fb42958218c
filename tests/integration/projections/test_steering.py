"""`tidings projections` and its subcommands, on a real store."""

import asyncio
import json
import os
import pwd
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from app.cli import main
from app.eventstore.batch import ShardKey
from app.eventstore.checkpoints import positions_of
from app.eventstore.database import Database
from app.kernel.errors import InvalidInput
from projections.sharding import reshard
from projections.timeline import TIMELINE
from tests.integration.conftest import on_one_server
from tests.integration.projections.poison import a_poisoned_log, parked, unreadable
from tests.integration.projections.poison import positions_of as entries_of
from tests.integration.projections.stage import Stage, sent

pytestmark = [pytest.mark.anyio, on_one_server]

Run = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture
def projections(
    database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs `tidings projections …` on the store: the exit status, and all that it says."""
    monkeypatch.setenv("TIDINGS_DATABASE_URL", database.url)
    monkeypatch.setenv("TIDINGS_ACCEPT_DATA_LOSS", "true")

    def run(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()  # what projectors have said before
        with pytest.raises(SystemExit) as ended:
            main(["projections", *arguments])
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out + said.err

    async def run_beside(*arguments: str) -> tuple[int, str]:
        return await asyncio.to_thread(run, *arguments)

    return run_beside


async def an_unreadable_log(stage: Stage) -> None:
    """The timeline as it is fails at ann's second event and at ben's; positions 2 and 4.

    What is asked for on the command line is an event as well, and stands behind them or before.
    """
    await stage.record(sent("ann"), unreadable("ann"), sent("ben"), unreadable("ben"), sent("ann"))
    async with stage.projecting(TIMELINE):
        await stage.caught_up("timeline_g1")


async def test_the_list_tells_of_shards_and_parked_keys(stage: Stage, projections: Run) -> None:
    await an_unreadable_log(stage)
    status, said = await projections()
    assert status == 0
    header, timeline, customers, *_ = said.strip().splitlines()
    assert header.split()[-4:] == ["shards", "parked", "last", "error"]
    assert timeline.split()[-2:] == ["1", "2"]
    assert "not built yet" in customers


async def test_parked_keys_are_shown(stage: Stage, projections: Run) -> None:
    assert await projections("parked", "timeline") == (0, "Nothing is parked.\n")
    await an_unreadable_log(stage)
    status, said = await projections("parked", "timeline")
    assert status == 0
    header, ann, ben = said.strip().splitlines()
    assert header.split() == ["key", "position", "since", "error"]
    assert ann.split()[:2] == ["ann", "2"]
    assert ben.split()[:2] == ["ben", "4"]
    assert '"[nobody]"' in ben
    assert await projections("parked", "customers") == (0, "Nothing is parked.\n")


async def test_what_can_be_applied_by_now_comes_back(stage: Stage, projections: Run) -> None:
    async with a_poisoned_log(stage, failing=(7, 8)):
        assert await projections("retry", "timeline", "ann") == (0, "timeline_g1 ann: applied\n")
        assert await projections("retry", "timeline") == (0, "timeline_g1 ben: applied\n")
        assert not await parked(stage)
        assert await entries_of(stage, "ann") == [1, 4, 7, 10, 13, 16, 19]
        assert await projections("retry", "timeline") == (0, "Nothing is parked.\n")


async def test_a_key_that_fails_again_is_told_of_and_the_others_tried(
    stage: Stage, projections: Run
) -> None:
    await an_unreadable_log(stage)
    status, said = await projections("retry", "timeline")
    assert status == 1
    assert [line.partition(" still parked: ")[0] for line in said.splitlines()] == [
        "timeline_g1 ann:",
        "timeline_g1 ben:",
    ]
    assert [key.key for key in await parked(stage)] == ["ann", "ben"]


async def test_an_event_is_skipped_and_what_comes_behind_it_applied(
    stage: Stage, projections: Run
) -> None:
    await an_unreadable_log(stage)
    assert await projections("skip", "timeline", "ann") == (0, "timeline_g1 ann: applied\n")
    assert await entries_of(stage, "ann") == [1, 5]
    assert [key.key for key in await parked(stage)] == ["ben"]


@pytest.mark.parametrize("subcommand", ["retry", "skip"])
async def test_a_key_that_is_not_parked_is_refused_in_one_line(
    stage: Stage, projections: Run, subcommand: str
) -> None:
    await stage.make_first()
    status, said = await projections(subcommand, "timeline", "[nobody]")
    assert (status, said) == (1, "tidings: timeline has not parked '[nobody]'\n")


async def test_work_is_shared_among_as_many_shards_as_are_asked_for(
    stage: Stage, projections: Run
) -> None:
    status, said = await projections("reshard", "timeline", "3")
    assert (status, said) == (1, "tidings: the read model timeline is being built\n")
    await an_unreadable_log(stage)
    status, said = await projections("reshard", "timeline", "3")
    assert (status, said) == (0, "timeline has 3 shards from position 6 on.\n")
    async with await stage.database.connect() as connection:
        assert list((await positions_of(connection, "timeline_g1")).values()) == [6, 6, 6]
    status, said = await projections("reshard", "timeline", "65")
    assert status == 2
    assert "65" in said


async def test_what_keeps_all_events_in_order_has_one_shard(stage: Stage) -> None:
    in_one_order = replace(TIMELINE, shard_key=ShardKey.NONE).generation(1)
    await stage.make_first()
    with pytest.raises(InvalidInput, match="timeline has one shard"):
        await reshard(stage.log, in_one_order, 2)
    assert await reshard(stage.log, in_one_order, 1) == 0


async def test_settings_may_stand_before_a_subcommand(
    stage: Stage, projections: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    await an_unreadable_log(stage)
    monkeypatch.delenv("TIDINGS_DATABASE_URL")
    url = stage.database.url
    for arguments in (
        ("--database-url", url, "parked", "timeline"),
        ("parked", "timeline", "--database-url", url),
        ("--database-url", "nonsense", "parked", "timeline", "--database-url", url),
    ):
        status, said = await projections(*arguments)
        assert status == 0, said
        assert "ann" in said


async def test_what_is_asked_for_is_recorded_with_who_asked(stage: Stage, projections: Run) -> None:
    await an_unreadable_log(stage)
    await projections("retry", "timeline")
    await projections("skip", "timeline", "ann")
    await projections("reshard", "timeline", "3")
    await projections("parked", "timeline")
    asked = await stage.store.read_stream("projection-timeline")
    assert [(event.type, json.loads(bytes(event.data))) for event in asked] == [
        ("projection.retry_requested", {"projection": "timeline", "key": None}),
        ("projection.skip_requested", {"projection": "timeline", "key": "ann"}),
        ("projection.reshard_requested", {"projection": "timeline", "shards": 3}),
    ]
    for event in asked:
        said = json.loads(bytes(event.metadata))
        assert said["actor"] == f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
        assert said["request_id"] == said["correlation_id"]
