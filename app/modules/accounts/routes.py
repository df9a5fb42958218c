"""Commands to transactions, cards, accounts and cases over HTTP."""

from typing import Annotated, Any

from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from litestar.types import ASGIApp
from msgspec import Meta, Struct

from app.eventstore.execute import Step
from app.http.fields import Currency, Nothing
from app.kernel.errors import InvalidInput
from app.kernel.ids import check_customer_id, check_id
from app.kernel.principal import ScopeName
from app.modules.accounts.cases import CASE, ResolveCase
from app.modules.accounts.decider import (
    TRANSACTION,
    Confirm,
    Deny,
    RecordRisk,
    RecordTransaction,
    TransactionCommand,
)
from app.modules.accounts.events import Kind, Outcome
from app.modules.accounts.instruments import (
    ACCOUNT,
    CARD,
    CardCommand,
    ChargeCard,
    FreezeCard,
    SetTransferLimit,
    UnfreezeCard,
)
from app.security.commands import Commands, command

MAX_TRANSACTION_ID_CHARACTERS = 100
"""Half of any id's: others are made of it, such as that of the message which asks the customer."""
MAX_AMOUNT = 10**15
MAX_REASONS = 20

_SCOPE: ScopeName = "accounts:write"
_TRANSACTION = "/v1/transactions/{transaction_id:str}"
_OWN_TRANSACTION = "/v1/customers/{customer_id:str}/transactions/{transaction_id:str}"
_CARD = "/v1/cards/{card_id:str}"
_TAGS = ["Accounts"]

CustomerId = Annotated[str, Meta(description="Whose it is.", examples=["anna"])]
Amount = Annotated[
    int,
    Meta(ge=1, le=MAX_AMOUNT, description="In minor units, such as cents.", examples=[129_900]),
]
Text = Annotated[str, Meta(min_length=1, max_length=200)]


class TransactionDetails(Struct, frozen=True, forbid_unknown_fields=True):
    """A transaction."""

    customer_id: CustomerId
    kind: Annotated[Kind, Meta(description="How it is paid.", examples=["card"])]
    paid_from: Annotated[
        str, Meta(description="The id of the card, or of the account.", examples=["visa-7"])
    ]
    amount: Amount
    currency: Currency
    counterparty: Annotated[
        Text, Meta(description="Who gets the money. Stored sealed.", examples=["Gadget World"])
    ]


class RiskSignal(Struct, frozen=True, forbid_unknown_fields=True):
    """How likely a fraud is."""

    score: Annotated[int, Meta(ge=0, le=100, description="100: certain.", examples=[91])]
    reasons: Annotated[
        tuple[Text, ...], Meta(max_length=MAX_REASONS, examples=[["unusual country"]])
    ]
    scorer: Annotated[Text, Meta(description="Who says so.", examples=["scorer-2"])]


class CardOwner(Struct, frozen=True, forbid_unknown_fields=True):
    """Whose card it is."""

    customer_id: CustomerId


class Freeze(CardOwner, frozen=True, forbid_unknown_fields=True):
    """Whose card it is, and why it is frozen."""

    reason: Annotated[Text, Meta(examples=["lost"])]


class TransferLimit(Struct, frozen=True, forbid_unknown_fields=True):
    """A limit to transfers in one currency."""

    customer_id: CustomerId
    amount: Amount
    currency: Currency


class Resolution(Struct, frozen=True, forbid_unknown_fields=True):
    """What an analyst decided."""

    outcome: Annotated[Outcome, Meta(examples=["released"])]
    analyst: Annotated[Text, Meta(description="Who decided it, by an id.", examples=["analyst-4"])]


def account_routes(commands: Commands) -> list[HTTPRouteHandler]:
    """The routes of the module's commands."""
    return [
        *_recording_routes(commands),
        *_answer_routes(commands),
        *_own_answer_routes(commands),
        *_card_routes(commands),
        *_limit_and_case_routes(commands),
    ]


def _recording_routes(commands: Commands) -> list[HTTPRouteHandler]:
    @command(f"{_TRANSACTION}/record", scope=_SCOPE, summary="Record a transaction", tags=_TAGS)
    async def record_transaction(
        request: Request[Any, Any, Any],
        transaction_id: FromPath[str],
        data: JSONBody[TransactionDetails],
    ) -> ASGIApp:
        """Refused with a frozen card. The money moves unless a risk is signalled."""
        return await commands.run(request, *_recording_steps(transaction_id, data))

    @command(
        f"{_TRANSACTION}/record-risk", scope=_SCOPE, summary="Signal a risk of fraud", tags=_TAGS
    )
    async def record_risk(
        request: Request[Any, Any, Any], transaction_id: FromPath[str], data: JSONBody[RiskSignal]
    ) -> ASGIApp:
        """From a score of 70, the transaction is held, and the customer is asked.

        Of a transaction that was held or decided before, it is only noted.
        """
        risk = RecordRisk(data.score, data.reasons, data.scorer)
        return await commands.run(request, _transaction_step(transaction_id, risk))

    return [record_transaction, record_risk]


def _answer_routes(commands: Commands) -> list[HTTPRouteHandler]:
    @command(f"{_TRANSACTION}/confirm", scope=_SCOPE, summary="The customer says yes", tags=_TAGS)
    async def confirm_transaction(
        request: Request[Any, Any, Any],
        transaction_id: FromPath[str],
        data: JSONBody[Nothing],  # noqa: ARG001 - only an empty one will do
    ) -> ASGIApp:
        """A held transaction is released. Too late, it is noted for the analyst."""
        return await commands.run(request, _transaction_step(transaction_id, Confirm()))

    @command(f"{_TRANSACTION}/deny", scope=_SCOPE, summary="The customer says no", tags=_TAGS)
    async def deny_transaction(
        request: Request[Any, Any, Any],
        transaction_id: FromPath[str],
        data: JSONBody[Nothing],  # noqa: ARG001 - only an empty one will do
    ) -> ASGIApp:
        """A held transaction is blocked, and its card frozen, even when it comes too late."""
        return await commands.run(request, _transaction_step(transaction_id, Deny()))

    return [confirm_transaction, deny_transaction]


def _own_answer_routes(commands: Commands) -> list[HTTPRouteHandler]:
    @command(
        f"{_OWN_TRANSACTION}/confirm",
        scope=_SCOPE,
        own="customer_id",
        summary="Say yes to an own transaction",
        tags=_TAGS,
    )
    async def confirm_own_transaction(
        request: Request[Any, Any, Any],
        customer_id: FromPath[str],
        transaction_id: FromPath[str],
        data: JSONBody[Nothing],  # noqa: ARG001 - only an empty one will do
    ) -> ASGIApp:
        """The same, for the customer's own token as well."""
        confirm = Confirm(check_customer_id(customer_id))
        return await commands.run(request, _transaction_step(transaction_id, confirm))

    @command(
        f"{_OWN_TRANSACTION}/deny",
        scope=_SCOPE,
        own="customer_id",
        summary="Say no to an own transaction",
        tags=_TAGS,
    )
    async def deny_own_transaction(
        request: Request[Any, Any, Any],
        customer_id: FromPath[str],
        transaction_id: FromPath[str],
        data: JSONBody[Nothing],  # noqa: ARG001 - only an empty one will do
    ) -> ASGIApp:
        """The same, for the customer's own token as well."""
        deny = Deny(check_customer_id(customer_id))
        return await commands.run(request, _transaction_step(transaction_id, deny))

    return [confirm_own_transaction, deny_own_transaction]


def _card_routes(commands: Commands) -> list[HTTPRouteHandler]:
    @command(f"{_CARD}/freeze", scope=_SCOPE, summary="Freeze a card", tags=_TAGS)
    async def freeze_card(
        request: Request[Any, Any, Any], card_id: FromPath[str], data: JSONBody[Freeze]
    ) -> ASGIApp:
        """Transactions with it are refused from now on. It need not have been used before."""
        freeze = FreezeCard(check_customer_id(data.customer_id), data.reason)
        return await commands.run(request, _card_step(card_id, freeze, data.customer_id))

    @command(f"{_CARD}/unfreeze", scope=_SCOPE, summary="Unfreeze a card", tags=_TAGS)
    async def unfreeze_card(
        request: Request[Any, Any, Any], card_id: FromPath[str], data: JSONBody[CardOwner]
    ) -> ASGIApp:
        """Transactions with it are recorded again."""
        unfreeze = UnfreezeCard(check_customer_id(data.customer_id))
        return await commands.run(request, _card_step(card_id, unfreeze, data.customer_id))

    return [freeze_card, unfreeze_card]


def _limit_and_case_routes(commands: Commands) -> list[HTTPRouteHandler]:
    @command(
        "/v1/accounts/{account_id:str}/set-transfer-limit",
        scope=_SCOPE,
        summary="Set an account's limit to transfers",
        tags=_TAGS,
    )
    async def set_transfer_limit(
        request: Request[Any, Any, Any], account_id: FromPath[str], data: JSONBody[TransferLimit]
    ) -> ASGIApp:
        """Transfers above it, in its currency, are held. There is one for each currency."""
        check_id(account_id, field="account_id")
        check_customer_id(data.customer_id)
        limit = SetTransferLimit(data.customer_id, data.amount, data.currency)
        return await commands.run(request, Step(ACCOUNT, account_id, limit, data.customer_id))

    @command("/v1/cases/{case_id:str}/resolve", scope=_SCOPE, summary="Resolve a case", tags=_TAGS)
    async def resolve_case(
        request: Request[Any, Any, Any], case_id: FromPath[str], data: JSONBody[Resolution]
    ) -> ASGIApp:
        """The transaction that has the case's id is released or blocked."""
        check_id(case_id, field="case_id")
        resolve = ResolveCase(data.outcome, data.analyst)
        return await commands.run(request, Step(CASE, case_id, resolve))

    return [set_transfer_limit, resolve_case]


def _recording_steps(transaction_id: str, data: TransactionDetails) -> list[Step[Any]]:
    check_customer_id(data.customer_id)
    check_id(data.paid_from, field="paid_from")
    record = RecordTransaction(
        data.customer_id, data.kind, data.paid_from, data.amount, data.currency, data.counterparty
    )
    steps: list[Step[Any]] = [_transaction_step(transaction_id, record, data.customer_id)]
    if data.kind is Kind.CARD:
        charge = ChargeCard(transaction_id, data.customer_id)
        steps.append(Step(CARD, data.paid_from, charge))
    return steps


def _transaction_step(
    transaction_id: str, command: TransactionCommand, customer_id: str | None = None
) -> Step[TransactionCommand]:
    check_id(transaction_id, field="transaction_id")
    if len(transaction_id) > MAX_TRANSACTION_ID_CHARACTERS:
        raise InvalidInput(
            f"a transaction's id has at most {MAX_TRANSACTION_ID_CHARACTERS} characters",
            field="transaction_id",
        )
    return Step(TRANSACTION, transaction_id, command, customer_id)


def _card_step(card_id: str, command: CardCommand, customer_id: str) -> Step[CardCommand]:
    check_id(card_id, field="card_id")
    return Step(CARD, card_id, command, customer_id)
