"""A whole Tidings that is there for a moment: a child on a temporary folder, gone afterwards."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from app.cli.children import OURS
from app.embedded import find_running
from app.eventstore.database import Database
from app.kernel.errors import TidingsError
from app.running import database_of
from app.settings import PREFIX, read_settings
from app.tether import tethered

READY_WITHIN_S = 90.0
ENDED_WITHIN_S = 20.0
LOOK_EVERY_S = 0.05
TAIL_LINES = 10

_URL = re.compile(r"Tidings is up at (\S+),")
_KEY = re.compile(r"export TIDINGS_API_KEY=(\S+)")


class NotUp(TidingsError):
    """The throwaway Tidings did not come up."""


class Throwaway(NamedTuple):
    """How to reach it, all of it."""

    url: str
    key: str
    """An API key that may do everything."""
    database: Database


@contextmanager
def throwaway() -> Iterator[Throwaway]:
    """`tidings up` on an empty store, for the time of the block. Raises `NotUp`.

    It has no setting of ours, and ends with this process, however that ends.
    """
    with TemporaryDirectory(prefix="tidings-throwaway-") as folder:
        log = Path(folder, "up.log")
        others = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        ours = {
            f"{PREFIX}DATA_DIR": str(Path(folder, "data")),
            f"{PREFIX}LOG_LEVEL": "warning",
        }
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - our own program
                tethered([*OURS, "up", "--host", "127.0.0.1", "--port", "0"], signal.SIGTERM),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=others | ours,
                start_new_session=True,  # Ctrl-C reaches us alone, and we end it in order
            )
        try:
            url, key = _greeting(process, log)
            settings = read_settings(ours)
            yield Throwaway(url, key, database_of(settings, find_running(settings.data_dir) or ""))
        finally:
            _end(process)


def _greeting(process: "subprocess.Popen[bytes]", log: Path) -> tuple[str, str]:
    """What it says when it is up: where it is, and its first key."""
    deadline = time.monotonic() + READY_WITHIN_S
    while True:
        said = log.read_text(errors="replace")
        url, key = _URL.search(said), _KEY.search(said)
        if url and key:
            return url[1], key[1]
        if process.poll() is not None or time.monotonic() > deadline:
            tail = " / ".join(said.splitlines()[-TAIL_LINES:])
            raise NotUp(f"a throwaway `tidings up` did not come up: {tail}")
        time.sleep(LOOK_EVERY_S)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(ENDED_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
