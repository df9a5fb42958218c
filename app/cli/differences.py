"""What differs between two generations of a read model, for people."""

from collections.abc import Sequence

from rich.markup import escape

from app.bootstrap.projections import Verified
from app.cli import console


def show(comparison: Verified, other: str) -> None:
    """Print it; `other` is what it was compared with."""
    for line in _report(comparison, other):
        console.print(line, soft_wrap=True, highlight=False)


def _report(comparison: Verified, other: str) -> Sequence[str]:
    where = f"[bold]{comparison.generation}[/] at position {comparison.position:,}"
    but = f"; parked and left out: {comparison.left_out:,}" if comparison.left_out else ""
    if not comparison.differences:
        return [f"{where}: as {other} has it{but}"]
    found = [f"{where}: differs from {other}{but}"]
    for each in comparison.differences:
        rows = f"{each.rows:,} rows, {each.other_rows:,} by {other}"
        found.append(f"  {each.table}: {rows}; {each.count:,} differ by {each.by or 'content'}")
        found += [f"    {escape(whose)}" for whose in each.named]
        if each.count > len(each.named):
            found.append(f"    and {each.count - len(each.named):,} more")
    return found
