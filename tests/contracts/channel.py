"""What every channel promises; the tests that import this give it as `channel`, and `taken`."""

from collections.abc import Callable, Sequence

from app.delivery.channel import AfterInterruption, Channel, Outgoing
from tests.controls import messages

outgoing = Outgoing(
    messages.MESSAGE_ID,
    "ann",
    "order-confirmed",
    messages.TEXT,
    subject="Your order",
    html="<p>Your order</p>",
    address="ann@example.com",
)

Taken = Callable[[], Sequence[str]]
"""The ids that the destination has the messages under; none where it has no place for ids."""


async def test_what_is_sent_is_taken(channel: Channel, taken: Taken) -> None:
    await channel.send(outgoing)
    assert len(taken()) == 1


async def test_what_is_sent_again_has_the_same_id(channel: Channel, taken: Taken) -> None:
    for _ in range(2):
        await channel.send(outgoing)
    assert len(set(taken())) == 1


async def test_what_has_neither_subject_nor_html_is_taken(channel: Channel, taken: Taken) -> None:
    plain = Outgoing("m", "ann", "news", "Words\nin two lines", address="ann@example.com")
    await channel.send(plain)
    assert len(taken()) == 1


async def test_a_channel_says_what_it_is(channel: Channel) -> None:
    assert channel.name.isidentifier()
    assert isinstance(channel.after_interruption, AfterInterruption)
    assert channel.address_trait in {None, "email"}
