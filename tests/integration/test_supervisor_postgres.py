"""The embedded PostgreSQL under the supervisor."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from app.embedded import find_running
from app.embedded.binaries import find_binaries
from app.embedded.postmaster import postmaster_pid
from tests.integration.embedded_owner import eventually, postgres_processes

SUPERVISOR = """
import asyncio, pathlib, signal, sys
from app.embedded import own_cluster
from app.supervisor import ChildSpec, Supervisor
with own_cluster(pathlib.Path(sys.argv[1])) as cluster:
    postgres = ChildSpec(
        name="postgres",
        argv=cluster.command,
        output=cluster.log,
        stop_signal=signal.SIGINT,
        kill_signal=signal.SIGQUIT,
        before_start=cluster.make_way,
        is_ready=cluster.is_accepting,
    )
    sys.exit(asyncio.run(Supervisor([[postgres]]).run()))
"""


@contextmanager
def supervised(data_dir: Path) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """A supervisor that keeps a PostgreSQL running, and its address."""
    command = [sys.executable, "-c", SUPERVISOR, str(data_dir)]
    with subprocess.Popen(command) as process:
        try:
            assert eventually(lambda: find_running(data_dir))
            yield process, find_running(data_dir) or ""
        finally:
            process.terminate()


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def remember(dsn: str) -> int:
    """Commits a row, and counts the rows; tries again while the server is away."""
    found: list[int] = []

    def commits() -> bool:
        try:
            with psycopg.connect(dsn) as connection:
                connection.execute("CREATE TABLE IF NOT EXISTS kept (row int)")
                connection.execute("INSERT INTO kept VALUES (1)")
                count = connection.execute("SELECT count(*) FROM kept").fetchone()
                assert count is not None
                found.append(count[0])
        except psycopg.OperationalError:
            return False
        return True

    assert eventually(commits)
    return found[0]


def end_postmaster(data_dir: Path, way: str) -> None:
    pid = postmaster_pid(data_dir / "postgres")
    assert pid is not None
    os.kill(pid, {"kill -9": signal.SIGKILL, "pg_ctl -m immediate": signal.SIGQUIT}[way])
    assert eventually(lambda: postmaster_pid(data_dir / "postgres") not in {pid, None})


def test_it_comes_back_each_time_it_is_ended(data_dir: Path) -> None:
    with supervised(data_dir) as (process, dsn):
        for times, way in enumerate(["kill -9", "pg_ctl -m immediate", "kill -9"], 1):
            assert remember(dsn) == times
            end_postmaster(data_dir, way)
        assert find_running(data_dir) == dsn
        assert remember(dsn) == 4
        process.terminate()
        assert process.wait() == 0
    assert not postgres_processes(data_dir)
    assert find_running(data_dir) is None
    control = subprocess.check_output(
        [find_binaries().program("pg_controldata"), data_dir / "postgres"], text=True
    )
    assert "shut down\n" in control


def test_killing_the_supervisor_leaves_no_postgres_and_loses_no_commit(data_dir: Path) -> None:
    with supervised(data_dir) as (process, dsn):
        assert remember(dsn) == 1
        process.kill()
        process.wait()
        assert eventually(lambda: not postgres_processes(data_dir))
        assert find_running(data_dir) is None
    with supervised(data_dir) as (_, dsn):
        assert remember(dsn) == 2
