"""Each line of the threat model names the test that holds it, or why there is none."""

import re

import pytest

from tests.fixtures.markdown import DOCS

PAGE = (DOCS / "explanation" / "threat-model.md").read_text("utf-8")
SECTIONS = re.split(r"^## ", PAGE, flags=re.M)[1:]  # what comes first says who is meant


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.splitlines()[0])
def test_each_line_names_its_test(section: str) -> None:
    header, _, *rows = [line for line in section.splitlines() if line.startswith("|")] or ["", ""]
    assert not header or header.endswith("| test |")
    assert [row for row in rows if "`test_" not in row and "| no test: " not in row] == []


def test_what_is_not_protected_is_said_too() -> None:
    assert SECTIONS[-1].startswith("What is not protected\n")
    assert "Customer ids that are email addresses" in SECTIONS[-1]
