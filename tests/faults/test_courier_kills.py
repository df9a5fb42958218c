"""Couriers are killed at named points: what is sent is sent once, or said to be unknown."""

import asyncio
from collections import Counter
from itertools import count
from pathlib import Path

import pytest

from app.eventstore.database import Database
from tests.faults.killing import Killing, kill_again_and_again
from tests.faults.mortal import NEVER
from tests.faults.mortal_courier import POINTS
from tests.faults.processes import processes
from tests.faults.scale import on_one_server, rounds
from tests.fixtures.hooks import Receiver, receiver
from tests.fixtures.mail import Mailbox, mail_server
from tests.integration.delivery.office import Office, office_on

pytestmark = [pytest.mark.anyio, pytest.mark.faults, on_one_server]

COURIERS = Killing(
    module="mortal_courier",
    points=POINTS,
    kills=rounds(few=7, full=200),
    most_times_before=6,
    longest_life_s=5,
    seed=7,
)
PAUSE_S = 0.01
MAX_WAITING = 100
DEADLINE_S = 60


async def keep_busy(office: Office, until: asyncio.Event) -> list[str]:
    """Messages are requested by one channel and the other; their ids."""
    await office.register("ann", email="ann@example.com")
    ids: list[str] = []
    for number in count():
        if until.is_set():
            return ids
        channel = ("email", "webhook")[number % 2]
        ids.append(f"{channel}-{number}")
        await office.request(ids[-1], channel)
        await asyncio.sleep(PAUSE_S)
        if number % MAX_WAITING == 0:  # or the last courier, which lives, would inherit thousands
            while len(await unsettled(office)) > MAX_WAITING and not until.is_set():
                await asyncio.sleep(PAUSE_S)
    raise AssertionError


async def test_each_message_is_taken_once_or_unknown_and_never_under_two_ids(
    database: Database, tmp_path: Path
) -> None:
    async with office_on(database) as office, mail_server() as box, receiver() as hook:
        where = (str(box.port), hook.url)
        enough = asyncio.Event()
        busy = asyncio.create_task(keep_busy(office, enough))
        with processes(database, tmp_path) as started:
            await kill_again_and_again(started, COURIERS, *where)
            enough.set()
            ids = await busy
            started.start("mortal_courier", "survivor", NEVER, "1", *where)
            await until_quiet(office, ids)
        await check(office, ids, box, hook)


async def until_quiet(office: Office, ids: list[str]) -> None:
    """Wait until nothing waits or is being sent."""
    async with asyncio.timeout(DEADLINE_S):
        for message_id in ids:
            while await office.state(message_id) in {"waiting", "sending"}:
                await asyncio.sleep(0.05)
        while await unsettled(office):
            await asyncio.sleep(0.05)


async def unsettled(office: Office) -> list[str]:
    """Messages that wait, or are being sent."""
    return [each for each, state in (await office.kept()).items() if state != "unknown"]


async def check(office: Office, ids: list[str], box: Mailbox, hook: Receiver) -> None:
    states = {message_id: await office.state(message_id) for message_id in ids}
    assert set(states.values()) <= {"sent", "unknown"}
    unknown = {message_id for message_id, state in states.items() if state == "unknown"}
    assert await office.kept() == dict.fromkeys(unknown, "unknown")
    assert all(message_id.startswith("email-") for message_id in unknown)

    mails = Counter(mail["X-Tidings-Message-Id"] for mail in box.mails)
    assert set(mails.values()) == {1}, "nothing is sent again blindly"
    by_mail = {message_id for message_id in ids if message_id.startswith("email-")}
    assert by_mail - unknown <= mails.keys() <= by_mail

    hooks = {(webhook_id, data["data"]["message_id"]) for webhook_id, data in hook.got}
    by_hook = [message_id for message_id in ids if message_id.startswith("webhook-")]
    assert sorted(message_id for _, message_id in hooks) == sorted(by_hook)
    assert len({webhook_id for webhook_id, _ in hooks}) == len(by_hook)
