"""The command line: one file a command, loaded when it is asked for."""

from importlib import import_module

import psycopg
import rich_click as click
from rich.console import Console
from rich_click import RichGroup

from app.kernel.errors import InvalidInput, TidingsError

COMMANDS = {
    "up": "up",
    "serve": "serve",
    "projector": "projector",
    "migrate": "migrate",
    "projections": "projections",
    "rebuild": "rebuild",
    "import": "import_events",
    "simulate": "simulate",
}
"""The commands, in the order of the help, and the module of each."""


class Commands(RichGroup):
    """Loads a command's module when it is needed, and turns our errors into one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """All commands, in the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of this name, if there is one."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"app.cli.{COMMANDS[cmd_name]}").command
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run; what goes wrong is said in one line, and the exit status is not 0."""
        try:
            return super().invoke(ctx)
        except InvalidInput as error:
            raise click.UsageError(
                f"{error.field}: {error}" if error.field else str(error)
            ) from None
        except TidingsError as error:
            raise click.ClickException(str(error)) from None
        except psycopg.OperationalError as error:
            line = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise click.ClickException(line) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tidings")
def main() -> None:
    """Remember everything that happens to your customers, and react while it still matters.

    Every option is also a `TIDINGS_*` environment variable; the option goes first.
    """


console = Console()
errors = Console(stderr=True)
