"""What an owner writes down in the data directory, so that other processes find its server."""

from pathlib import Path
from urllib.parse import quote

import msgspec

PORT = 5432  # listened on nowhere: a part of the socket's name


class ServerRecord(msgspec.Struct, frozen=True):
    """`server.json`: who owns the data directory, and where its server's socket is."""

    owner_pid: int
    socket_dir: str

    @property
    def dsn(self) -> str:
        """The database's libpq URI. The port is said, so that no PGPORT counts."""
        return f"postgresql://postgres@/tidings?host={quote(self.socket_dir)}&port={PORT}"

    @property
    def socket(self) -> str:
        """The path of the socket itself."""
        return f"{self.socket_dir}/.s.PGSQL.{PORT}"


def write_record(path: Path, record: ServerRecord) -> None:
    """Replace the file in one step, readable by its owner alone."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600, exist_ok=False)
    new.write_bytes(msgspec.json.encode(record))
    new.replace(path)


def read_record(path: Path) -> ServerRecord | None:
    """The record; None when there is none, or none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=ServerRecord)
    except (OSError, msgspec.DecodeError):
        return None
