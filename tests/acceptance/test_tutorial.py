"""The pages' commands work as they stand there, and answer what is shown."""

from pathlib import Path

import pytest

from tests.acceptance.newcomer import Newcomer
from tests.fixtures.markdown import DOCS, ROOT
from tests.fixtures.tidings_up import TidingsUp


@pytest.mark.parametrize(
    ("page", "answers"),
    [
        (ROOT / "README.md", 2),
        (DOCS / "tutorial.md", 20),
    ],
    ids=["readme", "tutorial"],
)
def test_a_newcomer_gets_the_answers_that_the_page_shows(
    page: Path, answers: int, tmp_path: Path
) -> None:
    running = TidingsUp(tmp_path, accepts_the_tests_key=False)
    try:
        assert Newcomer(running, tmp_path).follow(page) >= answers
    finally:
        running.close()
