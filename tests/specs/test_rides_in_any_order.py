"""Whatever drivers, riders, dispatchers and timers do, in whatever order and however often: never
two winners, no open offer after the end, and every ride that nobody drives comes to an end.
"""

from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from app.kernel.errors import Refused
from app.kernel.event import Event
from app.modules.messages.events import MessageRequested
from app.modules.rides.decider import (
    RIDE,
    AnnounceArrival,
    CancelRide,
    ClaimRide,
    CompleteRide,
    DeclineOffer,
    OfferRide,
    RequestRide,
    StartRide,
    Withdraw,
)
from app.modules.rides.events import (
    DriverWithdrew,
    OfferDeclined,
    RideCancelled,
    RideClaimed,
    RideCompleted,
    RideOffered,
    RideUnserved,
)
from app.modules.rides.policy import PATIENCE, RIDES
from app.modules.rides.ride import Ended
from app.reactions.dispatch import DISPATCH
from app.testing.world import World

RIDES_AT_ONCE = ["1", "2"]
SECONDS = 10
ENDS = (RideCompleted, RideCancelled, RideUnserved)

ride_ids = st.sampled_from(RIDES_AT_ONCE)
drivers = st.sampled_from(["dina", "emil", "faye", "gus"])
driver_commands = st.sampled_from(
    [DeclineOffer, Withdraw, AnnounceArrival, StartRide, CompleteRide]
)


class Model:
    """A ride as simple as can be: who is asked, who has it, who is not asked again, is it over."""

    def __init__(self) -> None:
        self.open: set[str] = set()
        self.driver: str | None = None
        self.out: set[str] = set()
        self.is_over = False

    def apply(self, event: Event) -> None:
        """Take what happened, and complain about what may not."""
        assert not self.is_over, f"{event} after the end"
        match event:
            case RideOffered(driver_ids=driver_ids):
                assert not self.open
                assert self.driver is None
                assert self.out.isdisjoint(driver_ids), "a decliner is asked again"
                self.open = set(driver_ids)
            case OfferDeclined(driver_id=driver_id):
                self.out.add(driver_id)
                self.open.discard(driver_id)
            case RideClaimed(driver_id=driver_id, closed_for=closed_for):
                assert self.driver is None, "two winners"
                assert driver_id in self.open
                assert set(closed_for) == self.open
                self.driver = driver_id
            case DriverWithdrew(driver_id=driver_id):
                assert self.driver == driver_id
                self.out.add(driver_id)
                self.driver = None
            case RideCompleted(driver_id=driver_id):
                assert self.driver == driver_id
        self.open -= set(getattr(event, "closed_for", ()))
        if isinstance(event, ENDS):
            assert not self.open, "an offer is open after the end"
            self.is_over = True


class RidesInAnyOrder(RuleBasedStateMachine):
    """Policies are late (`react_once`), commands come again later, timers fire late or in time."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World([RIDES, DISPATCH])
        self.models = {ride_id: Model() for ride_id in RIDES_AT_ONCE}
        self.seen = 0
        self.sent: list[tuple[str, Any]] = []

    @initialize()
    def request(self) -> None:
        for ride_id in RIDES_AT_ONCE:
            request = RequestRide(f"rider-{ride_id}", "here", "there")
            self.world.send(RIDE, ride_id, request, customer_id=f"rider-{ride_id}")

    def send(self, ride_id: str, command: Any) -> None:
        self.sent.append((ride_id, command))
        try:
            self.world.send(RIDE, ride_id, command)
        except Refused:
            return
        if isinstance(command, ClaimRide):
            self.is_as_the_model_has_it()
            assert self.models[ride_id].driver == command.driver_id, "told a lie"

    @rule(ride_id=ride_ids, asked=st.sets(drivers, min_size=1))
    def offer(self, ride_id: str, asked: set[str]) -> None:
        self.send(ride_id, OfferRide(tuple(sorted(asked)), SECONDS, self.world.now))

    @rule(ride_id=ride_ids, driver_id=drivers)
    def claim(self, ride_id: str, driver_id: str) -> None:
        self.send(ride_id, ClaimRide(driver_id, self.world.now))

    @rule(ride_id=ride_ids, driver_id=drivers, command=driver_commands)
    def drive(self, ride_id: str, driver_id: str, command: type[Any]) -> None:
        self.send(ride_id, command(driver_id))

    @rule(ride_id=ride_ids)
    def cancel(self, ride_id: str) -> None:
        self.send(ride_id, CancelRide())

    @rule(choose=st.randoms(use_true_random=False))
    def send_again(self, choose: Any) -> None:
        """A retry, perhaps long after; claims and offers with their old time."""
        if self.sent:
            self.send(*choose.choice(self.sent))

    @rule()
    def react_once(self) -> None:
        self.world.step()

    @rule(seconds=st.integers(1, 30))
    def wait(self, seconds: int) -> None:
        self.world.pass_time(timedelta(seconds=seconds))

    @rule(seconds=st.integers(1, 30))
    def stand_still(self, seconds: int) -> None:
        """Time passes, and neither policies nor timers get to work."""
        self.world.now += timedelta(seconds=seconds)

    @invariant()
    def is_as_the_model_has_it(self) -> None:
        for entry in self.world.log[self.seen :]:
            if entry.stream.startswith("ride-"):
                self.models[entry.happened.thing_id].apply(entry.happened.event)
        self.seen = len(self.world.log)

    def teardown(self) -> None:
        """In the end nothing waits for ever, no timer is left, and riders were told all."""
        self.world.pass_time(timedelta(seconds=SECONDS) + 2 * PATIENCE)
        self.is_as_the_model_has_it()
        for ride_id in RIDES_AT_ONCE:
            ride = self.world.state(RIDE, ride_id)
            assert isinstance(ride, Ended) or self.models[ride_id].driver is not None
            assert not self.models[ride_id].open
        assert not self.world.timers
        claims = self.world.all(RideClaimed)
        messages = [m for m in self.world.all(MessageRequested) if isinstance(m, MessageRequested)]
        told = [m for m in messages if m.kind == "ride-claimed"]
        assert len(told) == len(claims)


RidesInAnyOrder.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
test_rides_in_any_order = RidesInAnyOrder.TestCase
