"""How much a process holds."""

import re
from pathlib import Path

import pytest

MEMORY_CAP_MIB = 768
"""As docs/how-to/limit-and-withstand-load.md declares it, of one worker process."""


def peak_memory_mib(pid: int) -> float:
    """The most that a process has held at a time."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        pytest.skip("only Linux tells")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
    assert found is not None
    return int(found[1]) / 1024
