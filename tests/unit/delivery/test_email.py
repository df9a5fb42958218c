"""Mail is handed over once, to one address, and a server's answer decides what is done next."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from app.delivery.channel import (
    AddressRefused,
    DestinationDown,
    NeverSo,
    NotNow,
    OutcomeUnknown,
)
from app.delivery.email import EmailChannel, MailServer, is_address, mail_server, sender_of
from app.kernel.errors import InvalidInput
from tests.contracts.channel import outgoing
from tests.fixtures.mail import Mailbox
from tests.fixtures.mail import mail_server as serving

pytestmark = pytest.mark.anyio


@pytest.fixture
async def box() -> AsyncIterator[Mailbox]:
    async with serving() as box:
        yield box


def channel_to(port: int) -> EmailChannel:
    server = MailServer("127.0.0.1", port, tls=False)
    return EmailChannel(server, "Shop <shop@example.com>", timeout_s=1)


async def test_a_mail_says_what_the_message_says(box: Mailbox) -> None:
    await channel_to(box.port).send(outgoing)
    [mail] = box.mails
    assert box.recipients == ["ann@example.com"]
    assert (mail["From"], mail["To"]) == ("Shop <shop@example.com>", "ann@example.com")
    assert mail["Subject"] == "Your order"
    assert mail["X-Tidings-Message-Id"] == outgoing.message_id
    assert mail["Date"].datetime.tzinfo is not None
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    assert text.get_content().strip() == outgoing.text
    assert html.get_content().strip() == outgoing.html


async def test_without_a_subject_the_kind_is_it(box: Mailbox) -> None:
    await channel_to(box.port).send(replace(outgoing, subject=None))
    assert box.mails[0]["Subject"] == "Order confirmed"


@pytest.mark.parametrize(
    "subject",
    ["Hello\r\nBcc: eve@example.com", "Hello\nBcc: eve@example.com\n\nwords", "ä\r\nX: y"],
)
async def test_a_subject_is_no_header_but_itself(box: Mailbox, subject: str) -> None:
    await channel_to(box.port).send(replace(outgoing, subject=subject))
    [mail] = box.mails
    assert (mail["Bcc"], mail["X"]) == (None, None)
    assert box.recipients == ["ann@example.com"]


@pytest.mark.parametrize(
    "address",
    [
        None,
        "",
        "ann",
        "ann@example.com, eve@example.com",
        "ann@example.com>\r\nRCPT TO:<eve@example.com",
        "<ann@example.com>",
        "ann@exa mple.com",
        "änn@example.com",
        "a" * 65 + "@example.com",
    ],
)
async def test_what_is_no_address_gets_no_mail(box: Mailbox, address: str | None) -> None:
    with pytest.raises(AddressRefused):
        await channel_to(box.port).send(replace(outgoing, address=address))
    assert not is_address(address)
    assert box.mails == []


@pytest.mark.parametrize(
    ("rcpt", "data", "expected"),
    [
        ("450 Mailbox is busy", None, NotNow),
        ("452 Mailbox is full", None, NotNow),
        ("550 No such user", None, AddressRefused),
        ("553 No such user", None, AddressRefused),
        ("554 Go away", None, NeverSo),
        (None, "451 Try again", NotNow),
        (None, "554 This is spam", NeverSo),
    ],
)
async def test_an_answer_decides_what_is_done_next(
    box: Mailbox, rcpt: str | None, data: str | None, expected: type[Exception]
) -> None:
    box.answers_rcpt, box.answers_data = rcpt, data
    with pytest.raises(expected) as raised:
        await channel_to(box.port).send(outgoing)
    assert type(raised.value) is expected
    assert "example.com" not in str(raised.value)
    assert box.mails == []


@pytest.mark.parametrize("stalls", [False, True])
async def test_when_the_server_dies_behind_the_mail_nobody_knows(
    box: Mailbox, *, stalls: bool
) -> None:
    box.fails_at, box.stalls = "END", stalls
    with pytest.raises(OutcomeUnknown):
        await channel_to(box.port).send(outgoing)
    assert len(box.mails) == 1


@pytest.mark.parametrize(
    ("step", "stalls"),
    [
        *((step, False) for step in ("MAIL", "RCPT", "DATA", "BODY")),
        *((step, True) for step in ("DATA", "BODY")),
    ],
)
async def test_when_the_server_dies_before_the_end_of_the_mail_it_may_be_sent_again(
    box: Mailbox, step: str, *, stalls: bool
) -> None:
    # Longer than what may wait between the two.
    long = replace(outgoing, text=f"{'x' * 76}\n" * 70_000, html=None)
    box.fails_at, box.stalls = step, stalls
    with pytest.raises(NotNow):
        await channel_to(box.port).send(long)
    assert box.mails == []

    box.fails_at = None
    await channel_to(box.port).send(outgoing)
    assert len(box.mails) == 1


async def test_no_line_of_a_mail_ends_it(box: Mailbox) -> None:
    text = "One\n.\n..two\n\r.\rthree\n."
    await channel_to(box.port).send(replace(outgoing, text=text, html=None))
    [mail] = box.mails
    assert mail.get_content().splitlines() == ["One", ".", "..two", "", ".", "three", "."]


async def test_a_server_that_is_not_there_or_says_nothing_is_down(box: Mailbox) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(DestinationDown):
            await channel_to(port).send(outgoing)
    with pytest.raises(DestinationDown):
        await channel_to(port).send(outgoing)


def test_a_server_is_named_by_a_url() -> None:
    assert mail_server("smtp://localhost") == MailServer("localhost", 25, tls=False)
    assert mail_server("smtps://a%40b:c%3Ad@mail.example.com:2465") == MailServer(
        "mail.example.com", 2465, tls=True, user="a@b", password="c:d"
    )
    assert "secret" not in repr(mail_server("smtps://ann:secret@mail.example.com"))


@pytest.mark.parametrize(
    "url", ["", "mail.example.com", "http://x", "smtp://", "smtp://h:x", "smtp://u@h", "smtp://h/p"]
)
def test_what_names_no_server_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput):
        mail_server(url)


@pytest.mark.parametrize("sender", ["", "shop", "Shop <shop>", "Shop\r\nBcc: x <shop@example.com>"])
def test_what_is_no_sender_is_refused(sender: str) -> None:
    with pytest.raises(InvalidInput):
        sender_of(sender)
