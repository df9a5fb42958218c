"""``tidings simulate``."""

import asyncio
import math
import signal
import sys
from typing import Any

import aiohttp
import rich_click as click
import uvloop
from yarl import URL

from app.cli.options import settings_of, settings_options
from app.cli.own_key import key_for_calls
from app.cli.simulation_display import SimulationDisplay
from app.cli.simulation_rules import ready_made_rules
from app.simulation.client import Client
from app.simulation.play import play
from app.simulation.rules import RuleSet
from app.simulation.story import Story
from app.simulation.tally import Tally

ACTOR = "simulate"
DEFAULT_URL = "http://127.0.0.1:8000"
DEFAULT_DAYS = 3
MAX_DAYS = 60
DEFAULT_DURATION_S = 15.0
MAX_CUSTOMERS = 100_000
MAX_EVENTS_PER_S = 10_000
MAX_DURATION_S = 365 * 24 * 3600
MAX_LIVE_EVENTS = 1_000_000_000
STOPPED_STATUS = 128
"""Plus the signal's number, as shells have it."""


def _checked_url(_context: click.Context, _option: click.Parameter, value: str) -> str:
    try:
        url = URL(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no URL") from None
    has_more = url.query_string or url.fragment
    if url.scheme not in {"http", "https"} or not url.host or has_more:
        raise click.BadParameter("it looks like http://127.0.0.1:8000")
    return value.rstrip("/")


def _finite(_context: click.Context, _option: click.Parameter, value: float | None) -> float | None:
    """Neither ``nan`` nor ``inf``, which are numbers to `float`, and in any range."""
    if value is not None and not math.isfinite(value):
        raise click.BadParameter("it is no number")
    return value


@click.command
@click.option(
    "--url",
    default=DEFAULT_URL,
    show_default=True,
    callback=_checked_url,
    help="Where the API is.",
)
@click.option(
    "--customers",
    type=click.IntRange(1, MAX_CUSTOMERS),
    default=50,
    show_default=True,
    help="How many people there are. Each has about ten events of the past fortnight.",
)
@click.option(
    "--events-per-s",
    type=click.FloatRange(0, MAX_EVENTS_PER_S, min_open=True),
    callback=_finite,
    default=20,
    show_default=True,
    help="How many live events are sent a second.",
)
@click.option(
    "--events",
    type=click.IntRange(0, MAX_LIVE_EVENTS),
    help="About how many live events are sent; instead of --duration.",
)
@click.option(
    "--duration",
    type=click.FloatRange(0, MAX_DURATION_S),
    callback=_finite,
    metavar="SECONDS",
    help="How long live events are sent: as many as fit at the rate, so that a slow API makes it "
    f"longer, not shorter. Default: {DEFAULT_DURATION_S:g}.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 10**9),
    default=1,
    show_default=True,
    help="Which crowd it is; another seed is another one.",
)
@click.option(
    "--check",
    is_flag=True,
    help="Play days of all businesses on a throwaway store within minutes, and check that the "
    "books balance. The exit status is 1 unless they do.",
)
@click.option(
    "--days",
    type=click.IntRange(1, MAX_DAYS),
    help=f"How many days --check plays. Default: {DEFAULT_DAYS}.",
)
@click.option(
    "--rules",
    is_flag=True,
    help="Save the ready-made rules that the store does not have yet, and let them go live first. "
    "--check has them in any case.",
)
@settings_options("api_key", "data_dir", "schema", "secret", "environment")
def command(
    url: str,
    customers: int,
    events_per_s: float,
    *,
    events: int | None,
    duration: float | None,
    seed: int,
    check: bool,
    days: int | None,
    rules: bool,
    **options: Any,
) -> None:
    """Play a believable crowd of customers against a running API, to have something to look at.

    They browse, sign up, fill carts, order and pay, listen to podcasts, take rides, ask questions.
    First comes their past fortnight, in batches; then live events, one by one, and beside them
    the businesses: a shop with a payment provider and a warehouse, a bank with a scorer, riders and
    drivers, a support desk. What they do next depends on what the API tells them.

    The same seed gives the same people, events and ids: a second run repeats the first, and adds
    nothing but what was waited for (a larger or longer one adds the rest). Everything made up,
    nobody real.
    """
    if check:
        _refuse_with_check(url=url, events=events, duration=duration)
        from app.cli.simulation_check import run_check  # noqa: PLC0415 - loads the embedded server

        sys.exit(run_check(seed, customers, days or DEFAULT_DAYS))
    if days is not None:
        raise click.UsageError("--days goes with --check")
    if events is not None and duration is not None:
        raise click.UsageError("give --events or --duration, not both")
    if events is None:
        seconds = DEFAULT_DURATION_S if duration is None else duration
        events = round(seconds * events_per_s)
    key = key_for_calls(settings_of(options), ACTOR)
    tally = Tally()
    with SimulationDisplay(tally, url):
        given = ready_made_rules() if rules else None
        story = Story(seed, customers)
        playing = _play(story, url, key, tally, rules=given, events=events, per_s=events_per_s)
        stopped = uvloop.run(playing)
    if stopped:
        sys.exit(STOPPED_STATUS + stopped)
    sys.exit(1 if tally.outcomes["rejected"] else 0)


def _refuse_with_check(**options: object) -> None:
    """It has an API and a pace of its own."""
    given = [name for name, value in options.items() if value not in {None, DEFAULT_URL}]
    if given:
        raise click.UsageError(f"--{given[0]} does not go with --check")


async def _play(
    story: Story,
    url: str,
    key: str,
    tally: Tally,
    *,
    rules: RuleSet | None,
    events: int,
    per_s: float,
) -> int:
    """Play; the signal that ended it before its time, or 0."""
    stopped: list[int] = []
    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        client = Client(session, url)
        playing = asyncio.create_task(
            play(story, client, tally, rules=rules, live_messages=events, per_s=per_s)
        )

        def stop(signum: int) -> None:
            stopped.append(signum)
            playing.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop, number)
        try:
            await playing
        except asyncio.CancelledError:
            if not stopped:
                raise
    return stopped[0] if stopped else 0
