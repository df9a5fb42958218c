"""``tidings rules list | show | examples | save | go-live | pause | … | backtest``."""

from collections.abc import Awaitable, Callable
from typing import Any, BinaryIO, TypeVar

import msgspec
import rich_click as click
import uvloop
from rich.markup import escape
from rich.table import Table

from app.bootstrap.rules import OpenedRules, opened_rules
from app.cli import console
from app.cli.acting import acting
from app.cli.backtest import backtest
from app.cli.options import STORE, settings_of, settings_options
from app.cli.rule_file import read_rule
from app.engagement import ready_made
from app.engagement.compiled import Fault, InvalidRule
from app.engagement.decider import GoLive, Pause, Resume, Retire, RuleCommand
from app.engagement.events import OnChange
from app.engagement.rule import Rule
from app.engagement.rules import RuleDetails, RuleSummary
from app.kernel.errors import InvalidInput, NotFound
from app.running import running_database

T = TypeVar("T")

_NAME = click.argument("name")


@click.group
def command() -> None:
    """Write rules, and let them go live, pause and retire."""


@command.command("list")
@settings_options(*STORE)
def list_(**options: Any) -> None:
    """Show every rule: where it is in its life, and its versions."""
    rules = _with_rules(options, lambda opened: opened.rules.all())
    table = Table("name", "status", "newest", "live", "changed", box=None, header_style="bold")
    for rule in rules:
        changed = rule.changed_at.isoformat(sep=" ", timespec="minutes")[:16]
        status = rule.status.value
        table.add_row(rule.name, status, str(rule.newest_version), _live(rule), changed)
    console.print(table if rules else "there are no rules")


@command.command
@_NAME
@click.option("--version", type=click.IntRange(1), help="The version to show. Default: the newest.")
@settings_options(*STORE)
def show(name: str, version: int | None, **options: Any) -> None:
    """Print what the rule NAME says, in JSON, as `save` takes it."""

    async def read(opened: OpenedRules) -> RuleDetails:
        return (await opened.rules.one(name, version))[0]

    written = msgspec.json.encode(_with_rules(options, read).rule)
    click.echo(msgspec.json.format(written, indent=2))


@command.command
@click.argument("name", required=False)
@click.option("--template", is_flag=True, help="Print the template that the rule names, instead.")
def examples(name: str | None, *, template: bool) -> None:
    """Print the ready-made rule NAME, in JSON, as `save` takes it; or list all of them."""
    if name is not None:
        click.echo(_template_of(name) if template else _ready_made(name))
        return
    if template:
        raise InvalidInput("say of which rule", field="NAME")
    table = Table("name", "what it is for", box=None, header_style="bold")
    for each in ready_made.names():
        rule = msgspec.json.decode(ready_made.rule(each), type=Rule)
        table.add_row(each, escape(rule.description))
    console.print(table)


@command.command
@_NAME
@click.argument("file", type=click.File("rb"))
@settings_options(*STORE, "sensitive_fields")
def save(name: str, file: BinaryIO, **options: Any) -> None:
    """Save the rule of FILE (`-`: what is piped in), in JSON, as a new version of NAME.

    It is a draft until it goes live. Nothing when the newest version says the same.
    """
    rule = read_rule(file, field="FILE")

    async def saved(opened: OpenedRules) -> tuple[int, list[Fault]]:
        version = await opened.save(name, rule, acting())
        return version, await opened.rules.missing_templates(rule)

    version, missing = _checked(options, saved)
    console.print(f"{escape(name)} is at version {version}.")
    for fault in missing:
        console.print(escape(f"Before it goes live: {fault}."))


@command.command("go-live")
@_NAME
@click.option("--version", type=click.IntRange(1), required=True, help="The version.")
@click.option(
    "--on-change",
    type=click.Choice([one.value for one in OnChange]),
    default=OnChange.DRAIN.value,
    show_default=True,
    help="Whether what runs on another version goes on, goes on with this one, or ends.",
)
@click.option(
    "--share",
    type=click.IntRange(1, 100),
    default=100,
    show_default=True,
    help="Of the customers, in percent; others keep what is live.",
)
@settings_options(*STORE)
def go_live(name: str, version: int, on_change: str, share: int, **options: Any) -> None:
    """Let a version of the rule NAME begin for customers."""
    command = GoLive(version, OnChange(on_change), share)

    async def run(opened: OpenedRules) -> RuleSummary:
        await opened.go_live(name, command, acting())
        return (await opened.rules.one(name))[0]

    _say(name, _checked(options, run))


@command.command
@_NAME
@settings_options(*STORE)
def pause(name: str, **options: Any) -> None:
    """Let nothing begin by the rule NAME, and nothing that it began go on."""
    _run(options, name, Pause())


@command.command
@_NAME
@click.option(
    "--fire-overdue", is_flag=True, help="Do what fell due meanwhile, instead of dropping it."
)
@settings_options(*STORE)
def resume(name: str, *, fire_overdue: bool, **options: Any) -> None:
    """Let the paused rule NAME go on."""
    _run(options, name, Resume(fire_overdue))


@command.command
@_NAME
@settings_options(*STORE)
def retire(name: str, **options: Any) -> None:
    """End the rule NAME for good, with all that it began."""
    _run(options, name, Retire())


command.add_command(backtest)


def _ready_made(name: str) -> str:
    try:
        return ready_made.rule(name).decode().rstrip()
    except KeyError:
        raise NotFound(f"there is no ready-made rule {name!r}") from None


def _template_of(name: str) -> str:
    _ready_made(name)
    try:
        return ready_made.template(name).decode().rstrip()
    except KeyError:
        raise NotFound(f"the rule {name!r} names no template") from None


def _run(options: dict[str, Any], name: str, command: RuleCommand) -> None:
    async def run(opened: OpenedRules) -> RuleSummary:
        await opened.command(name, command, acting())
        return (await opened.rules.one(name))[0]

    _say(name, _with_rules(options, run))


def _say(name: str, rule: RuleSummary) -> None:
    console.print(f"{escape(name)} is {rule.status.value}; live: {_live(rule)}.")


def _live(rule: RuleSummary) -> str:
    live = "none" if rule.live_version is None else str(rule.live_version)
    return f"{live}, {rule.canary.version} for {rule.canary.share} %" if rule.canary else live


def _checked(options: dict[str, Any], work: Callable[[OpenedRules], Awaitable[T]]) -> T:
    """The same; what is wrong with a rule is said in one line."""
    try:
        return _with_rules(options, work)
    except InvalidRule as error:
        raise InvalidInput(str(error)) from error


def _with_rules(options: dict[str, Any], work: Callable[[OpenedRules], Awaitable[T]]) -> T:
    settings = settings_of(options)

    async def run() -> T:
        async with opened_rules(settings, database) as opened:
            return await work(opened)

    with running_database(settings, migrated=True) as database:
        return uvloop.run(run())
