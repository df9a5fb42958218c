"""How a connection is read: uvicorn's HTTP/1.1, with bounds, and refusals that look like ours."""

import asyncio
import re
from typing import cast

from msgspec import structs
from msgspec.json import Encoder
from uuid_utils import uuid7
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.http.one_write import OneWrite
from app.http.problems import MEDIA_TYPE, problem_for
from app.kernel.errors import InvalidInput

MAX_HEAD_BYTES = 64 * 1024
"""Of a request line and headers, as far as they come in several pieces."""

_UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)
_NO_UPGRADE = b"\r\noffered:"  # of the same length

_REFUSAL = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: %b\r\nx-request-id: %b\r\ncontent-length: %d\r\n"
    b"connection: close\r\n\r\n%b"
)

_encoder = Encoder()


class Protocol(HttpToolsProtocol):
    """HTTP/1.1, whatever else a client offers to speak.

    Some, Java's among them, offer HTTP/2 with each first request. The parser would take what
    follows the headers for that, and the request would lose its body.
    """

    _is_in_head = False
    _head_bytes = 0
    _one_write: OneWrite

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """A client has come."""
        self._one_write = OneWrite(transport)
        super().connection_made(cast(asyncio.Transport, self._one_write))

    def on_response_complete(self) -> None:
        """An answer is whole."""
        self._one_write.flush()
        super().on_response_complete()

    def data_received(self, data: bytes) -> None:
        """Take no notice of an offer, and only so much of a head."""
        super().data_received(_UPGRADE.sub(_NO_UPGRADE, data) if b"pgrade:" in data else data)
        if self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response("the headers are too long")

    def on_message_begin(self) -> None:
        """A request begins."""
        self._is_in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head has come."""
        self._is_in_head = False
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what never becomes a request, and close the connection."""
        request_id = str(uuid7())
        problem = structs.replace(problem_for(InvalidInput(msg)), request_id=request_id)
        body = _encoder.encode(problem)
        self.transport.write(_REFUSAL % (MEDIA_TYPE.encode(), request_id.encode(), len(body), body))
        self.transport.close()
