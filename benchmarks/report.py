"""The report: one row a figure, beside its baseline, its target and whether that was reached."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from rich.console import Console
from rich.table import Table

from benchmarks.rounds import Rates, quartiles

HEADINGS = ("", "measured", "against", "measured", "ratio (quartiles)", "target", "")


@dataclass(frozen=True)
class Row:
    """One figure."""

    what: str
    measured: str = ""
    against: str = ""
    baseline: str = ""
    ratio: str = ""
    target: str = ""
    reached: bool | None = None

    @property
    def cells(self) -> tuple[str, ...]:
        """What stands in the table, under `HEADINGS`."""
        verdict = {None: "", True: "reached", False: "MISSED"}[self.reached]
        return (
            self.what,
            self.measured,
            self.against,
            self.baseline,
            self.ratio,
            self.target,
            verdict,
        )


@dataclass(frozen=True)
class Section:
    """The rows that belong together."""

    title: str
    rows: Sequence[Row]


def compared(rates: Rates, what: str, against: str, *, target: float | None = None) -> Row:
    """A contender beside another of the same rounds: the median of the paired ratios."""
    ratios = rates.ratios(what, against)
    ratio = median(ratios)
    first, third = quartiles(ratios)
    return Row(
        what,
        _rate(rates.median(what)),
        against,
        _rate(rates.median(against)),
        f"{ratio:.2f} ({first:.2f}…{third:.2f})",
        "" if target is None else f"≥ {target:g}",
        None if target is None else ratio >= target,
    )


def not_measured(what: str, why: str) -> Row:
    """A figure that this machine cannot give."""
    return Row(what, measured=f"not measured: {why}")


def percentiles_ms(values_ms: Sequence[float]) -> str:
    """Durations: the middle one, and what one in a hundred is longer than."""
    return f"p50 {median(values_ms):.2f} ms, p99 {percentile_99(values_ms):.2f} ms"


def percentile_99(values: Sequence[float]) -> float:
    """What one in a hundred is greater than."""
    return quantiles(values, n=100, method="inclusive")[98]


def _rate(per_second: float) -> str:
    return f"{per_second:,.0f}/s"


def print_table(machine: str, sections: Iterable[Section]) -> None:
    """For a terminal."""
    table = Table(*HEADINGS, title=machine, title_justify="left", title_style="")
    for number, heading in enumerate(HEADINGS):
        table.columns[number].justify = "right" if heading in HEADINGS[1:6:2] else "left"
    for section in sections:
        table.add_section()
        table.add_row(f"[bold]{section.title}[/]")
        for row in section.rows:
            style = {None: "", True: "green", False: "red"}[row.reached]
            table.add_row(*row.cells[:-1], f"[{style}]{row.cells[-1]}[/]" if style else "")
    # As wide as it is, also where output is no terminal: a cut figure is none.
    Console(width=None if Console().is_terminal else 180).print(table)


def print_markdown(machine: str, sections: Iterable[Section]) -> None:
    """For the README."""
    print(f"{machine}\n")
    print(f"| {' | '.join(HEADINGS)} |")
    print("|---|--:|---|--:|--:|--:|---|")
    for section in sections:
        print(f"| **{section.title}** | | | | | | |")
        for row in section.rows:
            print(f"| {' | '.join(row.cells)} |")
