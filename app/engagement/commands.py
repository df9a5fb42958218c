"""Modules' commands that rules may call, by name: `CallCommand.command`."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from app.kernel.decider import Decider
from app.kernel.errors import InvalidInput
from app.kernel.ids import check_id
from app.kernel.policy import Send
from app.kernel.sensitive import Sensitive
from app.modules.accounts.decider import TRANSACTION, RecordRisk
from app.modules.accounts.instruments import CARD, FreezeCard
from app.modules.support.decider import QUESTION, OpenQuestion
from app.modules.support.desks import DeskName

Reason = Annotated[str, Meta(min_length=1, max_length=200)]
Word = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$(?!\n)")]


class Caller(Struct, frozen=True):
    """Which rule calls, for whom, and at which time of the log."""

    rule: str
    customer_id: str
    at: datetime


class FlagTransaction(Struct, frozen=True, forbid_unknown_fields=True):
    """A risk of the transaction; one of 70 or more holds it."""

    score: Annotated[int, Meta(ge=0, le=100)]
    reason: Reason


class FreezeCardOf(Struct, frozen=True, forbid_unknown_fields=True):
    """Why the customer's card is frozen."""

    reason: Reason


class AskQuestion(Struct, frozen=True, forbid_unknown_fields=True):
    """A question for the desk, in the customer's name."""

    text: Annotated[Sensitive[str], Meta(description="1 to 10,000 characters.")]
    topic: Word
    desk: DeskName = "standard"


class CallableCommand(Struct, frozen=True):
    """A command, with what a rule says and how the command is made of it."""

    decider: Decider[Any, Any]
    fields: type[Struct]
    """What a rule names in `CallCommand.fields`; those without a default it must name."""
    make: Callable[[Any, Caller], Any]
    is_customers: bool
    """Whether a new thing becomes the customer's; else it is whose it was before."""

    def send(self, thing_id: str, fields: Mapping[str, Any], caller: Caller) -> Send[Any]:
        """The command, to be sent. Raises `InvalidInput` for values that it does not take."""
        check_id(thing_id, field="id")
        try:
            said = msgspec.convert(fields, self.fields)
        except msgspec.ValidationError as error:
            raise InvalidInput("it does not fit", field=_path(error)) from None
        customer_id = caller.customer_id if self.is_customers else None
        return Send(self.decider, thing_id, self.make(said, caller), customer_id)


def _flag(said: FlagTransaction, caller: Caller) -> RecordRisk:
    return RecordRisk(said.score, (said.reason,), f"rule:{caller.rule}")


def _freeze(said: FreezeCardOf, caller: Caller) -> FreezeCard:
    return FreezeCard(caller.customer_id, said.reason)


def _ask(said: AskQuestion, caller: Caller) -> OpenQuestion:
    return OpenQuestion(
        customer_id=caller.customer_id,
        text=said.text,
        channel="rule",
        topic=said.topic,
        is_automatic=False,
        desk=said.desk,
        time_zone="UTC",
        at=caller.at,
    )


def _path(error: msgspec.ValidationError) -> str:
    """Which field it was; what else msgspec says may quote the value."""
    _, _, path = str(error).partition("`$")
    return f"fields{path.rstrip('`')}"


CALLABLE: Mapping[str, CallableCommand] = {
    "transactions/flag": CallableCommand(TRANSACTION, FlagTransaction, _flag, is_customers=False),
    "cards/freeze": CallableCommand(CARD, FreezeCardOf, _freeze, is_customers=True),
    "questions/open": CallableCommand(QUESTION, AskQuestion, _ask, is_customers=True),
}
"""By `CallCommand.command`."""
