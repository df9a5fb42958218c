"""Commands to questions over HTTP."""

from typing import Annotated, Any

from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from litestar.types import ASGIApp
from msgspec import Meta, Struct

from app.eventstore.execute import Step
from app.http.fields import Nothing, Word
from app.kernel.clock import Clock
from app.kernel.errors import InvalidInput
from app.kernel.ids import check_customer_id, check_id
from app.kernel.time_zones import zone_named
from app.modules.support.decider import (
    QUESTION,
    AnswerQuestion,
    AwaitCustomer,
    NoteReply,
    OpenQuestion,
    QuestionCommand,
    ReopenQuestion,
    ResolveQuestion,
)
from app.modules.support.desks import DeskName
from app.security.commands import Commands, command

MAX_QUESTION_ID_CHARACTERS = 100
MAX_TEXT_CHARACTERS = 10_000

_PATH = "/v1/questions/{question_id:str}"
_TAGS = ["Support"]

Text = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_TEXT_CHARACTERS,
        description="The words. They are sealed under the customer's key.",
        examples=["My card was charged twice. What can I do?"],
    ),
]
IsAutomatic = Annotated[
    bool,
    Meta(
        description="Whether a machine wrote it, as a mail with `Auto-Submitted` says.",
        examples=[False],
    ),
]


class NewQuestion(Struct, frozen=True, forbid_unknown_fields=True):
    """What a customer asks."""

    customer_id: Annotated[str, Meta(description="Who asks.", examples=["anna"])]
    text: Text
    channel: Annotated[Word, Meta(description="How it came to us.", examples=["email"])]
    topic: Annotated[Word, Meta(description="What it is about.", examples=["billing"])]
    is_automatic: IsAutomatic = False
    desk: Annotated[
        DeskName, Meta(description="Who answers, when and how soon.", examples=["standard"])
    ] = "standard"
    time_zone: Annotated[
        str,
        Meta(
            max_length=100,
            description="By whose clocks the desk opens and closes: an IANA name.",
            examples=["Europe/Berlin"],
        ),
    ] = "UTC"


class QuestionAnswer(Struct, frozen=True, forbid_unknown_fields=True):
    """What the customer is answered."""

    text: Annotated[
        Text, Meta(examples=["One of the charges is a reservation. It is gone by tomorrow."])
    ]
    is_automatic: IsAutomatic = False


class CustomerReply(Struct, frozen=True, forbid_unknown_fields=True):
    """What the customer wrote about a question that was asked before."""

    reply_id: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=200,
            description="Your id of the message, such as a mail's: sent again, it is taken once.",
            examples=["CA+7f3@mail.example"],
        ),
    ]
    text: Annotated[Text, Meta(examples=["It is still there."])]
    is_automatic: IsAutomatic = False


def support_routes(commands: Commands, clock: Clock) -> list[HTTPRouteHandler]:
    """The routes of the commands to a question. The clock tells the store's time."""
    return [*_word_routes(commands, clock), *_turn_routes(commands, clock)]


def _word_routes(commands: Commands, clock: Clock) -> list[HTTPRouteHandler]:
    @command(f"{_PATH}/open", scope="support:write", summary="Open a question", tags=_TAGS)
    async def open_question(
        request: Request[Any, Any, Any], question_id: FromPath[str], data: JSONBody[NewQuestion]
    ) -> ASGIApp:
        """The clocks of the first response and of the resolution run from now on.

        The customer is told its reference, unless another question was acknowledged just before or
        a machine seems to write. A machine's message is kept, and waits for a person to reply.
        """
        check_customer_id(data.customer_id)
        zone_named(data.time_zone, field="time_zone")
        opening = OpenQuestion(
            data.customer_id,
            data.text,
            data.channel,
            data.topic,
            data.is_automatic,
            data.desk,
            data.time_zone,
            clock(),
        )
        return await commands.run(request, _step(question_id, opening, data.customer_id))

    @command(f"{_PATH}/answer", scope="support:write", summary="Answer a question", tags=_TAGS)
    async def answer_question(
        request: Request[Any, Any, Any], question_id: FromPath[str], data: JSONBody[QuestionAnswer]
    ) -> ASGIApp:
        """The customer gets the answer as a message. A person's first one is the first response.

        An automatic answer is refused where a machine seems to write, and after three in an hour.
        """
        answer = AnswerQuestion(data.text, data.is_automatic, clock())
        return await commands.run(request, _step(question_id, answer))

    @command(
        f"{_PATH}/note-reply", scope="support:write", summary="Note a customer's reply", tags=_TAGS
    )
    async def note_reply(
        request: Request[Any, Any, Any], question_id: FromPath[str], data: JSONBody[CustomerReply]
    ) -> ASGIApp:
        """A question that waits for the customer is taken up again; a resolved one is reopened.

        A machine's reply is kept, and does neither.
        """
        reply = NoteReply(data.reply_id, data.text, data.is_automatic, clock())
        return await commands.run(request, _step(question_id, reply))

    return [open_question, answer_question, note_reply]


def _turn_routes(commands: Commands, clock: Clock) -> list[HTTPRouteHandler]:
    @command(
        f"{_PATH}/await-customer",
        scope="support:write",
        summary="Wait for the customer",
        tags=_TAGS,
    )
    async def await_customer(
        request: Request[Any, Any, Any],
        question_id: FromPath[str],
        data: JSONBody[Nothing],  # noqa: ARG001 - only an empty one will do
    ) -> ASGIApp:
        """It is the customer's turn: the clocks stand still until the customer writes."""
        return await commands.run(request, _step(question_id, AwaitCustomer(clock())))

    @command(f"{_PATH}/resolve", scope="support:write", summary="Resolve a question", tags=_TAGS)
    async def resolve_question(
        request: Request[Any, Any, Any],
        question_id: FromPath[str],
        data: JSONBody[Nothing],  # noqa: ARG001 - only an empty one will do
    ) -> ASGIApp:
        """It is settled: no deadline is left."""
        return await commands.run(request, _step(question_id, ResolveQuestion()))

    @command(f"{_PATH}/reopen", scope="support:write", summary="Reopen a question", tags=_TAGS)
    async def reopen_question(
        request: Request[Any, Any, Any],
        question_id: FromPath[str],
        data: JSONBody[Nothing],  # noqa: ARG001 - only an empty one will do
    ) -> ASGIApp:
        """It was not settled after all: the clocks begin anew."""
        return await commands.run(request, _step(question_id, ReopenQuestion(clock())))

    return [await_customer, resolve_question, reopen_question]


def _step(
    question_id: str, command: QuestionCommand, customer_id: str | None = None
) -> Step[QuestionCommand]:
    check_id(question_id, field="question_id")
    if len(question_id) > MAX_QUESTION_ID_CHARACTERS:
        raise InvalidInput(
            f"a question's id has 1 to {MAX_QUESTION_ID_CHARACTERS} characters", field="question_id"
        )
    return Step(QUESTION, question_id, command, customer_id)
