"""`tidings up` as an ordinary user, and as root of a container; others are started as by root."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.api import raw_request, send_bytes
from tests.fixtures.tidings_up import TidingsUp, processes_of
from tests.integration.test_embedded_accounts import NOBODY, WAYS

EVENT = b'{"type":"Seen","customer_id":"ann","data":{}}'


@pytest.fixture(params=["nobody", "ordinary user", "root without namespaces"])
def up(request: pytest.FixtureRequest) -> Iterator[TidingsUp]:
    """Not started yet; skipped with the reason where root cannot be so."""
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("only root on Linux can become others")
    prefix = WAYS[request.param]
    probe = subprocess.run(
        [*prefix, sys.executable, "-c", "import app.cli"],
        capture_output=True,
        check=False,
        text=True,
    )
    if probe.returncode != 0:
        pytest.skip(f"the account cannot run Python here: {probe.stderr.splitlines()[-1]}")
    folder = Path(tempfile.mkdtemp(prefix="tidings-test-", dir="/tmp"))
    running = TidingsUp(folder, prefix=prefix)
    if request.param == "nobody":
        for path in (folder, *folder.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
    yield running
    running.close()
    shutil.rmtree(folder)


def test_it_runs_as_whoever_starts_it(up: TidingsUp) -> None:
    up.start()
    recorded = send_bytes(up.url, raw_request("POST", "/v1/events", EVENT))
    assert recorded is not None
    assert recorded.status == 201
    where = f"min_position={recorded.json()['position']}"
    read = send_bytes(up.url, raw_request("GET", f"/v1/customers/ann/timeline?{where}"))
    assert read is not None
    assert len(read.json()["items"]) == 1
    assert up.stop() == 0, up.tail()
    assert not processes_of(up.folder)
