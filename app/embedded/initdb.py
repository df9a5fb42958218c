"""Makes a new cluster: beside its place, then renamed, so that a kill leaves nothing half-made."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from app.embedded.account import Account
from app.embedded.binaries import Binaries
from app.embedded.complaint import complaint
from app.embedded.errors import StartFailed
from app.tether import tethered

UNFINISHED_PREFIX = "postgres.new-"
LIMIT_SECONDS = 300


def make_cluster(place: Path, binaries: Binaries, account: Account) -> None:
    """A cluster at `place` with an empty database `tidings`, and nothing left of earlier tries.

    Only for who holds the data directory's lock.

    Raises:
        StartFailed: initdb or PostgreSQL failed.
    """
    for leftover in place.parent.glob(f"{UNFINISHED_PREFIX}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    unfinished = Path(tempfile.mkdtemp(prefix=UNFINISHED_PREFIX, dir=place.parent))
    account.own(unfinished)
    try:
        _run(account.command(*_initdb(binaries, unfinished)))
        _run(account.command(*_single_user(binaries, unfinished)), "CREATE DATABASE tidings\n")
    except StartFailed:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    unfinished.rename(place)
    _sync_folder(place.parent)


def _initdb(binaries: Binaries, folder: Path) -> list[str]:
    return [
        binaries.program("initdb"),
        f"--pgdata={folder}",
        "--username=postgres",
        # Who may enter the socket's folder (0700) is this user or root, who could read the files.
        "--auth-local=trust",
        "--auth-host=reject",
        "--no-locale",
        "--encoding=UTF8",
        "--data-checksums",
        "--no-instructions",
    ]


def _single_user(binaries: Binaries, folder: Path) -> list[str]:
    """PostgreSQL without a server, which reads SQL from its input."""
    quiet = ["-c", "exit_on_error=on", "-c", "log_checkpoints=off"]
    return [binaries.program("postgres"), "--single", "-D", str(folder), *quiet, "postgres"]


def _run(command: list[str], text: str = "") -> None:
    try:
        subprocess.run(  # noqa: S603 - programs of our own choice
            tethered(command, signal.SIGKILL),
            input=text,
            capture_output=True,
            text=True,
            check=True,
            timeout=LIMIT_SECONDS,
            start_new_session=True,  # the terminal's Ctrl-C is its owner's business
        )
    except subprocess.CalledProcessError as error:
        said = complaint(error.stderr or error.stdout)
        raise StartFailed(f"no cluster could be made: {said}") from None
    except subprocess.TimeoutExpired:
        raise StartFailed(f"making a cluster took over {LIMIT_SECONDS} s") from None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
