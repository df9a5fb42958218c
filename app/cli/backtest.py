"""``tidings rules backtest``."""

import csv
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, BinaryIO, TextIO

import rich_click as click
import uvloop
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from app.bootstrap.rules import opened_rules
from app.cli import console
from app.cli.options import STORE, settings_of, settings_options
from app.cli.rule_file import read_rule
from app.engagement.backtested import (
    MAX_SHOWN_DECISIONS,
    Asked,
    Period,
    Shown,
    Summary,
    Tested,
)
from app.engagement.backtested import (
    Progress as Position,
)
from app.engagement.compiled import InvalidRule
from app.engagement.rule import Rule
from app.kernel.clock import instant
from app.kernel.errors import InvalidInput
from app.running import running_database
from app.settings import Settings

_COLUMNS = ("at", "customer_id", "version", "step", "outcome", "held", "did", "compared")


@click.command
@click.argument("name")
@click.option("--from", "since", required=True, metavar="TIME", help="When the period begins.")
@click.option("--to", "until", required=True, metavar="TIME", help="When it ends, exclusive.")
@click.option("--version", type=click.IntRange(1), help="As if it went live at the begin.")
@click.option("--rule", "file", type=click.File("rb"), help="The same for a draft, in JSON.")
@click.option("--compare", type=click.IntRange(1), help="A version to try beside it.")
@click.option(
    "--decisions", type=click.File("w"), help="Write each decision there, as CSV (`-`: print it)."
)
@settings_options(*STORE, "sensitive_fields")
def backtest(
    name: str,
    *,
    since: str,
    until: str,
    version: int | None,
    file: BinaryIO | None,
    compare: int | None,
    decisions: TextIO | None,
    **options: Any,
) -> None:
    """Tell what the rule NAME decided in a period, or what a version or a draft would have.

    Times are written with their offset, such as 2026-11-22T09:30:00Z. Nothing is recorded.
    """
    asked = Asked(
        Period(instant(since, field="--from"), instant(until, field="--to")),
        version,
        _draft(file),
        compare,
        MAX_SHOWN_DECISIONS if decisions else 0,
    )
    summary, shown = _run(settings_of(options), name, asked)
    if decisions is not None:
        _write(decisions, shown)
    _show(summary)


def _draft(file: BinaryIO | None) -> Rule | None:
    return None if file is None else read_rule(file, field="--rule")


def _run(settings: Settings, name: str, asked: Asked) -> tuple[Summary, Sequence[Shown]]:
    async def run() -> tuple[Summary, Sequence[Shown]]:
        shown: list[Shown] = []
        async with opened_rules(settings, database) as opened:
            test = await opened.backtests.of(name, asked)
            with _progress() as progress:
                task = progress.add_task(escape(name), total=None)
                async for told in test.run():
                    match told:
                        case Position():
                            progress.update(task, completed=told.position, total=told.end)
                        case Shown():
                            shown.append(told)
                        case Summary():
                            return told, shown
        raise AssertionError("a backtest ends with its summary")

    try:
        with running_database(settings, migrated=True) as database:
            return uvloop.run(run())
    except InvalidRule as error:
        raise InvalidInput(str(error)) from error


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )


def _write(file: TextIO, shown: Iterable[Shown]) -> None:
    writer = csv.writer(file)
    writer.writerow(_COLUMNS)
    for each in shown:
        writer.writerow(
            (
                each.at.isoformat(),
                each.customer_id,
                each.rule_version,
                each.step,
                each.outcome.value,
                " ".join(held.by for held in each.held),
                " ".join(each.did),
                int(each.is_compared),
            )
        )


def _show(summary: Summary) -> None:
    every = [summary.tested, *([summary.compared] if summary.compared else [])]
    table = Table("", *map(_title, every), box=None, header_style="bold")
    table.add_row("customers decided on", *(f"{each.customers:,}" for each in every))
    table.add_row("customers reached", *(f"{each.reached:,}" for each in every))
    for what, counts in (
        ("", [each.outcomes for each in every]),
        ("held: ", [each.held for each in every]),
        ("did: ", [each.did for each in every]),
    ):
        for key in sorted({key for each in counts for key in each}):
            table.add_row(f"{what}{key}", *(f"{each.get(key, 0):,}" for each in counts))
    console.print(table)
    if summary.difference is not None:
        both, only, other = (
            summary.difference.both,
            summary.difference.only_tested,
            summary.difference.only_compared,
        )
        console.print(f"reached by both: {both:,}, by the first only: {only:,}, second: {other:,}")
    begin, end = _minute(summary.begin), _minute(summary.end)
    console.print(
        f"{begin} to {end}; {summary.events:,} events looked at, from position "
        f"{summary.begun_at_position:,} to {summary.end_position:,}"
    )
    for each in every:
        if each.left_out:
            console.print(f"{each.left_out:,} customers are left out, as they would be parked")


def _title(tested: Tested) -> str:
    return "as it was" if tested.version is None else f"version {tested.version}"


def _minute(at: datetime) -> str:
    return at.isoformat(sep=" ", timespec="minutes")[:16]
