"""E-mail over SMTP (RFC 5321).

Crash semantics: a server that has read the line that ends a message has taken it, whether its
answer comes or not, and it knows no ids: what is lost behind that line is unknown, and never sent
again by itself. Before that line is sent, no server has taken anything (section 6.1).
"""

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from typing import cast
from urllib.parse import unquote, urlsplit

from aiosmtplib import (
    SMTP,
    SMTPException,
    SMTPReadTimeoutError,
    SMTPRecipientRefused,
    SMTPResponse,
    SMTPResponseException,
    SMTPServerDisconnected,
    SMTPStatus,
)
from aiosmtplib.protocol import SMTPProtocol

from app.delivery.channel import (
    AddressRefused,
    AfterInterruption,
    DestinationDown,
    NeverSo,
    NotNow,
    OutcomeUnknown,
    Outgoing,
)
from app.kernel.errors import InvalidInput

TIMEOUT_S = 30
"""Of each answer of the server."""
FAREWELL_S = 1
FLUSH_POLL_S = 0.02
MAX_ADDRESS_CHARACTERS = 254
PORTS = {"smtp": 25, "smtps": 465}
NO_SUCH_ADDRESS = frozenset({550, 551, 553})
"""Replies to RCPT that will never be others (RFC 5321, section 4.2.3)."""

_ADDRESS = re.compile(r"[^\s@<>\"(),:;\\\[\]]{1,64}@[^\s@<>\"(),:;\\\[\]]{1,253}")
_LINE_END = re.compile(rb"\r\n|\r|\n")
_LEADING_DOT = re.compile(rb"(?m)^\.")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class MailServer:
    """Where mail is handed over."""

    host: str
    port: int
    tls: bool
    """From the start; else by STARTTLS where the server offers it."""
    user: str | None = None
    password: str | None = field(default=None, repr=False)


def mail_server(url: str) -> MailServer:
    """From ``smtp://[user:password@]host[:port]``, or ``smtps://…``; raises `InvalidInput`."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise _no_url() from None
    if not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise _no_url()
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    if (user is None) != (password is None):
        raise _no_url()
    return MailServer(parts.hostname, port, parts.scheme == "smtps", user, password)


def _no_url() -> InvalidInput:
    return InvalidInput(
        "it is no URL such as smtps://user:password@mail.example.com", field="TIDINGS_SMTP_URL"
    )


def is_address(text: object) -> bool:
    """Whether it has the form of a plain address; nothing in it can be another header or command.

    Internationalised ones (RFC 6531) are not taken.
    """
    return (
        isinstance(text, str)
        and len(text) <= MAX_ADDRESS_CHARACTERS
        and text.isascii()
        and text.isprintable()
        and _ADDRESS.fullmatch(text) is not None
    )


class EmailChannel:
    """Hands mail to one server, which is the operator's to choose."""

    name = "email"
    address_trait = "email"
    after_interruption = AfterInterruption.GIVE_UP

    def __init__(self, server: MailServer, sender: str, *, timeout_s: float = TIMEOUT_S) -> None:
        """Take the server, and the address that mail is from, perhaps with a name."""
        self._server = server
        self._sender = sender_of(sender)
        self._timeout_s = timeout_s

    async def send(self, outgoing: Outgoing) -> None:
        """See `Channel.send`."""
        if not is_address(outgoing.address):
            raise AddressRefused("the customer's address is none")
        mail = self._mail(outgoing)
        smtp = self._client()
        try:
            await self._greet(smtp)
            await self._hand_over(smtp, outgoing.address or "", mail)
        finally:
            smtp.close()

    def _client(self) -> SMTP:
        server = self._server
        return SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.tls,
            start_tls=_start_tls(server),
            username=server.user,
            password=server.password,
            timeout=self._timeout_s,
        )

    async def _greet(self, smtp: SMTP) -> None:
        try:
            await smtp.connect()
        except SMTPResponseException as error:
            raise DestinationDown(f"the mail server answered {error.code}") from error
        except (SMTPException, OSError) as error:
            raise DestinationDown(f"no mail server: {type(error).__name__}") from error

    async def _hand_over(self, smtp: SMTP, address: str, mail: EmailMessage) -> None:
        try:
            await smtp.mail(self._sender.addr_spec)
            await smtp.rcpt(address)
            protocol = await self._begin_data(smtp)
            await self._write(protocol, _content(mail))
        except SMTPRecipientRefused as error:
            if error.code in NO_SUCH_ADDRESS:
                raise AddressRefused(f"the mail server answered {error.code}") from error
            raise _refusal(error) from error
        except SMTPResponseException as error:
            raise _refusal(error) from error
        except (SMTPException, OSError) as error:
            raise NotNow(f"the mail server went away: {type(error).__name__}") from error
        try:
            protocol.write(b".\r\n")
            _check(await protocol.read_response(self._timeout_s), SMTPStatus.completed)
        except SMTPResponseException as error:
            raise _refusal(error) from error
        except (SMTPException, OSError) as error:
            raise OutcomeUnknown("the mail server went away before it answered") from error
        with suppress(SMTPException, OSError):
            await smtp.quit(timeout=FAREWELL_S)

    async def _begin_data(self, smtp: SMTP) -> SMTPProtocol:
        """Let the server expect a message, and answer with what that is written to.

        `SMTP.data` would do it all, and not tell on which side of the end it was interrupted.
        """
        _check(await smtp.execute_command(b"DATA"), SMTPStatus.start_input)
        if smtp.protocol is None:
            raise SMTPServerDisconnected("it hung up")
        return smtp.protocol

    async def _write(self, protocol: SMTPProtocol, content: bytes) -> None:
        """Write a message but for its end, and wait until it has left the process.

        One that the server does not read is so found out before its end is written; what TLS or
        the system keep of it for themselves is not, and then nobody knows.
        """
        protocol.write(content)
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        while _is_unsent(protocol):
            if asyncio.get_running_loop().time() > deadline:
                raise SMTPReadTimeoutError("it does not read on")
            await asyncio.sleep(FLUSH_POLL_S)

    def _mail(self, outgoing: Outgoing) -> EmailMessage:
        mail = EmailMessage()
        try:
            mail["From"] = self._sender
            mail["To"] = Address(addr_spec=outgoing.address or "")
            mail["Subject"] = " ".join((outgoing.subject or _subject(outgoing.kind)).split())
            mail["Date"] = datetime.now(UTC)  # that of this attempt; RFC 5322 demands one
            mail["Message-ID"] = f"<{outgoing.stable_id}@{self._sender.domain}>"
            mail["X-Tidings-Message-Id"] = outgoing.message_id
            mail["Auto-Submitted"] = "auto-generated"
        except (HeaderParseError, ValueError) as error:
            raise NeverSo("the mail's headers cannot be written") from error
        mail.set_content(outgoing.text)
        if outgoing.html is not None:
            mail.add_alternative(outgoing.html, subtype="html")
        return mail


def sender_of(text: str) -> Address:
    """From ``ann@example.com`` or ``Shop <ann@example.com>``; raises `InvalidInput`."""
    named = re.fullmatch(r"\s*([^<>]*?)\s*<([^<>]+)>\s*", text)
    name, address = named.groups() if named else ("", text.strip())
    if not is_address(address) or not name.isprintable():
        raise InvalidInput("it is no address", field="TIDINGS_SMTP_FROM")
    return Address(name, addr_spec=address)


def _start_tls(server: MailServer) -> bool | None:
    """None: where it is offered. A password does not leave the machine in plain."""
    if server.tls:
        return False
    return True if server.user is not None and server.host not in _LOOPBACK else None


def _content(mail: EmailMessage) -> bytes:
    """As it stands between DATA and the line that ends it: no line of its own is that line."""
    lines = _LINE_END.sub(b"\r\n", mail.as_bytes(policy=SMTP_POLICY))
    return _LEADING_DOT.sub(b"..", lines.removesuffix(b"\r\n") + b"\r\n")


def _is_unsent(protocol: SMTPProtocol) -> bool:
    """Whether something written still waits in this process; raises when the connection is lost."""
    if not protocol.is_connected:
        raise SMTPServerDisconnected("it hung up")
    transport = cast(asyncio.WriteTransport, protocol.transport)  # uvloop's are no instances of it
    return transport.get_write_buffer_size() > 0


def _check(answer: SMTPResponse, expected: int) -> None:
    if answer.code != expected:
        raise SMTPResponseException(answer.code, answer.message)


def _refusal(error: SMTPResponseException) -> NotNow | NeverSo:
    """Its words may quote the address, so they are not told."""
    told = f"the mail server answered {error.code}"
    return NotNow(told) if 400 <= error.code < 500 else NeverSo(told)


def _subject(kind: str) -> str:
    """Of a message without one: ``order-confirmed`` becomes ``Order confirmed``."""
    return kind.replace("-", " ").replace("_", " ").strip().capitalize()
