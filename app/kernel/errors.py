"""Every error of ours. A class's docstring is its default message; none knows of HTTP."""

import re
from typing import ClassVar


class TidingsError(Exception):
    """Something went wrong in Tidings."""

    code: ClassVar[str] = "error"

    def __init_subclass__(cls) -> None:
        """Name the error by its class, in the kebab case that clients see."""
        super().__init_subclass__()
        if "code" not in cls.__dict__:
            cls.code = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", cls.__name__).lower()

    def __init__(self, message: str | None = None) -> None:
        """Take the message, or the first line of the class's docstring."""
        super().__init__(message or (type(self).__doc__ or "").strip().split("\n", 1)[0])


class Refused(TidingsError):
    """The command breaks a rule of the business."""


class Erased(Refused):
    """The customer was erased, and nothing more is recorded of it."""

    code: ClassVar[str] = "customer-erased"


class InvalidInput(TidingsError):
    """The input is not valid."""

    def __init__(self, message: str | None = None, *, field: str = "") -> None:
        """Name the field at fault by its path from the body's root, such as ``[3].customer_id``."""
        super().__init__(message)
        self.field = field


class InputTooLarge(InvalidInput):
    """The input is larger than the limit."""


class NotFound(TidingsError):
    """There is nothing here."""


class WrongExpectedVersion(TidingsError):
    """The stream is not at the version that the writer expected."""

    def __init__(self, stream: str, expected: int, actual: int) -> None:
        """Say which stream, at which version it was expected and at which it is."""
        super().__init__(f"stream {stream!r} is at version {actual}, not at {expected}")
        self.stream, self.expected, self.actual = stream, expected, actual


class Contention(TidingsError):
    """Other writers were faster on every try; nothing was recorded, and a repeat is safe."""


class IdempotencyConflict(TidingsError):
    """The idempotency key was used before with another request."""


class UnstorableValue(InvalidInput):
    """PostgreSQL cannot store a value of this event."""


class StoreUnavailable(TidingsError):
    """The event store cannot be reached at the moment."""


class ProviderUnavailable(TidingsError):
    """The OpenID provider cannot be reached at the moment."""


class ReadModelBehind(TidingsError):
    """The read model has not come to the wanted position in time."""


class PositionBeyondHead(InvalidInput):
    """The position lies beyond the end of the log."""


class UnknownEvent(TidingsError):
    """The log holds an event that this version of Tidings does not know yet."""


class WrongReplica(TidingsError):
    """The server that queries go to does not replicate the store."""


class UnsafeServer(TidingsError):
    """The PostgreSQL server could lose acknowledged events."""


def first_line(error: BaseException) -> str:
    """What an error says, in one line. Of the server's errors, values stand below that."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def named_line(error: BaseException) -> str:
    """The same behind the error's name: ``DataError: …``."""
    return f"{type(error).__name__}: {error}".splitlines()[0]
