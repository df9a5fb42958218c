"""``tidings simulate --check``: days of all businesses in minutes, and their books."""

import asyncio
import signal
import sys
from typing import NoReturn

import aiohttp
import uvloop
from rich.markup import escape
from rich.table import Table

from app.bootstrap.simulation import hand_on
from app.cli import console
from app.cli.simulation_display import SimulationDisplay
from app.cli.simulation_rules import ready_made_rules
from app.cli.throwaway import Throwaway, throwaway
from app.simulation.check import Checked, check
from app.simulation.client import Client
from app.simulation.story import Story
from app.simulation.tally import Tally

HOURS_A_DAY = 24
STOPPED_STATUS = 128
"""Plus the signal's number, as shells have it."""


def run_check(seed: int, customers: int, days: int) -> int:
    """Play and check; the exit status: 1 unless everything is accounted for."""
    tally = Tally()
    story = Story(seed, customers)
    signal.signal(signal.SIGTERM, _end)  # in order, so that nothing is left behind
    with throwaway() as up, SimulationDisplay(tally, up.url, stays=False):
        try:
            checked = uvloop.run(_check(story, up, tally, days))
        except asyncio.CancelledError:
            _end(signal.SIGTERM)
    _show(checked, tally)
    return status_of(checked, tally)


def status_of(checked: Checked, tally: Tally) -> int:
    """The exit status: 0 when everything is accounted for, and nothing was rejected."""
    is_balanced = not any(account.wrong for account in checked.accounts)
    return 0 if is_balanced and not tally.outcomes["rejected"] else 1


def _end(signum: int, _frame: object = None) -> NoReturn:
    sys.exit(STOPPED_STATUS + signum)


async def _check(story: Story, up: Throwaway, tally: Tally, days: int) -> Checked:
    if task := asyncio.current_task():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    headers = {"Authorization": f"Bearer {up.key}"}
    async with aiohttp.ClientSession(headers=headers) as session, hand_on(up.database) as hand:
        client = Client(session, up.url)
        return await check(story, client, tally, hand, days=days, rules=ready_made_rules())


def _show(checked: Checked, tally: Tally) -> None:
    table = Table(box=None, header_style="bold")
    table.add_column("book")
    table.add_column("entries", overflow="fold")
    table.add_column("unaccounted", justify="right")
    for account in checked.accounts:
        counts = ", ".join(
            f"{number:,} {status}" for status, number in account.counts.most_common()
        )
        table.add_row(account.name, escape(counts or "none"), f"{len(account.wrong):,}")
    console.print(table)
    for account in checked.accounts:
        for complaint in account.wrong:
            line = f"{account.name}: {complaint}"
            console.print(escape(line), highlight=False, soft_wrap=True)
    lived = checked.story_time.total_seconds() / 3600 / HOURS_A_DAY
    console.print(
        f"{lived:.1f} days were lived, in {checked.hops:,} moments and {tally.seconds:.0f} s",
        highlight=False,
    )
