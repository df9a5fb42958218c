"""`tidings simulate --check`: a day of all businesses, and whether their books balance."""

import re
import subprocess
from pathlib import Path

from tests.fixtures.tidings_up import environment, processes_of, tidings

TIMEOUT_SECONDS = 120


def test_the_books_of_a_day_balance_and_nothing_is_left_behind(tmp_path: Path) -> None:
    checked = subprocess.run(
        tidings("simulate", "--check", "--days", "1", "--customers", "4"),
        capture_output=True,
        text=True,
        # A database that is set for other commands is left alone.
        env=environment(database_url="postgresql://nowhere.invalid/") | {"TMPDIR": str(tmp_path)},
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert ", 0 rejected," in checked.stdout
    book = re.search(r"^ *orders +(.*\S) +0 *$", checked.stdout, re.M)
    assert book, checked.stdout
    assert re.search(r"days were lived, in \d+ moments", checked.stdout)
    assert processes_of(tmp_path) == []
    assert list(tmp_path.iterdir()) == []
