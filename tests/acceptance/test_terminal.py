"""What commands show in a terminal, and Ctrl-C."""

import asyncio
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import aiohttp
import pytest

from tests.fixtures.api import Api, api_of
from tests.fixtures.tidings_up import TidingsUp, environment, processes_of, tidings, until

pytestmark = pytest.mark.anyio

CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
CTRL_C = b"\x03"
IN_A_TERMINAL = (
    sys.executable,
    "-c",
    "import os, sys; os.login_tty(os.dup(0)); os.execv(sys.argv[1], sys.argv[1:])",
)


class Terminal:
    """A terminal with a program in it."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        """Start the program."""
        self._keyboard, screen = os.openpty()
        self.process = subprocess.Popen(
            [*IN_A_TERMINAL, *command], stdin=screen, stdout=screen, stderr=screen, env=environment
        )
        os.close(screen)
        self._shown = b""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        with suppress(OSError):  # how a terminal ends on Linux
            while part := os.read(self._keyboard, 4096):
                self._shown += part

    @property
    def shown(self) -> str:
        """Everything so far."""
        return self._shown.decode(errors="replace")

    def press(self, keys: bytes) -> None:
        """As on its keyboard."""
        os.write(self._keyboard, keys)

    def close(self) -> None:
        """End the program in any case."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        os.close(self._keyboard)


@contextmanager
def terminal(command: list[str], environment: dict[str, str]) -> Iterator[Terminal]:
    """A terminal in which that is started."""
    opened = Terminal(command, environment | {"TERM": "xterm", "COLUMNS": "200"})
    try:
        yield opened
    finally:
        opened.close()


async def test_a_rebuild_shows_its_rate_its_share_and_the_time_left(
    tidings_up: TidingsUp, api: Api
) -> None:
    events = [{"type": "Seen", "customer_id": "shown", "data": {}}] * 400
    head = (await api.record(*events))[-1]["position"]
    command = tidings("rebuild", "visits", "--jobs", "1", "--throttle", str(head // 4))
    with terminal(command, environment(data_dir=tidings_up.data_dir)) as opened:
        assert await asyncio.to_thread(opened.process.wait, 60) == 0, opened.shown
        shown = CONTROLS.sub("", opened.shown)
    assert re.search(r"loading .* (50|75)% .*/[0-9]+ +[0-9,]+ events/s 0:00:0[0-9]", shown), shown
    assert "Queries of visits read generation" in shown


async def test_ctrl_c_stops_it_in_order_and_loses_nothing(tmp_path: Path) -> None:
    up = TidingsUp(tmp_path, "--workers", "2")
    with terminal(up.command, up.environment) as shown:
        until(lambda: "Tidings is up" in shown.shown, "the greeting")
        up.accept_the_tests_key()
        async with api_of(up.url, timeout_seconds=10) as api:
            senders = [asyncio.create_task(send_while_it_answers(api, n)) for n in range(4)]
            follower = asyncio.create_task(api.get("/v1/customers/ann/timeline/live"))
            await asyncio.sleep(1)
            shown.press(CTRL_C)
            acknowledged = {key: at for sent in await asyncio.gather(*senders) for key, at in sent}
            assert (await follower).status == 200  # it ends, but is not cut off
        # Each child ended when it was asked to, within the 10 seconds that it has.
        assert await asyncio.to_thread(shown.process.wait, 60) == 0, shown.shown
        assert not processes_of(tmp_path)
        assert "Traceback" not in shown.shown
        assert '"event":' not in shown.shown  # readable, no JSON lines
    assert acknowledged
    up.start()
    try:
        async with api_of(up.url) as api:
            log = await api.log()
        seen = [event for event in log if event["type"] == "Seen"]
        recorded = {event["data"]["id"]: event["position"] for event in seen}
        assert acknowledged.items() <= recorded.items()
        assert len(recorded) == len(seen)
        assert "The store is empty" not in up.output()
    finally:
        up.close()


async def send_while_it_answers(api: Api, sender: int) -> list[tuple[str, int]]:
    """Send events one after the other; the id and the position of each that was acknowledged."""
    acknowledged: list[tuple[str, int]] = []
    for number in range(100_000):
        key = f"{sender}-{number}"
        event = {"id": key, "type": "Seen", "customer_id": "ann", "data": {"id": key}}
        try:
            answer = await api.post("/v1/events", event)
        except (aiohttp.ClientError, OSError):
            break
        if answer.status != 201:
            assert answer.status == 503, answer
            break
        acknowledged.append((key, answer.json()["position"]))
    return acknowledged
