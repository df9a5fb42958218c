"""What a request says about itself in its headers: who asks, in which chain of causes, once."""

from msgspec import Struct
from uuid_utils import uuid7

from app.http.access import principal_of
from app.http.asgi import AnyScope, Scope
from app.http.load import MAX_HELD_BODY_BYTES, Load, Overloaded
from app.kernel.errors import InvalidInput
from app.kernel.event import Metadata

MAX_HEADER_CHARACTERS = 200

_CONTEXT = "tidings.request_context"


class RequestContext(Struct):
    """A request's id and headers; made once, by the outermost layer."""

    request_id: str
    headers: dict[bytes, bytes]
    """By lower-case name; of a repeated header, the last."""
    load: Load
    """What this process has taken on, with this request."""
    held_bytes: int = 0
    """Of the load, those of this request's body."""
    held_answer_bytes: int = 0
    """The same of its answer."""

    def hold(self, size_bytes: int) -> None:
        """Take on more of the body, until the request is answered. Raises `Overloaded`."""
        if self.load.body_bytes + size_bytes > MAX_HELD_BODY_BYTES:
            raise Overloaded
        self.load.body_bytes += size_bytes
        self.held_bytes += size_bytes

    def hold_answer(self, size_bytes: int) -> None:
        """Take on the answer, until it is taken."""
        self.load.answer_bytes += size_bytes
        self.held_answer_bytes += size_bytes

    def let_go(self) -> None:
        """The request is answered, or given up."""
        self.load.body_bytes -= self.held_bytes
        self.load.answer_bytes -= self.held_answer_bytes


def open_context(scope: Scope, load: Load | None = None) -> RequestContext:
    """Read the headers and give the request its id: the client's when it is fit, else a new one."""
    headers = dict(scope["headers"])
    sent_id = headers.get(b"x-request-id")
    request_id = sent_id.decode() if sent_id and _is_fit(sent_id) else str(uuid7())
    context = scope[_CONTEXT] = RequestContext(request_id, headers, load or Load())
    return context


def context_of(scope: AnyScope) -> RequestContext:
    """The request's context."""
    context: RequestContext = scope[_CONTEXT]
    return context


def metadata_of(scope: AnyScope) -> Metadata:
    """What events that this request causes say about where they come from, and from whom.

    Raises `InvalidInput` when X-Correlation-Id or X-Causation-Id is not 1 to 200 printable ASCII
    characters. Without X-Correlation-Id, the request begins a chain of its own.
    """
    context = context_of(scope)
    headers = context.headers
    principal = principal_of(scope)
    return Metadata(
        correlation_id=_id_header(headers, b"x-correlation-id") or context.request_id,
        causation_id=_id_header(headers, b"x-causation-id"),
        actor=principal.actor,
        source=principal.owner,
        request_id=context.request_id,
    )


def idempotency_key(scope: AnyScope) -> str | None:
    """The Idempotency-Key, if one is sent; `InvalidInput` unless it has 1 to 200 printable ones."""
    value = context_of(scope).headers.get(b"idempotency-key")
    if value is None:
        return None
    try:
        key = value.decode()
    except UnicodeDecodeError:
        key = ""
    if not 1 <= len(key) <= MAX_HEADER_CHARACTERS or not key.isprintable():
        raise InvalidInput(
            f"an idempotency key has 1 to {MAX_HEADER_CHARACTERS} printable characters",
            field="Idempotency-Key",
        )
    return key


def _id_header(headers: dict[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    if value is None:
        return None
    if not _is_fit(value):
        raise InvalidInput(
            f"it has 1 to {MAX_HEADER_CHARACTERS} printable ASCII characters",
            field=name.decode().title(),
        )
    return value.decode()


def _is_fit(value: bytes) -> bool:
    return (
        1 <= len(value) <= MAX_HEADER_CHARACTERS
        and value.isascii()
        and value.decode().isprintable()
    )
