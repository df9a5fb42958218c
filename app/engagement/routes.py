"""Rules over HTTP: they are written, go live, are paused, resumed and retired; and the settings."""

from collections.abc import Sequence
from typing import Annotated, Any

from litestar import Request, Response, get, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.types import ASGIApp
from msgspec import Meta, Struct, structs

from app.engagement.compiled import InvalidRule
from app.engagement.decider import (
    MAX_VERSIONS,
    RULE,
    SETTINGS,
    SETTINGS_ID,
    WHOLE_SHARE,
    ChangeSettings,
    GoLive,
    Pause,
    Resume,
    Retire,
)
from app.engagement.durations import MAX_DURATION, as_timedelta
from app.engagement.events import OnChange
from app.engagement.rule import Rule, Settings
from app.engagement.rules import CHANNELS, RuleDetails, Rules, RuleSummary
from app.eventstore.execute import Executed, Step
from app.http.access import requires
from app.http.conditional import etag
from app.http.fields import Nothing
from app.http.problems import FieldError, InvalidParameters
from app.kernel.errors import InvalidInput
from app.kernel.time_zones import zone_named
from app.security.commands import MAX_COMMAND_BYTES, Commands, command

_TAGS = ["Rules"]
_READ, _WRITE = requires("rules:read"), requires("rules:write")
_PATH = "/v1/rules/{name:str}"

Version = Annotated[
    int | None,
    QueryParameter(ge=1, le=MAX_VERSIONS, description="The version to show; else the newest."),
]


class Going(Struct, frozen=True, forbid_unknown_fields=True):
    """Which version goes live, and how."""

    version: Annotated[int, Meta(ge=1, description="The rule's version.", examples=[2])]
    on_change: Annotated[
        OnChange,
        Meta(
            description="What becomes of what runs on another version: it goes on (`drain`), goes "
            "on with this one (`migrate`), or ends."
        ),
    ] = OnChange.DRAIN
    share: Annotated[
        int,
        Meta(
            ge=1,
            le=WHOLE_SHARE,
            description="Of the customers, in percent; others keep what is live.",
            examples=[10],
        ),
    ] = WHOLE_SHARE


class Resuming(Struct, frozen=True, forbid_unknown_fields=True):
    """How a rule goes on."""

    fire_overdue: Annotated[
        bool, Meta(description="Whether what fell due meanwhile is done now; else it is dropped.")
    ] = False


class RuleList(Struct, frozen=True):
    """Every rule."""

    items: Sequence[RuleSummary]


class SavedRule(Executed, frozen=True, kw_only=True):
    """What was recorded; no event when the newest version said the same."""

    rule_version: Annotated[int, Meta(examples=[2])]
    """The rule's version, by which it goes live."""
    missing_templates: Annotated[Sequence[str], Meta(examples=[[]])]
    """Where it names templates that are still to be saved, before it goes live."""


def rule_routes(commands: Commands, rules: Rules) -> list[HTTPRouteHandler]:
    """The routes of rules."""
    return [
        *_writing_routes(commands, rules),
        *_reading_routes(rules),
        *_life_routes(commands, rules),
        *_settings_routes(commands),
    ]


def _writing_routes(commands: Commands, rules: Rules) -> list[HTTPRouteHandler]:
    @put(
        _PATH,
        opt=_WRITE,
        tags=_TAGS,
        summary="Save a rule",
        status_code=200,
        request_max_body_size=MAX_COMMAND_BYTES,
    )
    async def save_rule(
        request: Request[Any, Any, Any], name: FromPath[str], data: JSONBody[Rule]
    ) -> Response[SavedRule]:
        """A new version of it, or the first: a draft until it goes live.

        Expressions are checked against the types of events as they are declared now; every fault
        is answered with its place.
        """
        try:
            saving = await rules.saving(name, data)
        except InvalidRule as error:
            raise as_problem(error) from error
        executed = await commands.execute(request, Step(RULE, name, saving))
        version = await rules.version_saved(name, executed.version)
        answer = SavedRule(
            **structs.asdict(executed),
            rule_version=version,
            missing_templates=[fault.field for fault in await rules.missing_templates(data)],
        )
        return Response(answer, headers={"ETag": etag(executed.version)})

    return [save_rule]


def _reading_routes(rules: Rules) -> list[HTTPRouteHandler]:
    @get("/v1/rules", opt=_READ, tags=_TAGS, summary="List rules")
    async def list_rules() -> RuleList:
        """All of them, by name, the retired ones too."""
        return RuleList(await rules.all())

    @get(_PATH, opt=_READ, tags=_TAGS, summary="Read a rule")
    async def read_rule(name: FromPath[str], version: Version = None) -> Response[RuleDetails]:
        """Where it is in its life, its versions, and what one of them says.

        The `ETag` is what `If-Match` expects.
        """
        details, stream_version = await rules.one(name, version)
        return Response(details, headers={"ETag": etag(stream_version)})

    return [list_rules, read_rule]


def _life_routes(commands: Commands, rules: Rules) -> list[HTTPRouteHandler]:
    @command(f"{_PATH}/go-live", scope="rules:write", summary="Let a rule go live", tags=_TAGS)
    async def let_rule_go_live(
        request: Request[Any, Any, Any], name: FromPath[str], data: JSONBody[Going]
    ) -> ASGIApp:
        """A version begins for customers, in place of the one before or for a share beside it.

        It takes effect at its place in the log: on events that are recorded after it. The
        templates that it names must have been saved.
        """
        try:
            going = await rules.going_live(name, GoLive(data.version, data.on_change, data.share))
        except InvalidRule as error:
            raise as_problem(error) from error
        return await commands.run(request, Step(RULE, name, going))

    @command(f"{_PATH}/pause", scope="rules:write", summary="Pause a rule", tags=_TAGS)
    async def pause_rule(
        request: Request[Any, Any, Any],
        name: FromPath[str],
        data: JSONBody[Nothing],  # noqa: ARG001 - it is to be an object without fields
    ) -> ASGIApp:
        """Nothing begins by it, and nothing that it began goes on, until it is resumed."""
        return await commands.run(request, Step(RULE, name, Pause()))

    @command(f"{_PATH}/resume", scope="rules:write", summary="Resume a rule", tags=_TAGS)
    async def resume_rule(
        request: Request[Any, Any, Any],
        name: FromPath[str],
        data: JSONBody[Resuming | None] = None,
    ) -> ASGIApp:
        """It goes on. What fell due meanwhile is dropped, unless asked for."""
        fire_overdue = data is not None and data.fire_overdue
        return await commands.run(request, Step(RULE, name, Resume(fire_overdue)))

    @command(f"{_PATH}/retire", scope="rules:write", summary="Retire a rule", tags=_TAGS)
    async def retire_rule(
        request: Request[Any, Any, Any],
        name: FromPath[str],
        data: JSONBody[Nothing],  # noqa: ARG001 - it is to be an object without fields
    ) -> ASGIApp:
        """It ends for good, with all that it began. Its name is not given away again."""
        return await commands.run(request, Step(RULE, name, Retire()))

    return [let_rule_go_live, pause_rule, resume_rule, retire_rule]


def _settings_routes(commands: Commands) -> list[HTTPRouteHandler]:
    @put(
        "/v1/engagement/settings",
        opt=_WRITE,
        tags=_TAGS,
        summary="Change the settings of engagement",
        status_code=200,
        request_max_body_size=MAX_COMMAND_BYTES,
    )
    async def change_engagement_settings(
        request: Request[Any, Any, Any], data: JSONBody[Settings]
    ) -> ASGIApp:
        """Quiet hours, caps and the time zone of customers who have none: all of it at once."""
        _check_settings(data)
        return await commands.run(request, Step(SETTINGS, SETTINGS_ID, ChangeSettings(data)))

    @get(
        "/v1/engagement/settings",
        opt=_READ,
        tags=_TAGS,
        summary="Read the settings of engagement",
    )
    async def read_engagement_settings() -> Response[Settings]:
        """What holds for all rules. The `ETag` is what `If-Match` expects."""
        folded = await commands.read(SETTINGS, SETTINGS_ID)
        return Response(folded.state, headers={"ETag": etag(folded.version)})

    return [change_engagement_settings, read_engagement_settings]


def as_problem(error: InvalidRule, below: str = "") -> InvalidParameters:
    """Every fault with its place, in a body that is the rule or has it in a field."""
    prefix = f"{below}." if below else ""
    return InvalidParameters(
        [
            FieldError(f"{prefix}{one.field}", one.detail, one.line, one.column)
            for one in error.faults
        ]
    )


def _check_settings(settings: Settings) -> None:
    zone_named(settings.time_zone, field="time_zone")
    for index, cap in enumerate(settings.caps):
        if as_timedelta(cap.within) > MAX_DURATION:
            detail = f"a duration is at most {MAX_DURATION.days}d"
            raise InvalidInput(detail, field=f"caps[{index}].within")
        if cap.channel is not None and cap.channel not in CHANNELS:
            raise InvalidInput(
                f"there is no channel {cap.channel!r}, but {', '.join(sorted(CHANNELS))}",
                field=f"caps[{index}].channel",
            )
    quiet = settings.quiet_hours
    if quiet is not None and quiet.begin == quiet.end:
        raise InvalidInput("quiet hours that end as they begin are none", field="quiet_hours.end")
