"""What is installed is named, hashed and audited, and comes from wherever one is."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")


def test_each_group_of_dependencies_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert {lock.stem for lock in LOCKS} == {"runtime", *project["dependency-groups"]}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_is_written_by_make_pins_by_hash_and_names_no_place(lock: Path) -> None:
    assert f"--output-file requirements/{lock.name}\n" in MAKEFILE
    text = lock.read_text("utf-8")
    assert not re.search(r"://|--(extra-)?index|--find-links|--trusted|^-e |@ ", text, re.M)
    requirements = re.split(r"^(?=[a-z0-9])", text, flags=re.M)[1:]
    assert requirements
    for requirement in requirements:
        assert re.match(r"[\w.-]+(\[[\w,-]+\])?==\S+ ", requirement), requirement
        assert "--hash=sha256:" in requirement


def test_all_locks_are_audited_and_what_cannot_be_asked_about_is_a_failure() -> None:
    audit = MAKEFILE.split("\naudit:")[1].split("\n\n")[0]
    assert "$(wildcard requirements/*.txt)" in audit
    assert "--strict" in audit
    assert "cyclonedx-py requirements requirements/runtime.txt" in audit
