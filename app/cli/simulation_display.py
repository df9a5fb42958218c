"""How a simulation gets on: a live picture on a terminal, and a summary at the end anywhere."""

from types import TracebackType

from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from app.cli import console, errors
from app.simulation.crowd import Person
from app.simulation.tally import Tally

REDRAWS_PER_S = 8
KINDS = ("recorded", "repeated", "refused", "rejected")


class SimulationDisplay:
    """Shows a tally. Use it as a context; leaving it sums up."""

    def __init__(self, tally: Tally, url: str, *, stays: bool = True) -> None:
        """The tally is read as it changes. `stays`: there is something to look at afterwards."""
        self._tally = tally
        self._url = url
        self._stays = stays
        self._live = Live(
            get_renderable=self._picture,
            console=errors,
            refresh_per_second=REDRAWS_PER_S,
            transient=True,
        )

    def __enter__(self) -> "SimulationDisplay":
        """Begin."""
        if errors.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Sum up, however it ended."""
        if errors.is_terminal:
            self._live.stop()
        if self._tally.sent:
            self._sum_up()

    def _picture(self) -> Group:
        tally = self._tally
        table = Table(box=None, header_style="bold")
        table.add_column("phase", min_width=14)
        for column in ("sent", *KINDS, "live/s"):
            table.add_column(column, justify="right", min_width=9)
        counts = [f"{tally.outcomes[kind]:,}" for kind in KINDS]
        table.add_row(tally.phase, f"{tally.sent:,}", *counts, f"{tally.live_per_s:.1f}")
        lines = [Text(f"  {each.person.name}: {each.name}", "dim") for each in list(tally.latest)]
        busiest = tally.busiest if self._stays else None
        timeline = [Text(f"\n{self._curl(busiest)}")] if busiest else []
        return Group(table, *lines, *timeline)

    def _sum_up(self) -> None:
        tally = self._tally
        recorded, repeated, refused, rejected = (tally.outcomes[kind] for kind in KINDS)
        live = f", {tally.live:,} of them live at {tally.live_per_s:.1f}/s" if tally.live else ""
        _say(
            f"{tally.sent:,} sent: {recorded:,} recorded, {repeated:,} recorded before,"
            f" {refused:,} refused as they should be, {rejected:,} rejected,"
            f" in {tally.seconds:.1f} s{live}"
        )
        for reason, times in tally.reasons.items():
            _say(f"  rejected {times:,} times: {reason}")
        if tally.busiest and self._stays:
            _say(f"The timeline of {tally.busiest.name}:\n  {self._curl(tally.busiest)}")

    def _curl(self, person: Person) -> str:
        timeline = f"{self._url}/v1/customers/{person.customer_id}/timeline"
        return f'curl -u "$TIDINGS_API_KEY:" {timeline}'


def _say(line: str) -> None:
    console.print(escape(line), highlight=False, soft_wrap=True)
