"""The pages of modules and of rules can be followed: commands work, and answer what is shown."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.newcomer import Newcomer, steps_of
from tests.fixtures.access import KEY
from tests.fixtures.markdown import DOCS
from tests.fixtures.tidings_up import TidingsUp

PAGES = [
    *sorted((DOCS / "modules").glob("*.md")),
    DOCS / "how-to" / "write-a-rule.md",
    DOCS / "how-to" / "ready-made-rules.md",
]


@pytest.fixture(params=PAGES, ids=lambda page: page.stem)
def page(request: pytest.FixtureRequest) -> Path:
    """One of them."""
    path: Path = request.param
    return path


@pytest.fixture
def newcomer(
    page: Path, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Newcomer]:
    """Somebody with a Tidings at hand: the shared one, unless the page says how to start it."""
    if any(step.command.startswith("make up") for step in steps_of(page)):
        own = TidingsUp(tmp_path, accepts_the_tests_key=False)
        yield Newcomer(own, tmp_path)
        own.close()
    else:
        shared: TidingsUp = request.getfixturevalue("tidings_up")
        monkeypatch.setitem(shared.environment, "TIDINGS_API_KEY", KEY)
        yield Newcomer(shared, tmp_path)


def test_the_walk_through_is_answered_as_the_page_shows(page: Path, newcomer: Newcomer) -> None:
    *_, last = steps_of(page)
    assert last.answer is not None, "the page does not show what its last step answers"
    assert newcomer.follow(page) > 0
