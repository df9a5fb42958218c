"""``POST /v1/events``: the hot route, served before the framework's router.

An event costs little more here than its bytes: it is checked, wrapped and handed to the appender as
it came, and is never taken apart and put together again.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import msgspec
from litestar import Request, Response, post
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody
from msgspec import Meta, Struct
from msgspec.json import Encoder

from app.eventstore.port import Append, Appended, EventStore, Waiter
from app.http.access import requires
from app.http.asgi import AnyScope, Receive, Scope, Send, respond
from app.http.at_once import Start
from app.http.context import idempotency_key, metadata_of
from app.http.limits import take_events, take_together
from app.http.problems import Problem, problem_for
from app.http.request import check_body_headers, read_json_body
from app.kernel.declared import Reason
from app.kernel.errors import InvalidInput, StoreUnavailable
from app.modules.interactions.incoming import EventKey, IncomingEvent, Intake, split_batch
from app.modules.interactions.quarantine import Kept, Misfit, Quarantine
from app.modules.interactions.seal import Seal, sealed_misfits, unsealed

MAX_BATCH_EVENTS = 1_000
MAX_BATCH_BYTES = 4 * 1024 * 1024

_JSON = [(b"content-type", b"application/json")]
_encoder = Encoder()


class RecordedOutcome(Struct, frozen=True):
    """Where an event stands in the log."""

    outcome: Literal["recorded", "repeated"]
    """``repeated``: it was recorded before, and this request changed nothing."""
    position: Annotated[int, Meta(examples=[1042])]
    event_id: UUID
    stream: Annotated[str, Meta(examples=["activity-anna"])]
    version: Annotated[int, Meta(examples=[7])]


class RejectedOutcome(Struct, frozen=True, kw_only=True):
    """Why an event was not recorded; the others of its batch were."""

    outcome: Literal["rejected"] = "rejected"
    problem: Problem


class QuarantinedOutcome(Struct, frozen=True, kw_only=True):
    """The event is kept, but does not fit the schema of its type; it can be replayed."""

    outcome: Literal["quarantined"] = "quarantined"
    event_id: UUID
    """Under which it is recorded when it fits."""
    reasons: tuple[Reason, ...]
    repeated: bool
    """Whether it was quarantined before, and this request changed nothing."""


class Outlet(NamedTuple):
    """A way to the store for one event, without anything that waits."""

    submit: Callable[[Append, Waiter], None]
    """Has the waiter told what becomes of an append. Raises `StoreUnavailable`."""
    sealing: Callable[[Append], Callable[[], Append] | None]
    """What seals an append, or leaves it as it is; None when that has to wait for a key."""


_Answer = Appended | Kept | Exception
Outcome = RecordedOutcome | QuarantinedOutcome | RejectedOutcome


_ANSWERS = {
    201: ResponseSpec(
        RecordedOutcome, generate_examples=False, description="The event is recorded."
    ),
    202: ResponseSpec(
        QuarantinedOutcome,
        generate_examples=False,
        description="The event does not fit the schema of its type, and is quarantined.",
    ),
    200: ResponseSpec(
        RecordedOutcome | list[Outcome],
        generate_examples=False,
        description="The event was recorded before; or what became of each of a batch's events.",
    ),
}


class EventsEndpoint:
    """Records one event, or a batch of which each is recorded, quarantined or rejected alone."""

    def __init__(
        self,
        store: EventStore,
        intake: Intake,
        quarantine: Quarantine,
        seal: Seal = unsealed,
        outlet: Outlet | None = None,
    ) -> None:
        """Take the store, what makes appends of what is sent, where misfits are kept, and what
        seals both. With an outlet, the usual event takes that.
        """
        self._store = store
        self._intake = intake
        self._quarantine = quarantine
        self._seal = seal
        self._outlet = outlet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, as an ASGI application."""
        body = await read_json_body(scope, receive, max_bytes=MAX_BATCH_BYTES)
        status, answer = await self.record(body, scope)
        await respond(send, status, _JSON, answer)

    def prepare(self, body: bytes, scope: Scope) -> Start | None:
        """See `app.http.at_once.PlainEndpoint`: one event, whose customer's key is at hand."""
        if self._outlet is None or _is_batch(body):
            return None
        check_body_headers(scope)
        sealed = self._outlet.sealing(self._append_of(body, scope))
        if sealed is None or not take_together(scope, events=1):
            return None
        return partial(self._outlet.submit, sealed())

    def answer_of(self, outcome: Appended) -> tuple[int, bytes]:
        """See `app.http.at_once.PlainEndpoint`."""
        return _answer(outcome)

    def _append_of(self, body: bytes, scope: AnyScope) -> Append:
        key = _header_key(scope, 0)
        return self._intake.append_of(body.strip(), metadata_of(scope), key)

    async def record(self, body: bytes, scope: AnyScope) -> tuple[int, bytes]:
        """The status and JSON that answer a body: an object's outcome, or an array of them.

        Raises the error of an event sent alone, `InvalidInput` or `InputTooLarge` for a batch that
        cannot be looked at, and `StoreUnavailable` when nothing of it could be recorded.
        """
        if _is_batch(body):
            return 200, _encoder.encode(await self._record_batch(body, scope))
        take_events(scope, 1)
        try:
            append = self._append_of(body, scope)
        except Misfit as misfit:
            (answer,) = await self._quarantine.keep(await sealed_misfits([misfit], self._seal))
            return _answer(answer)
        (append,) = await self._seal([append])
        return _answer(await self._store.append(append))

    async def _record_batch(self, body: bytes, scope: AnyScope) -> Sequence[Outcome]:
        events = split_batch(body, max_events=MAX_BATCH_EVENTS)
        take_events(scope, len(events))
        metadata = metadata_of(scope)
        appends: dict[int, Append] = {}
        misfits: dict[int, Misfit] = {}
        answers: dict[int, _Answer] = {}
        for number, event in enumerate(events):
            try:
                append = self._intake.append_of(event, metadata, _header_key(scope, number))
            except InvalidInput as error:
                answers[number] = error
            except Misfit as misfit:
                misfits[number] = misfit
            else:
                appends[number] = append
        if appends:
            sealed = await self._seal(list(appends.values()))
            appended = await self._store.append_many(sealed)
            answers.update(zip(appends, appended, strict=True))
        if misfits:
            misfitting = await sealed_misfits(list(misfits.values()), self._seal)
            kept = await self._quarantine.keep(misfitting)
            answers.update(zip(misfits, kept, strict=True))
        return [_outcome_of(answers[number], number) for number in range(len(events))]


def _is_batch(body: bytes) -> bool:
    return body.lstrip().startswith(b"[")


def _header_key(scope: AnyScope, ordinal: int) -> EventKey | None:
    """By what an event without an id of its own is recognised: the request's key and its place."""
    key = idempotency_key(scope)
    return EventKey("request", key, ordinal) if key else None


def _answer(answer: _Answer) -> tuple[int, bytes]:
    """What answers an event that was sent alone."""
    match answer:
        case Exception():
            raise answer
        case Kept():
            return 202, _encoder.encode(_kept(answer))
        case Appended(repeated=repeated):
            return 200 if repeated else 201, _encoder.encode(_outcome(answer))


def _outcome_of(answer: _Answer, number: int) -> Outcome:
    if isinstance(answer, Appended):
        return _outcome(answer)
    if isinstance(answer, Kept):
        return _kept(answer)
    if isinstance(answer, StoreUnavailable):
        # The rest may or may not be recorded: the sender is to send the whole batch again.
        raise answer
    return _rejected(answer, number)


def _outcome(appended: Appended) -> RecordedOutcome:
    event = appended.events[0]
    return RecordedOutcome(
        "repeated" if appended.repeated else "recorded",
        event.position,
        event.event_id,
        event.stream,
        event.version,
    )


def _kept(kept: Kept) -> QuarantinedOutcome:
    return QuarantinedOutcome(event_id=kept.event_id, reasons=kept.reasons, repeated=kept.repeated)


def _rejected(error: Exception, number: int) -> RejectedOutcome:
    problem = problem_for(error)
    field = f"[{number}].{problem.field}" if problem.field else f"[{number}]"
    return RejectedOutcome(problem=msgspec.structs.replace(problem, field=field))


def event_routes(endpoint: EventsEndpoint) -> list[HTTPRouteHandler]:
    """The route as the framework knows it; the endpoint is mounted before it, for speed."""

    @post(
        "/v1/events",
        opt=requires("events:write"),
        tags=["Events"],
        summary="Record what happened",
        status_code=201,
        responses=_ANSWERS,
    )
    async def record_events(
        request: Request[Any, Any, Any],
        data: JSONBody[IncomingEvent | list[IncomingEvent]],  # noqa: ARG001 - for the document
    ) -> Response[bytes]:
        """Record one event (an object) or a batch (an array of at most 1,000, of 4 MiB together).

        An object is answered with its outcome: 201, or 200 when it was recorded before, or 202 when
        it does not fit the schema that is declared of its type, and is quarantined. An array is
        answered with 200 and an outcome for each event, in order; good ones are recorded although
        others are rejected or quarantined. With an `id`, or an `Idempotency-Key`, sending again is
        always safe.
        """
        status, answer = await endpoint.record(await request.body(), request.scope)
        return Response(answer, status_code=status, media_type="application/json")

    return [record_events]
