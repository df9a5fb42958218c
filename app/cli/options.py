"""Options that are settings: declared once, in `Settings`."""

from collections.abc import Callable
from typing import Any, TypeVar, get_type_hints

import msgspec
import rich_click as click
from msgspec.inspect import Metadata, type_info

from app.kernel.errors import InvalidInput
from app.settings import PREFIX, Settings, read_settings

F = TypeVar("F", bound=Callable[..., Any])

STORE = ("database_url", "schema", "data_dir", "accept_data_loss")
OPENID = ("oidc_issuer", "oidc_audience", "oidc_algorithm", "oidc_scopes_claim")
SEALING = ("master_key", "master_key_file", "sensitive_fields")
CHANNELS = (
    *("smtp_url", "smtp_from", "webhook_url", "webhook_secret"),
    *("allowed_destinations", "console_channel"),
)
LOGS = ("log_level", "log_format")
EDGE = (
    *("allowed_hosts", "cors_origins", "hsts_max_age_s"),
    *("max_requests_per_s", "max_events_per_s", "max_live_streams"),
)


def settings_options(*names: str) -> Callable[[F], F]:
    """Give a command these settings as options; `settings_of` reads them together."""

    def decorate(command: F) -> F:
        for name in reversed(names):
            command = _option(name)(command)
        return command

    return decorate


def settings_of(options: dict[str, Any]) -> Settings:
    """The settings of the environment, with the options given taking precedence."""
    try:
        return read_settings(**options)
    except InvalidInput as error:
        name = error.field.removeprefix(PREFIX).lower()
        if options.get(name) is None:
            raise
        raise InvalidInput(str(error), field=f"--{name.replace('_', '-')}") from None


def _option(name: str) -> Callable[[F], F]:
    field = next(f for f in msgspec.structs.fields(Settings) if f.name == name)
    default = "" if field.default is None else f" Default: {field.default}."
    return click.option(
        f"--{name.replace('_', '-')}",
        name,
        metavar=None if isinstance(field.default, bool) else f"{PREFIX}{name.upper()}",
        help=f"{description_of(name)}{default}",
        is_flag=isinstance(field.default, bool),
        default=None,
    )


def description_of(name: str) -> str:
    """What a setting is for, as its declaration says."""
    info = type_info(get_type_hints(Settings, include_extras=True)[name])
    schema = info.extra_json_schema if isinstance(info, Metadata) else None
    return str((schema or {}).get("description", ""))
