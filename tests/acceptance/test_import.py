"""`tidings import` of a file of our own, against a few lines of plain Python."""

import csv
import subprocess
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.fixtures.api import Api
from tests.fixtures.tidings_up import TidingsUp, environment, tidings

pytestmark = pytest.mark.anyio

FILE = Path(__file__).parents[1] / "fixtures" / "shop.csv"
COMMAND = tidings(
    *("import", str(FILE), "--customer", "customer"),
    *("--type", "what", "--occurred-at", "moment"),
)

Entries = list[tuple[str, datetime, dict[str, Any]]]


def expected() -> dict[str, Entries]:
    """Each customer's entries, newest first; of one moment, the later row first."""
    customers = defaultdict[str, Entries](list)
    with FILE.open(newline="") as file:
        for row in csv.DictReader(file):
            moment = datetime.fromisoformat(row.pop("moment")).replace(tzinfo=UTC)
            customers[row.pop("customer")].append((row.pop("what"), moment, row))
    return {
        customer_id: sorted(entries, key=lambda entry: entry[1])[::-1]
        for customer_id, entries in customers.items()
    }


def run(env: dict[str, str]) -> str:
    done = subprocess.run(COMMAND, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


async def timeline(api: Api, customer_id: str, min_position: int) -> Entries:
    items = await api.all_items(
        f"/v1/customers/{quote(customer_id)}/timeline", min_position=min_position, limit=50
    )
    return [
        (item["type"], datetime.fromisoformat(item["occurred_at"]), item["data"]) for item in items
    ]


async def test_the_timelines_are_what_plain_python_makes_of_the_file(
    tidings_up: TidingsUp, api: Api
) -> None:
    customers = expected()
    rows = sum(map(len, customers.values()))
    assert f"{rows} rows: {rows} recorded, 0 recorded before, 0 rejected" in run(
        tidings_up.environment
    )
    head = (await api.log())[-1]["position"]
    for customer_id, entries in customers.items():
        assert await timeline(api, customer_id, head) == entries
        profile = await api.read(f"/v1/customers/{quote(customer_id)}?min_position={head}")
        assert profile["events"] == len(entries)
    found = await api.all_items("/v1/customers", id_prefix="shop-", min_position=head)
    assert {customer["customer_id"] for customer in found} == customers.keys()

    assert f"{rows} rows: 0 recorded, {rows} recorded before, 0 rejected" in run(
        tidings_up.environment
    )
    last = (await api.log())[-1]["position"]
    for customer_id, entries in customers.items():
        assert await timeline(api, customer_id, last) == entries


def test_without_a_running_server_it_starts_one_for_its_own_time(tmp_path: Path) -> None:
    env = environment(data_dir=tmp_path / "data")
    assert "recorded, 0 recorded before" in run(env)
    assert " 0 recorded, " in run(env)
