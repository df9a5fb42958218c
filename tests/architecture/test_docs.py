"""The pages hold together: nothing that they name or link to is made up."""

import re
from pathlib import Path

import pytest

from app.settings import PREFIX, Settings
from tests.fixtures.markdown import ROOT, anchors_of, links_of, pages

PAGES = pages()
TEST_VARIABLES = {"TIDINGS_TEST_POSTGRES_BIN", "TIDINGS_TEST_FAULTS"}
"""Of the project's own tests."""

MADE_IN_A_GUIDE = ("daily_activity", "parcel")
"""The files of these names are what readers of guides make; tests make them too."""


def named(pattern: str) -> set[str]:
    """Whatever matches, on any page."""
    return {found for page in PAGES for found in re.findall(pattern, page.read_text("utf-8"), re.M)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in links_of(page):
        path, _, anchor = target.partition("#")
        if target.startswith("https://"):
            continue
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors_of(linked), target


def test_every_page_is_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page.suffix == ".md" and page not in reached:
            reached.add(page)
            targets = (target.partition("#")[0] for target in links_of(page))
            waiting += [(page.parent / t).resolve() for t in targets if t and "://" not in t]
    assert reached == set(PAGES)


def test_every_test_that_is_named_exists() -> None:
    tests = {
        found
        for path in (ROOT / "tests").rglob("*.py")
        for found in re.findall(r"def (test_\w+)\(", path.read_text("utf-8"))
    }
    assert named(r"`(test_\w+)`") - tests == set()


def test_every_explanation_of_a_guarantee_names_the_tests_that_hold_it() -> None:
    for page in ("ordering", "idempotency", "projections", "identities"):
        claims = (
            (ROOT / "docs" / "explanation" / f"{page}.md")
            .read_text("utf-8")
            .split("## Held by\n")[1]
        )
        rows = claims.strip().splitlines()[2:]
        assert rows
        assert all("`test_" in row for row in rows)


def is_made_in_a_guide(path: str) -> bool:
    return any(name in path for name in MADE_IN_A_GUIDE)


def test_every_file_that_is_named_exists() -> None:
    paths = named(r"`((?:app|projections|migrations|tests|benchmarks|docs)/[\w./-]*)`")
    assert {p for p in paths if not (ROOT / p).exists() and not is_made_in_a_guide(p)} == set()


def test_every_variable_that_is_named_exists() -> None:
    settings = {PREFIX + name.upper() for name in Settings.__struct_fields__}
    assert named(rf"\b{PREFIX}\w*[A-Z]\b") - settings - TEST_VARIABLES == set()


def test_no_page_names_a_place_on_somebodys_machine() -> None:
    assert named(r"(?:^|[\s\"'`(=])(/(?:home|root|Users|work|tmp|private|mnt)/[^\s`]*)") == set()
