"""The fleet's books: each ride that is claimed has one driver, and every ride ends."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from app.simulation.entries import Entry, Log
from app.simulation.ledgers.account import NEVER, PUNCTUAL, Account

SEARCH = timedelta(minutes=2)
_ENDS = {"ride.completed": "completed", "ride.cancelled": "cancelled", "ride.unserved": "unserved"}


def rides(log: Log, now: datetime) -> Account:
    """Every ride."""
    account = Account("rides")
    for ride_id, events in log.things("ride"):
        _Ride(account, f"ride {ride_id}").follow(events, now)
    return account


class _Ride:
    def __init__(self, account: Account, thing: str) -> None:
        self._account = account
        self._thing = thing
        self._driver: str | None = None
        self._asked: Sequence[str] | None = None
        """While an offer is open."""
        self._until = NEVER
        """When the offer expires, or the search is over."""
        self._end: str | None = None

    def follow(self, events: Sequence[Entry], now: datetime) -> None:
        """Event by event, and then to its end."""
        self._until = events[0].recorded_at + SEARCH
        for entry in events:
            if self._end:
                self._object(f"{entry.type} after it was {self._end}")
            self._enter(entry)
        if self._end:
            self._account.count(self._end)
        elif self._driver:
            self._object(f"driver {self._driver} has it, and it has not ended")
        elif self._until < now:
            self._object("nobody has it, and it was not given up in time")
        else:
            self._account.count("waiting for a driver")

    def _enter(self, entry: Entry) -> None:
        data, at = entry.data, entry.recorded_at
        match entry.type:
            case "ride.offered":
                self._asked = data["driver_ids"]
                self._until = datetime.fromisoformat(data["expires_at"])
            case "ride.offer_failed":
                if data["reason"] == "expired" and at + PUNCTUAL < self._until:
                    self._object("an offer expired too early")
                self._asked, self._until = None, at + SEARCH
            case "ride.claimed":
                self._claim(data["driver_id"])
            case "ride.driver_withdrew":
                self._drive(entry)
                self._driver, self._until = None, at + SEARCH
            case "ride.started" | "ride.completed" | "ride.driver_arriving":
                self._drive(entry)
            case "ride.unserved" if at + PUNCTUAL < self._until:
                self._object("the search was given up too early")
        self._end = _ENDS.get(entry.type)

    def _claim(self, driver: str) -> None:
        if self._driver:
            self._object(f"claimed by {driver}, but {self._driver} had it")
        elif driver not in (self._asked or ()):
            self._object(f"claimed by {driver}, who was not asked")
        self._driver, self._asked = driver, None

    def _drive(self, entry: Entry) -> None:
        driver = entry.data["driver_id"]
        if driver != self._driver:
            self._object(f"{entry.type} with {driver}, but {self._driver or 'nobody'} has it")

    def _object(self, complaint: str) -> None:
        self._account.object(f"{self._thing}: {complaint}")
