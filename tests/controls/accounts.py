"""Anna's card payment and her transfer, what is said of them, and what follows."""

from app.modules.accounts.cases import OpenCase, ResolveCase
from app.modules.accounts.decider import (
    Confirm,
    Deny,
    RecordRisk,
    RecordTransaction,
    Settle,
    StopWaiting,
)
from app.modules.accounts.events import (
    Authority,
    CardCharged,
    CardFrozen,
    CardUnfrozen,
    CaseOpened,
    CaseResolved,
    Kind,
    Outcome,
    RiskRecorded,
    TransactionBlocked,
    TransactionConfirmed,
    TransactionDenied,
    TransactionHeld,
    TransactionRecorded,
    TransactionReleased,
    TransactionUnanswered,
    TransferLimitExceeded,
    TransferLimitSet,
)
from app.modules.accounts.instruments import (
    ChargeCard,
    CheckTransfer,
    FreezeCard,
    SetTransferLimit,
    UnfreezeCard,
)

ANNA = "anna"
BORIS = "boris"
TRANSACTION_ID = "t-1"
CARD_ID = "visa-7"
ACCOUNT_ID = "giro-3"

record = RecordTransaction(ANNA, Kind.CARD, CARD_ID, 129_900, "EUR", "Gadget World")
record_transfer = RecordTransaction(ANNA, Kind.TRANSFER, ACCOUNT_ID, 500_001, "EUR", "Carl")
small_risk = RecordRisk(69, ("new device",), "scorer-2")
risk = RecordRisk(70, ("unusual country",), "scorer-2")
other_risk = RecordRisk(95, ("stolen card",), "scheme")
confirm = Confirm()
deny = Deny()
stop_waiting = StopWaiting()
settle_released = Settle(Outcome.RELEASED)
settle_blocked = Settle(Outcome.BLOCKED)

recorded = TransactionRecorded(ANNA, Kind.CARD, CARD_ID, 129_900, "EUR", "Gadget World")
transferred = TransactionRecorded(ANNA, Kind.TRANSFER, ACCOUNT_ID, 500_001, "EUR", "Carl")
small_risk_recorded = RiskRecorded(69, ("new device",), "scorer-2")
risk_recorded = RiskRecorded(70, ("unusual country",), "scorer-2")
other_risk_recorded = RiskRecorded(95, ("stolen card",), "scheme")
held = TransactionHeld(Kind.CARD)
transfer_held = TransactionHeld(Kind.TRANSFER)
confirmed = TransactionConfirmed()
denied = TransactionDenied(CARD_ID)
transfer_denied = TransactionDenied(None)
unanswered = TransactionUnanswered()
released = TransactionReleased(Authority.CUSTOMER)
blocked = TransactionBlocked(Authority.CUSTOMER, CARD_ID)
transfer_blocked = TransactionBlocked(Authority.CUSTOMER, None)
released_by_analyst = TransactionReleased(Authority.ANALYST)
blocked_by_analyst = TransactionBlocked(Authority.ANALYST, CARD_ID)

charge = ChargeCard(TRANSACTION_ID, ANNA)
freeze = FreezeCard(ANNA, "lost")
unfreeze = UnfreezeCard(ANNA)
charged = CardCharged(TRANSACTION_ID, ANNA)
frozen = CardFrozen(ANNA, "lost")
unfrozen = CardUnfrozen()

set_limit = SetTransferLimit(ANNA, 500_000, "EUR")
check_transfer = CheckTransfer(TRANSACTION_ID, 500_001, "EUR")
limit_set = TransferLimitSet(ANNA, 500_000, "EUR")
limit_exceeded = TransferLimitExceeded(TRANSACTION_ID)

open_case = OpenCase(ANNA)
resolve_released = ResolveCase(Outcome.RELEASED, "analyst-4")
resolve_blocked = ResolveCase(Outcome.BLOCKED, "analyst-4")
case_opened = CaseOpened(ANNA)
case_released = CaseResolved(Outcome.RELEASED, "analyst-4")
