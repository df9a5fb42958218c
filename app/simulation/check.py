"""Play days of all businesses on a store whose clock can be moved, and balance the books."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from app.simulation.acting import Acting
from app.simulation.books import Leftovers, balance
from app.simulation.client import Client
from app.simulation.days import Days, Hand
from app.simulation.ledgers.account import Account
from app.simulation.play import send_all
from app.simulation.rules import RuleSet, set_live
from app.simulation.story import Story
from app.simulation.tally import Tally


class Inspector(Hand, Protocol):
    """A hand on the clock that can look into the store, too."""

    async def now(self) -> datetime:
        """The store's time."""

    async def leftovers(self) -> Leftovers:
        """What should have been done by now, and was not."""


class Checked(NamedTuple):
    """What came of it."""

    accounts: Sequence[Account]
    story_time: timedelta
    hops: int


async def check(
    story: Story, client: Client, tally: Tally, hand: Inspector, *, days: int, rules: RuleSet
) -> Checked:
    """Play the days with these rules, let everything come to rest, and read the books.

    Raises `ApiUnavailable`, and what the hand raises.
    """
    await client.check()
    tally.phase = "Rules"
    await set_live(rules, client)
    tally.phase = "Accounts"
    await send_all(story.accounts(), client, tally)
    played = Days(Acting(client, tally), client, hand)
    tally.phase = f"{days} days"
    tally.begin_live()
    try:
        await played.play(story.days(days))
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    tally.phase = "Books"
    accounts = balance(played.log, await hand.now(), await hand.leftovers())
    return Checked(accounts, played.now, played.hops)
