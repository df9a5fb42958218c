"""Where things are in a data directory."""

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """The paths in a data directory, which is given resolved."""

    data_dir: Path

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own folder."""
        return self.data_dir / "postgres"

    @property
    def lock(self) -> Path:
        """The file that the owner holds locked."""
        return self.data_dir / "lock"

    @property
    def record(self) -> Path:
        """How others find the server."""
        return self.data_dir / "server.json"

    @property
    def log(self) -> Path:
        """PostgreSQL's output."""
        return self.data_dir / "postgres.log"

    @property
    def cluster_name(self) -> str:
        """A name that the server's processes show, and those of no other cluster here."""
        return f"tidings-{hashlib.sha256(bytes(self.cluster)).hexdigest()[:12]}"

    def cluster_major(self) -> int | None:
        """The major version that made the cluster; None before there is one."""
        try:
            return int((self.cluster / "PG_VERSION").read_text())
        except FileNotFoundError:
            return None
