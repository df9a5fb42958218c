"""The contracts of import-linter leave no part out."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
WIRING = {"app.bootstrap", "app.cli", "app.__main__"}
"""Import everything: the composition root, and the command line that it serves."""


def test_every_part_is_the_source_of_a_contract() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = config["tool"]["importlinter"]["contracts"]
    sources = {module for c in contracts for module in c.get("source_modules", ())}
    parts = {
        f"app.{entry.stem}"
        for entry in (ROOT / "app").iterdir()
        if (entry.suffix == ".py" or (entry / "__init__.py").exists()) and entry.stem != "__init__"
    }
    assert parts - WIRING - sources == set()


def test_every_exception_has_its_reason_beside_it() -> None:
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    exceptions = [line for line in lines if " -> app." in line]
    assert exceptions
    assert all("# " in line.split('",', 1)[1] for line in exceptions)
