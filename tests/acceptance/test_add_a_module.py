"""The guide to a module of one's own works as it stands there, to its end over HTTP."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.newcomer import Newcomer
from tests.fixtures.access import KEY
from tests.fixtures.markdown import DOCS, ROOT
from tests.fixtures.tidings_up import TidingsUp

GUIDE = DOCS / "how-to" / "add-a-module.md"
COPIED = ("app", "projections", "migrations", "tests", "pyproject.toml", "alembic.ini")
SPECS = ("tests/specs/test_parcel.py", "tests/integration/projections/test_parcels.py")
DEADLINE_SECONDS = 120


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source tree, in which everything was done that the guide says."""
    tree = tmp_path_factory.mktemp("guide") / "tree"
    tree.mkdir()
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, tree / name)
    (tree / "app/modules/parcels").mkdir()
    (tree / "app/modules/parcels/__init__.py").touch()
    for name, language, text in files_of_the_guide():
        if language == "diff":
            (tree / name).write_text(added((tree / name).read_text("utf-8"), text), "utf-8")
        else:
            (tree / name).write_text(text, "utf-8")
    return tree


def files_of_the_guide() -> Iterator[tuple[str, str, str]]:
    """Path, language and text of each block that has a file's name before it."""
    for part in re.split(r"^(?=\*\*`)", GUIDE.read_text("utf-8"), flags=re.M)[1:]:
        found = re.match(r"\*\*`([^`]+)`\*\*.*?^```(\w+)\n(.*?)^```$", part, re.M | re.S)
        if found:
            yield found[1], found[2], found[3]


def added(source: str, diff: str) -> str:
    """The source with each added line behind the line that the diff has above it."""
    lines, place = source.splitlines(), 0
    for line in diff.splitlines():
        if line.startswith("+"):
            place += 1
            lines.insert(place, line[1:])
        else:
            place = lines.index(line[1:], place)
    return "\n".join(lines) + "\n"


def environment(tree: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(tree), "PYTHONSAFEPATH": "1"}


def run(tree: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=tree,
        env=environment(tree),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=DEADLINE_SECONDS,
    )


def test_its_specs_hold(tree: Path) -> None:
    done = run(tree, "pytest", "-q", "-p", "no:cacheprovider", *SPECS)
    assert done.returncode == 0, done.stdout
    assert re.search(r"^7 passed", done.stdout, re.M), done.stdout


def test_its_code_is_as_ours_is_to_be(tree: Path) -> None:
    ours = ["app/modules/parcels", *SPECS]
    for command in (["ruff", "check"], ["ruff", "format", "--check"]):
        done = run(tree, *command, *ours)
        assert done.returncode == 0, done.stdout


def test_it_serves_as_the_guide_shows(tree: Path, tmp_path: Path) -> None:
    running = TidingsUp(tmp_path)
    running.command = [sys.executable, "-m", "app", *running.command[1:]]
    running.environment |= environment(tree) | {"TIDINGS_API_KEY": KEY}
    try:
        running.start()
        assert Newcomer(running, tmp_path).follow(GUIDE) == 4
    finally:
        running.close()
