"""The commands that rules may call, by their names in the API, one line each."""

from app.engagement.callable_commands import CallableCommand, Commands
from app.modules.accounts.decider import TRANSACTION, RecordRisk
from app.modules.accounts.instruments import CARD, FreezeCard
from app.modules.orders.decider import ORDER, CancelOrder
from app.modules.support.decider import QUESTION, OpenQuestion, ResolveQuestion

CALLABLE_COMMANDS: Commands = {
    "transactions/record-risk": CallableCommand(TRANSACTION, RecordRisk, {"scorer": "rules"}),
    "cards/freeze": CallableCommand(CARD, FreezeCard),
    "orders/cancel": CallableCommand(ORDER, CancelOrder),
    "questions/open": CallableCommand(QUESTION, OpenQuestion, {"is_automatic": True}),
    "questions/resolve": CallableCommand(QUESTION, ResolveQuestion),
}
