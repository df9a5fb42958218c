"""Where a lint or the type checker is told to be silent, it stands there why."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SILENCED = re.compile(r"# (?:noqa|type: ignore)")
WITH_REASON = re.compile(r"# noqa: [A-Z0-9, ]+ - \w|# type: ignore\[[a-z, -]+\] +# \w")


@pytest.mark.parametrize("part", ["app", "projections", "migrations", "tests", "benchmarks"])
def test_every_silence_has_its_reason_beside_it(part: str) -> None:
    unsaid = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in (ROOT / part).rglob("*.py")
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if SILENCED.search(line) and not WITH_REASON.search(line) and "re.compile" not in line
    ]
    assert unsaid == []
