"""Every setting, read once from the environment (``TIDINGS_*``) into one frozen struct."""

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from app.kernel.errors import InvalidInput
from app.kernel.sensitive import DEFAULT_SENSITIVE_FIELDS

PREFIX = "TIDINGS_"

_HOST_NAME = re.compile(r"[A-Za-z0-9._~-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\]")
_ORIGIN = re.compile(rf"https?://(?:{_HOST_NAME.pattern})(?::[0-9]{{1,5}})?")
_SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,47}")
_ISSUER = re.compile(
    r"(?:https://[^\s/?#@]+|http://(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]+)?)(?:/[^\s?#]*)?"
)


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
    oidc_issuer: Annotated[
        str | None,
        Meta(
            description="The OpenID provider whose tokens are let in, by its issuer's URL. Unset: "
            "none."
        ),
    ] = None
    oidc_audience: Annotated[
        str | None,
        Meta(description="The audience that the provider's tokens must be for; goes with it."),
    ] = None
    oidc_algorithm: Annotated[
        str,
        Meta(
            pattern="^((RS|PS|ES)(256|384|512)|EdDSA)$",
            description="The one algorithm that the provider's tokens are signed with.",
        ),
    ] = "RS256"
    oidc_scopes_claim: Annotated[
        str, Meta(description="The claim of the provider's tokens that names their scopes.")
    ] = "scope"
    host: Annotated[str, Meta(description="The address that the API listens on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="The port that the API listens on.")] = (
        8000
    )
    allowed_hosts: Annotated[
        str | None,
        Meta(
            description="The names that requests may call the server by, in `Host`, separated by "
            "commas and without ports. Unset: any. Health is told to whoever asks."
        ),
    ] = None
    cors_origins: Annotated[
        str | None,
        Meta(
            description="The origins whose pages may call the API from a browser, separated by "
            "commas, such as `https://app.example.com`. Unset: none."
        ),
    ] = None
    hsts_max_age_s: Annotated[
        int,
        Meta(
            ge=0,
            le=63_072_000,
            description="For how long browsers are told to come by TLS only "
            "(Strict-Transport-Security), where something before the server speaks TLS. 0: they "
            "are not.",
        ),
    ] = 0
    max_requests_per_s: Annotated[
        int,
        Meta(
            ge=0,
            le=10_000_000,
            description="How many requests a second each credential's owner may send, to all "
            "processes together. 0: any number.",
        ),
    ] = 5_000
    max_events_per_s: Annotated[
        int,
        Meta(
            ge=0,
            le=10_000_000,
            description="How many events a second each owner may record, by `POST /v1/events` and "
            "by commands. 0: any number.",
        ),
    ] = 20_000
    max_live_streams: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000,
            description="How many live streams each owner may follow at a time, at each of the "
            "processes that serve the API.",
        ),
    ] = 500
    workers: Annotated[int, Meta(ge=1, le=64, description="How many processes serve the API.")] = 1
    shards: Annotated[
        int,
        Meta(
            ge=1,
            le=64,
            description="How many shards the work on a read model, or on reactions, gets when it "
            "is first made.",
        ),
    ] = 1
    accept_data_loss: Annotated[
        bool,
        Meta(
            description="Start even on a server whose fsync, full_page_writes or "
            "synchronous_commit is off, where a crash can lose acknowledged events."
        ),
    ] = False
    smtp_url: Annotated[
        str | None,
        Meta(
            description="The mail server that the channel `email` hands mail to, such as "
            "`smtps://user:password@mail.example.com`; `smtp://` takes STARTTLS where it is "
            "offered, and insists on it for a password. Unset: there is no such channel."
        ),
    ] = None
    smtp_from: Annotated[
        str | None,
        Meta(description="The address that mail is from, such as `Shop <shop@example.com>`."),
    ] = None
    webhook_url: Annotated[
        str | None,
        Meta(
            description="Where the channel `webhook` posts messages to. Unset: there is no such "
            "channel."
        ),
    ] = None
    webhook_secret: Annotated[
        str | None,
        Meta(description="What messages to the webhook are signed with: `whsec_…`, in Base64."),
    ] = None
    receipts_secret: Annotated[
        str | None,
        Meta(
            description="What receipts of channels' providers are signed with: `whsec_…`, in "
            "Base64. Unset: none are taken."
        ),
    ] = None
    allowed_destinations: Annotated[
        str | None,
        Meta(
            description="The hosts and networks that webhooks may lead to although they are not "
            "public, separated by commas, such as `hooks.internal,10.1.0.0/16`. Unset: none."
        ),
    ] = None
    console_channel: Annotated[
        bool,
        Meta(
            description="Whether there is the channel `console`, which writes messages, words "
            "and all, to the courier's output: for trials."
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

    @property
    def poll_interval(self) -> timedelta:
        """See `poll_interval_ms`."""
        return timedelta(milliseconds=self.poll_interval_ms)

    @property
    def min_position_timeout(self) -> timedelta:
        """See `min_position_timeout_ms`."""
        return timedelta(milliseconds=self.min_position_timeout_ms)


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
    _check_openid(settings)
    for name, other in (("smtp_url", "smtp_from"), ("webhook_url", "webhook_secret")):
        if (getattr(settings, name) is None) != (getattr(settings, other) is None):
            missing = name if getattr(settings, name) is None else other
            raise InvalidInput(f"{name} and {other} go together", field=_variable(missing))
    if not all(map(_HOST_NAME.fullmatch, listed(settings.allowed_hosts))):
        raise InvalidInput("it names hosts, without ports", field="TIDINGS_ALLOWED_HOSTS")
    if not all(map(_ORIGIN.fullmatch, listed(settings.cors_origins))):
        raise InvalidInput(
            "it names origins: scheme, host and perhaps port, without a slash at the end",
            field="TIDINGS_CORS_ORIGINS",
        )
    if settings.secret is not None and len(settings.secret) < 32:
        raise InvalidInput("the secret has at least 32 characters", field="TIDINGS_SECRET")


def _check_openid(settings: Settings) -> None:
    """A provider is trusted only over https; but on this very machine, for trying things out."""
    if (settings.oidc_issuer is None) != (settings.oidc_audience is None):
        missing = "oidc_issuer" if settings.oidc_issuer is None else "oidc_audience"
        raise InvalidInput("issuer and audience go together", field=_variable(missing))
    if settings.oidc_issuer is not None and not _ISSUER.fullmatch(settings.oidc_issuer):
        raise InvalidInput(
            "an issuer is a URL with https, without a query", field="TIDINGS_OIDC_ISSUER"
        )


def listed(text: str | None) -> tuple[str, ...]:
    """What a setting names, separated by commas."""
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


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
