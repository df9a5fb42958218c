"""The embedded PostgreSQL within one process's life."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import sqlalchemy
from psycopg.conninfo import conninfo_to_dict

from app.embedded import (
    AlreadyRunning,
    BinariesNotFound,
    EmbeddedError,
    EmbeddedPostgres,
    StartFailed,
    find_running,
)
from app.embedded.binaries import find_binaries
from app.embedded.cluster import LOG_LIMIT_MIB
from app.embedded.layout import Layout
from tests.integration import embedded_owner
from tests.integration.embedded_owner import eventually, postgres_processes

SETTING = "SELECT current_setting(%s)"


@pytest.fixture(scope="module", params=[18, 16])
def major(request: pytest.FixtureRequest) -> int:
    assert isinstance(request.param, int)
    return request.param


@pytest.fixture(scope="module")
def data_dir(major: int, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all tests of a version: each finds a cluster that was stopped."""
    data_dir = tmp_path_factory.mktemp(f"postgres{major}") / "data"
    with EmbeddedPostgres(data_dir, major=major):
        return data_dir


@pytest.fixture
def postgres(data_dir: Path, major: int) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(data_dir, major=major) as postgres:
        yield postgres


def committed(dsn: str) -> int:
    """Commits a row, and counts the rows."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (row int)")
        connection.execute("INSERT INTO kept VALUES (1)")
        found = connection.execute("SELECT count(*) FROM kept").fetchone()
        assert found is not None
        return int(found[0])


def test_the_wheel_s_version_that_is_asked_for_runs(postgres: EmbeddedPostgres, major: int) -> None:
    with psycopg.connect(postgres.dsn) as connection:
        assert connection.info.server_version // 10000 == major


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("data_checksums", "on"),
        ("listen_addresses", ""),
        ("server_encoding", "UTF8"),
        ("lc_messages", "C"),
        ("timezone", "UTC"),
        ("wal_level", "replica"),
    ],
)
def test_it_is_durable_private_and_the_same_everywhere(
    postgres: EmbeddedPostgres, setting: str, value: str
) -> None:
    with psycopg.connect(postgres.dsn) as connection:
        assert connection.execute(SETTING, [setting]).fetchone() == (value,)


def test_its_address_suits_sqlalchemy_and_ignores_the_environment(
    postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "1")
    url = sqlalchemy.make_url(postgres.dsn).set(drivername="postgresql+psycopg")
    engine = sqlalchemy.create_engine(url)
    with engine.connect() as connection:
        found = connection.execute(sqlalchemy.text("SELECT current_database(), current_user"))
        assert found.one() == ("tidings", "postgres")
    engine.dispose()


def test_a_restart_finds_what_was_committed(data_dir: Path, major: int) -> None:
    with EmbeddedPostgres(data_dir, major=major) as postgres:
        before = committed(postgres.dsn)
    with EmbeddedPostgres(data_dir, major=major) as postgres:
        assert committed(postgres.dsn) == before + 1


def test_stopping_leaves_no_process_and_no_socket(data_dir: Path, major: int) -> None:
    with EmbeddedPostgres(data_dir, major=major) as postgres:
        socket_dir = Path(str(conninfo_to_dict(postgres.dsn)["host"]))
        assert socket_dir.is_dir()
    assert postgres_processes(data_dir) == []
    assert not socket_dir.exists()
    assert postgres.pid is None
    with pytest.raises(EmbeddedError, match="not been started"):
        _ = postgres.dsn


def test_a_second_owner_is_refused_in_one_line(postgres: EmbeddedPostgres, data_dir: Path) -> None:
    with pytest.raises(AlreadyRunning, match=rf"on {data_dir} \(process {os.getpid()}\)$"):
        EmbeddedPostgres(data_dir).start()
    with embedded_owner.popen(data_dir) as process:
        refusal = process.communicate()[1]
    assert process.returncode == 1
    assert refusal.splitlines() == [
        f"Tidings is already running on {data_dir} (process {os.getpid()})"
    ]
    assert committed(postgres.dsn)


def test_it_is_found_while_it_runs(data_dir: Path, major: int) -> None:
    look = (
        "import sys, pathlib, app.embedded as e; print(e.find_running(pathlib.Path(sys.argv[1])))"
    )
    command = [sys.executable, "-c", look, str(data_dir)]
    with EmbeddedPostgres(data_dir, major=major) as postgres:
        assert subprocess.check_output(command, text=True).strip() == postgres.dsn
    assert find_running(data_dir) is None
    assert find_running(data_dir / "nothing" / "here") is None


def test_a_start_after_the_postmaster_was_killed_recovers(
    postgres: EmbeddedPostgres, data_dir: Path
) -> None:
    before, dsn, pid = committed(postgres.dsn), postgres.dsn, postgres.pid
    assert pid is not None
    os.kill(pid, 9)
    assert eventually(lambda: postgres.pid is None)
    postgres.start()
    assert postgres.dsn == dsn
    assert committed(dsn) == before + 1


def test_a_long_statement_of_a_killed_postmaster_does_not_hold_up_the_next(
    postgres: EmbeddedPostgres, data_dir: Path
) -> None:
    endless = "SELECT count(*) FROM generate_series(1, 1000000000000)"
    with ThreadPoolExecutor() as pool, psycopg.connect(postgres.dsn) as connection:
        lost = pool.submit(connection.execute, endless)
        active = (
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT count(*) FROM gen%'"
        )
        with psycopg.connect(postgres.dsn, autocommit=True) as watcher:
            assert eventually(lambda: watcher.execute(active).fetchone() == (1,))
        backend, pid = connection.info.backend_pid, postgres.pid
        assert pid is not None
        os.kill(pid, 9)
        assert eventually(lambda: postgres.pid is None)
        assert backend in postgres_processes(data_dir)
        postgres.start()
        assert backend not in postgres_processes(data_dir)
        assert isinstance(lost.exception(), psycopg.OperationalError)
    assert committed(postgres.dsn)


def test_a_process_id_that_somebody_else_has_now_does_not_prevent_a_start(
    data_dir: Path, major: int
) -> None:
    with embedded_owner.owner(data_dir) as owner:
        owner.kill()
    assert eventually(lambda: not postgres_processes(data_dir))
    pid_file = data_dir / "postgres" / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{data_dir}/postgres\n1\n5432\n\n\n0 0\nready\n")
    with EmbeddedPostgres(data_dir, major=major) as postgres:
        assert committed(postgres.dsn)


def test_a_cluster_is_run_by_the_version_that_made_it(data_dir: Path, major: int) -> None:
    with EmbeddedPostgres(data_dir) as postgres, psycopg.connect(postgres.dsn) as connection:
        assert connection.info.server_version // 10000 == major


def test_a_cluster_of_another_version_is_refused(data_dir: Path, major: int) -> None:
    other = find_binaries(34 - major)
    with pytest.raises(BinariesNotFound, match=f"no binaries of PostgreSQL {major} found in"):
        EmbeddedPostgres(data_dir, bin_dir=other.path).start()


def test_a_long_log_is_put_aside(data_dir: Path, major: int) -> None:
    log = data_dir / "postgres.log"
    log.write_bytes(b"\n" * ((LOG_LIMIT_MIB << 20) + 1))
    with EmbeddedPostgres(data_dir, major=major):
        assert log.stat().st_size < LOG_LIMIT_MIB << 20


def test_a_refusal_of_postgres_is_handed_on_in_one_line(data_dir: Path, major: int) -> None:
    settings = {"shared_buffers": "1"}
    with pytest.raises(StartFailed, match=r"^PostgreSQL does not start: .*shared_buffers.*$"):
        EmbeddedPostgres(data_dir, major=major, settings=settings).start()
    with EmbeddedPostgres(data_dir, major=major) as postgres:  # nothing holds on to the directory
        assert committed(postgres.dsn)


def test_settings_can_be_overruled(data_dir: Path, major: int) -> None:
    with (
        EmbeddedPostgres(data_dir, major=major, settings={"fsync": "off"}) as postgres,
        psycopg.connect(postgres.dsn) as connection,
    ):
        assert connection.execute(SETTING, ["fsync"]).fetchone() == ("off",)


def test_a_path_too_long_for_a_socket_is_no_hindrance(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / ("long" * 30) / "data") as postgres:
        assert committed(postgres.dsn) == 1


def test_a_kill_while_the_cluster_is_made_leaves_nothing_half_made(tmp_path: Path) -> None:
    with embedded_owner.popen(tmp_path) as process:
        assert eventually(lambda: list(tmp_path.glob("postgres.new-*/base")))
        process.kill()
    assert Layout(tmp_path).cluster_major() is None
    with EmbeddedPostgres(tmp_path) as postgres:
        assert committed(postgres.dsn) == 1
    assert not list(tmp_path.glob("postgres.new-*"))


def test_missing_binaries_are_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(BinariesNotFound, match=f"newer found in {tmp_path}$"):
        find_binaries(bin_dir=tmp_path)


def test_a_folder_that_cannot_be_used_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedError, match=r"cannot use .*file/data: Not a directory"):
        EmbeddedPostgres(tmp_path / "file" / "data").start()


def test_a_start_from_another_thread_is_refused(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        refused = pool.submit(EmbeddedPostgres(tmp_path / "data").start).exception()
    assert isinstance(refused, RuntimeError)
    assert threading.active_count() == 1
