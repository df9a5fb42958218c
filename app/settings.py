"""Every setting, read once from the environment (``TIDINGS_*``) into one frozen struct."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from app.kernel.errors import InvalidInput
from app.kernel.sensitive import DEFAULT_SENSITIVE_FIELDS

PREFIX = "TIDINGS_"

_SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,47}")


class Settings(Struct, frozen=True, kw_only=True):
    """How this process runs; each field is the environment variable of the same name, upper case.

    The descriptions are the reference: `docs/reference/settings.md` and ``--help`` show them.
    """

    database_url: Annotated[
        str | None,
        Meta(
            description="The PostgreSQL to use (15 or newer), as a libpq URI. "
            "Unset: the embedded one."
        ),
    ] = None
    read_database_url: Annotated[
        str | None,
        Meta(
            description="A streaming replica of that PostgreSQL, as a libpq URI, where queries "
            "read. Unset: they read where commands write."
        ),
    ] = None
    schema: Annotated[
        str, Meta(description="The schema that holds the store; a schema is a store.")
    ] = "tidings"
    data_dir: Annotated[
        Path, Meta(description="Where the embedded PostgreSQL and the store's secret live.")
    ] = Path("~/.local/share/tidings")
    secret: Annotated[
        str | None,
        Meta(
            description="The store's secret for keyed digests, at least 32 characters. Unset: the "
            "file `secret` in the data directory, made on first use."
        ),
    ] = None
    master_key: Annotated[
        str | None,
        Meta(
            description="The master key that customers' data keys are wrapped under: 32 bytes in "
            "hexadecimal or Base64; for a rewrap, the old and the new one with a comma in between. "
            "Unset: a file of master keys."
        ),
    ] = None
    master_key_file: Annotated[
        Path | None,
        Meta(
            description="The file of master keys. Unset: `master-key` in the data directory. Made "
            "on first use."
        ),
    ] = None
    sensitive_fields: Annotated[
        str,
        Meta(
            description="The names of the fields of events, and of traits, that are sealed under "
            "their customer's key."
        ),
    ] = " ".join(DEFAULT_SENSITIVE_FIELDS)
    environment: Annotated[
        str,
        Meta(
            pattern="^[a-z]{1,16}$",
            description="What this store is for; it stands in API keys, and keys of another "
            "environment are refused.",
        ),
    ] = "live"
    api_key: Annotated[
        str | None,
        Meta(
            description="The API key that commands use which call the API. Unset: on the embedded "
            "store they make themselves one for a short time."
        ),
    ] = None
    host: Annotated[str, Meta(description="The address that the API listens on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="The port that the API listens on.")] = (
        8000
    )
    workers: Annotated[int, Meta(ge=1, le=64, description="How many processes serve the API.")] = 1
    shards: Annotated[
        int,
        Meta(
            ge=1,
            le=64,
            description="How many shards the work on a read model gets when it is first made.",
        ),
    ] = 1
    accept_data_loss: Annotated[
        bool,
        Meta(
            description="Start even on a server whose fsync, full_page_writes or "
            "synchronous_commit is off, where a crash can lose acknowledged events."
        ),
    ] = False
    log_level: Annotated[
        str, Meta(pattern="^(debug|info|warning|error)$", description="The least level logged.")
    ] = "info"
    log_format: Annotated[
        str,
        Meta(
            pattern="^(auto|console|json)$",
            description="`console`, `json`, or `auto`: readable on a terminal, JSON otherwise.",
        ),
    ] = "auto"
    poll_interval_ms: Annotated[
        int,
        Meta(
            ge=10,
            le=60_000,
            description="How often a consumer looks at the log when nothing wakes it.",
        ),
    ] = 1000
    min_position_timeout_ms: Annotated[
        int,
        Meta(
            ge=0,
            le=60_000,
            description="How long a query with `min_position` waits for its read model.",
        ),
    ] = 5000


def read_settings(environ: Mapping[str, str] | None = None, **given: object) -> Settings:
    """The settings of the environment; what is given as an option goes before it.

    Raises `InvalidInput` with the variable's name for a value that does not fit, and for a
    ``TIDINGS_*`` variable that does not exist (a misspelt one would be ignored in silence).
    """
    environ = os.environ if environ is None else environ
    fields = Settings.__struct_fields__
    values: dict[str, Any] = {}
    for variable, value in environ.items():
        if not variable.startswith(PREFIX) or variable.startswith(f"{PREFIX}TEST_"):
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name not in fields:
            raise InvalidInput(f"there is no setting {variable}", field=variable)
        values[name] = value
    values |= {name: value for name, value in given.items() if value is not None}
    settings = _converted(values)
    _check(settings)
    return msgspec.structs.replace(settings, data_dir=settings.data_dir.expanduser().absolute())


def environment_of(settings: Settings) -> dict[str, str]:
    """The variables that give another process the same settings."""
    return {
        PREFIX + name.upper(): str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in msgspec.structs.asdict(settings).items()
        if value is not None
    }


def _check(settings: Settings) -> None:
    if not _SCHEMA_NAME.fullmatch(settings.schema) or settings.schema.startswith("pg_"):
        raise InvalidInput(
            "a schema is named with up to 48 of a-z, 0-9 and _, not pg_…", field="TIDINGS_SCHEMA"
        )
    for name in ("database_url", "read_database_url"):
        try:
            conninfo_to_dict(getattr(settings, name) or "")
        except ProgrammingError:  # which says the whole of it, password included
            raise InvalidInput(
                "it is no libpq URI, such as postgresql://user@host/database",
                field=_variable(name),
            ) from None
    if settings.secret is not None and len(settings.secret) < 32:
        raise InvalidInput("the secret has at least 32 characters", field="TIDINGS_SECRET")


def _converted(values: dict[str, Any]) -> Settings:
    """Convert one by one, so that an error names its variable."""
    types = {field.name: field.type for field in msgspec.structs.fields(Settings)}
    converted = {}
    for name, value in values.items():
        if value == "":  # as of a variable of a script that was never set
            raise InvalidInput("it is empty: give it a value, or unset it", field=_variable(name))
        try:
            converted[name] = msgspec.convert(
                value, types[name], strict=False, dec_hook=lambda of, text: of(text)
            )
        except (msgspec.ValidationError, TypeError, ValueError) as error:
            raise InvalidInput(str(error), field=_variable(name)) from None
    return Settings(**converted)


def _variable(name: str) -> str:
    return PREFIX + name.upper()
