"""The reference is whole: no setting, option, problem type, event or limit is missing or wrong."""

import importlib
import pkgutil
import re
from collections.abc import Iterator

import msgspec
import pytest
import rich_click as click

import app
import projections
from app.catalogue import CATALOGUE
from app.cli import COMMANDS, main
from app.cli.options import description_of
from app.eventstore import routes as log_routes
from app.http import body, context, target
from app.http.problems import TYPE_PREFIX, problem_types
from app.kernel import ids
from app.kernel.errors import TidingsError
from app.kernel.reserved import RESERVED_PREFIX
from app.modules.carts import decider as carts
from app.modules.carts import routes as cart_routes
from app.modules.customers import decider
from app.modules.customers import routes as customer_routes
from app.modules.interactions import incoming
from app.modules.interactions import routes as event_routes
from app.modules.messages import routes as message_routes
from app.security import signed_token
from app.settings import PREFIX, Settings
from projections import paging
from projections.diff import queries as diffs
from tests.fixtures.markdown import DOCS

KIB = 1024


def reference(page: str) -> str:
    return (DOCS / "reference" / page).read_text("utf-8")


def test_every_setting_is_documented_with_its_default_and_meaning() -> None:
    rows = [line for line in reference("settings.md").splitlines() if f"| `{PREFIX}" in line]
    for field in msgspec.structs.fields(Settings):
        default = "none" if field.default is None else f"`{field.default}`"
        shown = default.lower() if isinstance(field.default, bool) else default
        variable = PREFIX + field.name.upper()
        assert f"| `{variable}` | {shown} | {description_of(field.name)} |" in rows


def test_every_setting_is_an_option_of_a_command() -> None:
    commands = [main.get_command(click.Context(main), name) for name in COMMANDS]
    options = {parameter.name for command in commands if command for parameter in command.params}
    assert {field.name for field in msgspec.structs.fields(Settings)} <= options


@pytest.mark.parametrize("name", COMMANDS)
def test_every_argument_and_option_of_a_command_is_documented_and_no_other(name: str) -> None:
    sections = re.split(r"^## ", reference("cli.md"), flags=re.M)
    (section,) = [s for s in sections if s.startswith(f"`tidings {name}`")]
    command = main.get_command(click.Context(main), name)
    assert command is not None
    subcommands = command.commands if isinstance(command, click.Group) else {}
    headings = re.findall(rf"^### `tidings {name} ([a-z-]+)", section, flags=re.M)
    assert headings == list(subcommands)
    parameters = [each for c in (command, *subcommands.values()) for each in c.params]
    options = {
        option
        for parameter in parameters
        if isinstance(parameter, click.Option) and not parameter.hidden
        for option in (*parameter.opts, *parameter.secondary_opts)
        if option.startswith("--")
    }
    assert set(re.findall(r"`(--[a-z][a-z-]*[a-z])", section)) == options
    for parameter in parameters:
        if isinstance(parameter, click.Argument):
            shown = parameter.metavar or str(parameter.name).upper()
            assert f"`{shown}`" in section


def test_every_command_is_documented_in_the_order_of_the_help_and_no_other() -> None:
    headings = re.findall(r"^## `tidings ([a-z]+)`", reference("cli.md"), flags=re.M)
    assert headings == list(COMMANDS)


def test_every_problem_type_is_documented_with_its_status_and_title_and_no_other() -> None:
    for package in (app, projections):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    ours = {TYPE_PREFIX + error.code for error in errors_of(TidingsError)}
    rows = re.findall(r"^\| `(urn:[^`]+)` \| (\d+) \| (.+?) \|", reference("problems.md"), re.M)
    types = [kind for kind in problem_types() if kind.type in ours]
    assert [(kind.type, str(kind.status), kind.title) for kind in types] == rows


def errors_of(error: type[TidingsError]) -> Iterator[type[TidingsError]]:
    """Those of the product; tests define errors of their own."""
    if error.__module__.startswith(("app.", "projections.")):
        yield error
    for subclass in error.__subclasses__():
        yield from errors_of(subclass)


def test_every_built_in_event_is_documented_with_its_title_and_data_and_no_other() -> None:
    rows = re.findall(r"^\| `([a-z_]+\.\w+)` \| (.+?) \|(.*?) \|", reference("events.md"), re.M)
    assert sorted((tag, title, data.strip()) for tag, title, data in rows) == sorted(
        (tag, event.title, ", ".join(f"`{field}`" for field in event.__struct_fields__))
        for tag, event in CATALOGUE.types.items()
    )


def test_what_is_reserved_is_documented_and_no_more() -> None:
    reserved = reference("events.md").split("\n## Reserved\n")[1].split("\n## ")[0]
    prefixes = {f"{tag.split('.')[0]}." for tag in CATALOGUE.types} | {"tidings."}
    assert set(re.findall(r"`(.+?)`", reserved)) - {"data"} == prefixes | {RESERVED_PREFIX}
    assert all(CATALOGUE.is_reserved(f"{prefix}anything") for prefix in prefixes)


LIMITS = {
    "an event; a command's body": f"{incoming.MAX_EVENT_BYTES // KIB} KiB",
    "a batch": f"{event_routes.MAX_BATCH_EVENTS:,} events, "
    f"{event_routes.MAX_BATCH_BYTES // KIB**2} MiB",
    "nesting of JSON": f"{body.MAX_DEPTH_LEVELS} levels",
    "a number": "what a double can hold: "
    f"an exponent up to {body.MAX_EXPONENT}, {body.MAX_DIGITS_IN_A_ROW} digits in a row",
    "a type, an event's `id`": f"{incoming.MAX_KEY_CHARACTERS} characters",
    "an idempotency key, an id in a header": f"{context.MAX_HEADER_CHARACTERS} characters",
    "a customer id": f"{ids.MAX_ID_CHARACTERS} characters",
    "a page of the log or of a stream": f"{log_routes.MAX_PAGE_EVENTS:,} events",
    "a page of a timeline, of customers, visits, messages or counts": f"{paging.MAX_LIMIT}",
    "the entries of a diff": f"{diffs.MAX_ENTRIES}",
    "a trait's name": f"{customer_routes.MAX_TRAIT_NAME_CHARACTERS} characters",
    "traits, consents, identities of a customer": f"{decider.MAX_TRAITS}, {decider.MAX_CONSENTS}, "
    f"{decider.MAX_IDENTITIES}",
    "preferences set together": f"{customer_routes.MAX_PREFERENCES}",
    "a message's text, its kind": f"{message_routes.MAX_TEXT_CHARACTERS:,} characters, "
    f"{message_routes.MAX_KIND_CHARACTERS}",
    "different items in a cart; of each": f"{carts.MAX_LINES}; {cart_routes.MAX_QUANTITY:,}",
    "a visitor's carts that are remembered": f"{carts.MAX_CARTS_OF_A_VISITOR}",
    "a token": f"{signed_token.MAX_TOKEN_CHARACTERS:,} characters",
    "a URL": f"{target.MAX_TARGET_BYTES:,} bytes",
}


@pytest.mark.parametrize("what", LIMITS)
def test_a_limit_is_documented_as_the_code_has_it(what: str) -> None:
    assert f"| {what} | {LIMITS[what]} |" in reference("events.md").splitlines()
