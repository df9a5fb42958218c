"""The command line: one file a command, loaded when it is asked for."""

import os
import sys
from importlib import import_module
from typing import Any, NoReturn

import psycopg
import rich_click as click
from click.exceptions import Exit, NoArgsIsHelpError
from rich.console import Console
from rich.markup import escape
from rich_click import RichGroup

from app.kernel.errors import InvalidInput, TidingsError

console = Console(width=None if sys.stdout.isatty() else 200)
errors = Console(stderr=True)

COMMANDS = {
    "up": "up",
    "serve": "serve",
    "projector": "projector",
    "reactor": "reactor",
    "courier": "courier",
    "migrate": "migrate",
    "keys": "keys",
    "erase": "erase",
    "export": "export",
    "projections": "projections",
    "rebuild": "rebuild",
    "reactions": "reactions",
    "timers": "timers",
    "messages": "messages",
    "rules": "rules",
    "redact": "redact",
    "import": "import_events",
    "simulate": "simulate",
}
"""The commands, in the order of the help, and the module of each."""


class Commands(RichGroup):
    """Loads a command's module when it is needed, and turns errors into one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """All commands, in the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        cmd_name: str,
    ) -> click.Command | None:
        """The command of this name, if there is one."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"app.cli.{COMMANDS[cmd_name]}").command
        command.name = cmd_name
        return command

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Run; what goes wrong is said in one line, and the exit status is not 0."""
        try:
            super().main(*args, **{**kwargs, "standalone_mode": False})
            sys.exit(0)
        except Exit as done:
            sys.exit(done.exit_code)
        except NoArgsIsHelpError as error:
            error.show()
            sys.exit(error.exit_code)
        except click.ClickException as error:
            _fail(" ".join(error.format_message().split()), error.exit_code)
        except InvalidInput as error:
            _fail(f"{error.field}: {error}" if error.field else str(error), 2)
        except (TidingsError, psycopg.OperationalError) as error:
            _fail(str(error), 1)
        except BrokenPipeError:
            _close_output()
            sys.exit(1)
        except (click.Abort, KeyboardInterrupt):
            sys.exit(130)


def _fail(message: str, status: int) -> NoReturn:
    line = (message.strip() or "failed").splitlines()[0]
    errors.print(f"[red]tidings:[/] {escape(line)}", soft_wrap=True, highlight=False)
    sys.exit(status)


def _close_output() -> None:
    """Whoever read the output has gone; Python would complain of it once more when it ends.

    As in "Note on SIGPIPE" of the manual of Python's module signal.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tidings")
def main() -> None:
    """Remember everything that happens to your customers, and react while it still matters.

    Options that show a `TIDINGS_*` name can be set by that environment variable too; the option
    goes first.
    """
