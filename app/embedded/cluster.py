"""A cluster and everything that running it takes, except the process: who starts it, `server.py` or
a supervisor, needs to know nothing else.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.embedded import postmaster
from app.embedded.account import Account, find_account
from app.embedded.binaries import Binaries, find_binaries
from app.embedded.initdb import make_cluster
from app.embedded.layout import Layout
from app.embedded.lock import owner_lock
from app.embedded.orphans import end_orphans
from app.embedded.record import ServerRecord, read_record, write_record
from app.embedded.server_settings import options
from app.embedded.socket_dir import make_socket_dir, remove_socket_dir

LOG_LIMIT_MIB = 16


@dataclass(frozen=True)
class Cluster:
    """A cluster that this process owns. End its server with SIGINT (clients are disconnected), or
    with SIGQUIT (at once; the next start recovers); SIGTERM would wait for clients to leave.
    """

    layout: Layout
    binaries: Binaries
    account: Account
    record: ServerRecord
    settings: Mapping[str, str]

    @property
    def dsn(self) -> str:
        """The database's libpq URI, the same for as long as this process owns the cluster."""
        return self.record.dsn

    @property
    def log(self) -> Path:
        """The file that the server's output belongs into."""
        return self.layout.log

    @property
    def command(self) -> list[str]:
        """The command line of the server, which stays in the foreground."""
        others = options(self.record.socket_dir, self.layout.cluster_name, self.settings)
        postgres = self.binaries.program("postgres")
        return self.account.command(postgres, "-D", str(self.layout.cluster), *others)

    def make_way(self) -> None:
        """Before each start: end what is left of the last one, and keep the log short.

        Raises:
            OrphansRemain: Processes of the last one cannot be ended.
        """
        end_orphans(self.layout.cluster, self.layout.cluster_name)
        # The process ids in them may be others' by now, which would keep PostgreSQL from starting.
        (self.layout.cluster / postmaster.FILE).unlink(missing_ok=True)
        Path(f"{self.record.socket}.lock").unlink(missing_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT_MIB << 20:
            self.log.replace(self.log.with_suffix(".log.1"))
        self.log.touch(mode=0o600)

    def is_accepting(self) -> bool:
        """Whether the server takes connections."""
        return postmaster.is_accepting(self.layout.cluster, self.record.socket)


@contextmanager
def own_cluster(
    data_dir: Path,
    *,
    major: int | None = None,
    bin_dir: Path | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Cluster]:
    """Own the cluster in `data_dir`, made when there is none, while the context lasts.

    Args:
        data_dir: Made when it does not exist.
        major: The version wanted of a new cluster; an old one is run by its own version.
        bin_dir: The PostgreSQL binaries to use, instead of the wheel's or the system's.
        settings: PostgreSQL settings that overrule ours.

    Raises:
        AlreadyRunning: Another process owns it.
        BinariesNotFound: No binaries fit the cluster or the wish.
        StartFailed: No cluster could be made.
    """
    layout = Layout(data_dir.resolve())
    with owner_lock(layout.lock):
        binaries = find_binaries(layout.cluster_major() or major, bin_dir)
        account = find_account()
        if layout.cluster_major() is None:
            make_cluster(layout.cluster, binaries, account)
        account.own(layout.cluster)
        with _socket_dir(layout, account) as record:
            yield Cluster(layout, binaries, account, record, settings or {})


@contextmanager
def _socket_dir(layout: Layout, account: Account) -> Iterator[ServerRecord]:
    """A folder for the socket, written down for others; a killed owner's folder is used again."""
    former = read_record(layout.record)
    folder = make_socket_dir(
        Path(former.socket_dir) if former else None, {os.geteuid(), account.uid}
    )
    account.own(folder)
    record = ServerRecord(os.getpid(), str(folder))
    write_record(layout.record, record)
    try:
        yield record
    finally:
        layout.record.unlink(missing_ok=True)
        remove_socket_dir(folder)
