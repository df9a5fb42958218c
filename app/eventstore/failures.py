"""What a failure of a step says: of the event, of the step's own statements, or of the server."""

import psycopg

from app.kernel.errors import Contention, StoreUnavailable

# Connections, rollbacks (serialisation, deadlock), resources, objects in use (lock timeouts),
# intervention (shutdowns, cancelled and timed out statements), the system itself.
_TRANSIENT_CLASSES = {"08", "40", "53", "55", "57", "58"}
_IDLE_IN_TRANSACTION_TIMEOUT = "25P03"
# Syntax errors and missing objects, privileges, features that the server has not.
_MISTAKE_CLASSES = {"42", "0A"}


def is_mistake(error: Exception) -> bool:
    """Whether any event would fail: the statements themselves are refused."""
    return isinstance(error, psycopg.Error) and (error.sqlstate or "")[:2] in _MISTAKE_CLASSES


def is_loss(error: Exception) -> bool:
    """Whether the connection was lost without a word, as when the server's process dies."""
    return isinstance(error, psycopg.OperationalError) and error.sqlstate in {None, "57P02"}


def is_transient(error: Exception) -> bool:
    """Whether the server's state is at fault, or other writers, and not what the step worked on."""
    if isinstance(error, StoreUnavailable | Contention | OSError):
        return True
    if not isinstance(error, psycopg.Error):
        return False
    if error.sqlstate is None:  # the connection was lost before the server could say anything
        return isinstance(error, psycopg.OperationalError)
    return (
        error.sqlstate[:2] in _TRANSIENT_CLASSES or error.sqlstate == _IDLE_IN_TRANSACTION_TIMEOUT
    )
