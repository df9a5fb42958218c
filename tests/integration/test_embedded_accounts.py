"""The embedded PostgreSQL as an ordinary user, as root, and as root where user namespaces are
refused; killed with its owner each time.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from app.embedded import unprivileged
from tests.integration import embedded_owner
from tests.integration.embedded_owner import eventually, postgres_processes

NOBODY = 65534

AS_NOBODY = f"""
import os, sys
os.chdir("/")
os.setgroups([])
os.setgid({NOBODY})
os.setuid({NOBODY})
os.execv(sys.argv[1], sys.argv[1:])
"""

# As in most containers: root, but no further user namespace.
WITHOUT_NAMESPACES = """
import ctypes, os, sys
unshared_out, unshared_in = os.pipe()
if os.fork() == 0:
    os.read(unshared_out, 1)
    for ids in ("uid_map", "gid_map"):
        with open(f"/proc/{os.getppid()}/{ids}", "w") as file:
            file.write("0 0 65536")
    os._exit(0)
if ctypes.CDLL(None).unshare(0x10000000):
    sys.exit("refused")
os.write(unshared_in, b"x")
os.wait()
with open("/proc/sys/user/max_user_namespaces", "w") as file:
    file.write("0")
os.execv(sys.argv[1], sys.argv[1:])
"""


@dataclass(frozen=True)
class Account:
    """How a process of the account is started, and where it keeps its data."""

    prefix: tuple[str, ...]
    data_dir: Path


WAYS = {
    "whoever tests": (),
    "nobody": (sys.executable, "-c", AS_NOBODY),
    # An ordinary user, too, who reaches what is closed to nobody, such as a checkout in /root.
    "ordinary user": (sys.executable, unprivileged.__file__, "namespace"),
    "root without namespaces": (sys.executable, "-c", WITHOUT_NAMESPACES),
}


@pytest.fixture(params=WAYS)
def account(request: pytest.FixtureRequest) -> Iterator[Account]:
    prefix = WAYS[request.param]
    if prefix:
        _skip_unless_it_works(prefix)
    parent = Path(tempfile.mkdtemp(prefix="tidings-test-", dir="/tmp"))
    data_dir = parent / "data"
    if request.param == "nobody":
        os.chown(parent, NOBODY, NOBODY)
    yield Account(prefix, data_dir)
    assert eventually(lambda: not postgres_processes(data_dir))
    shutil.rmtree(parent)


def _skip_unless_it_works(prefix: tuple[str, ...]) -> None:
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("only root on Linux can become others")
    probe = subprocess.run(
        [*prefix, sys.executable, "-c", "import app.embedded"], capture_output=True, check=False
    )
    if probe.returncode != 0:
        pytest.skip(f"another account cannot run here: {probe.stderr.decode().splitlines()[-1]}")


def test_killing_the_owner_leaves_no_postgres_and_loses_no_commit(account: Account) -> None:
    with embedded_owner.owner(account.data_dir, account.prefix) as owner:
        with psycopg.connect(owner.dsn) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        owner.kill()
    assert eventually(lambda: not postgres_processes(account.data_dir))
    with embedded_owner.owner(account.data_dir, account.prefix) as owner:
        with psycopg.connect(owner.dsn) as connection:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
        assert owner.stop() == 0
    assert not postgres_processes(account.data_dir)


def test_a_start_right_after_the_kill_waits_for_the_old_server(account: Account) -> None:
    with embedded_owner.owner(account.data_dir, account.prefix) as owner:
        first = owner.pid
        owner.kill()
    with embedded_owner.owner(account.data_dir, account.prefix) as owner:
        assert owner.pid != first
        assert first not in postgres_processes(account.data_dir)


def test_postgres_is_not_root_and_its_folders_are_private(account: Account) -> None:
    with embedded_owner.owner(account.data_dir, account.prefix) as owner:
        socket_dir = Path(str(conninfo_to_dict(owner.dsn)["host"]))
        for folder in (account.data_dir, account.data_dir / "postgres", socket_dir):
            assert folder.stat().st_mode & 0o777 == 0o700
        if sys.platform == "linux":
            status = Path(f"/proc/{owner.pid}/status").read_text()
            capabilities = re.search(r"^CapEff:\s*([0-9a-f]+)$", status, re.MULTILINE)
            assert capabilities is not None
            assert int(capabilities[1], 16) in {0, 1 << unprivileged.CAP_DAC_OVERRIDE}


def test_a_cluster_moves_between_the_ways_of_being_root(tmp_path: Path) -> None:
    without_namespaces = WAYS["root without namespaces"]
    _skip_unless_it_works(without_namespaces)
    for prefix, uid in (((), 0), (without_namespaces, NOBODY), ((), 0)):
        with embedded_owner.owner(tmp_path, prefix) as owner:
            with psycopg.connect(owner.dsn) as connection:
                connection.execute("CREATE TABLE IF NOT EXISTS t (i int)")
            files = {path.stat().st_uid for path in (tmp_path / "postgres").rglob("*")}
            assert files == {uid}
