"""What may be wrong with a rule beside its expressions."""

from collections.abc import Collection, Iterator

from app.engagement.command_fields import Commands, required_of, results_of
from app.engagement.durations import MAX_DURATION, as_timedelta
from app.engagement.places import StepAt, steps_in, types_of
from app.engagement.rule import (
    MAX_BRANCH_DEPTH,
    MAX_STEPS,
    CallCommand,
    IssueOffer,
    RecordEvent,
    Rule,
    SendMessage,
    Wait,
)

MAX_EXPRESSIONS_OF_A_STEP = 50
NEVER_LOOKED_AT = ("decision.", "rule.", "reaction.", "engagement.", "tidings.")
"""What types of events begin with that rules do not see: decisions trigger no rules."""

Fault = tuple[str, str]
"""The path of a field, and what is wrong with it."""


def faults_of(rule: Rule, commands: Commands, channels: Collection[str]) -> Iterator[Fault]:
    """Every fault."""
    for field, event_type in types_of(rule):
        if event_type.startswith(NEVER_LOOKED_AT):
            yield field, f"rules do not look at events of type {event_type!r}"
    yield from _faults_of_whole(rule)
    message_ids: set[str] = set()
    for count, at in enumerate(steps_in(rule), 1):
        if count > MAX_STEPS:
            yield at.field, f"a rule has at most {MAX_STEPS} steps"
            return
        yield from _faults_of_step(at, rule, commands, channels)
        if isinstance(at.step, SendMessage):
            if at.step.id in message_ids:
                yield f"{at.field}.id", "another message of the rule has this id"
            message_ids.add(at.step.id)


def _faults_of_whole(rule: Rule) -> Iterator[Fault]:
    limits = rule.limits
    for field, whole in (
        ("goal", rule.goal),
        ("pattern", rule.pattern),
        ("limits.mass", limits.mass),
    ):
        if whole is not None:
            yield from _too_long(f"{field}.within", whole.within)
    yield from _too_long("limits.re_entry.each", limits.re_entry.each)
    if limits.re_entry.each is not None and limits.re_entry.at_most is None:
        yield "limits.re_entry.at_most", "how often in each is missing"


def _too_long(field: str, duration: str | None) -> Iterator[Fault]:
    if duration is not None and as_timedelta(duration) > MAX_DURATION:
        yield field, f"a duration is at most {MAX_DURATION.days}d"


def _faults_of_step(
    at: StepAt, rule: Rule, commands: Commands, channels: Collection[str]
) -> Iterator[Fault]:
    if at.depth > MAX_BRANCH_DEPTH:
        yield at.field, f"branches stand in each other at most {MAX_BRANCH_DEPTH} deep"
    match at.step:
        case SendMessage() as send:
            yield from _faults_of_message(at.field, send, channels)
        case IssueOffer() as offer:
            yield from _too_long(f"{at.field}.expires_in", offer.expires_in)
            yield from _too_long(f"{at.field}.each", offer.each)
            if offer.each is not None and offer.per_customer is None:
                yield f"{at.field}.per_customer", "how many in each is missing"
        case RecordEvent() as record:
            yield from _too_many(f"{at.field}.data", record.data)
            if record.type == rule.trigger.event:
                yield f"{at.field}.type", "the rule would begin itself"
        case CallCommand() as call:
            yield from _faults_of_call(at.field, call, commands)
        case Wait() as wait:
            yield from _faults_of_wait(at.field, wait)
        case _:
            pass


def _faults_of_message(field: str, send: SendMessage, channels: Collection[str]) -> Iterator[Fault]:
    if (send.text is None) == (send.template is None):
        yield field, "a message has either a text or a template"
    for index, channel in enumerate(send.channels):
        if channel not in channels:
            known = ", ".join(sorted(channels))
            yield f"{field}.channels[{index}]", f"there is no channel {channel!r}, but {known}"
        elif channel in send.channels[:index]:
            yield f"{field}.channels[{index}]", "the channel is named twice"
    yield from _too_many(f"{field}.parameters", send.parameters)


def _faults_of_call(field: str, call: CallCommand, commands: Commands) -> Iterator[Fault]:
    command = commands.get(call.command)
    if command is None:
        known = ", ".join(sorted(commands))
        yield f"{field}.command", f"rules cannot call {call.command!r}, but {known}"
        return
    takes = results_of(command)
    for name in call.fields:
        if name not in takes:
            known = ", ".join(sorted(takes)) or "no fields"
            yield f"{field}.fields.{name}", f"there is no such field: {call.command} takes {known}"
    for name in sorted(required_of(command) - set(call.fields)):
        yield f"{field}.fields.{name}", "it is missing"


def _faults_of_wait(field: str, wait: Wait) -> Iterator[Fault]:
    if sum(one is not None for one in (wait.time, wait.local_time, wait.event)) != 1:
        yield field, "one waits either for a time, or until a local time, or for an event"
    if (wait.event is None) != (wait.at_most is None):
        yield f"{field}.at_most", "at_most goes with event, and event with at_most"
    yield from _too_long(f"{field}.time", wait.time)
    yield from _too_long(f"{field}.at_most", wait.at_most)


def _too_many(field: str, expressions: Collection[str]) -> Iterator[Fault]:
    if len(expressions) > MAX_EXPRESSIONS_OF_A_STEP:
        yield field, f"a step has at most {MAX_EXPRESSIONS_OF_A_STEP} expressions"
