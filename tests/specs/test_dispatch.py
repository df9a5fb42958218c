"""What follows from what happens to a ride: timers, and what the rider is told."""

from datetime import timedelta

from app.kernel.event import Event
from app.kernel.policy import CancelTimer, Send, SetTimer
from app.modules.messages.decider import MESSAGE, MessageCommand, RequestMessage
from app.modules.messages.events import MessageRequested, Priority
from app.modules.rides.decider import RIDE, ClaimRide, ExpireOffer, GiveUp, OfferRide
from app.modules.rides.events import RideCompleted, RideUnserved
from app.modules.rides.policy import PATIENCE, RIDES
from app.reactions.dispatch import DISPATCH
from app.testing.specs import SOME_DAY, Followed, when
from app.testing.world import World
from tests.controls import rides as of
from tests.controls.rides import ANNA, DINA, EMIL, EXPIRED_AT, FAYE, RIDE_ID, SECONDS

OFFER, SEARCH = "offer:ride-7:round-1", "search:ride-7:round-1"
LATER = SOME_DAY + PATIENCE


def timers(event: Event) -> Followed:
    return when(RIDES, event, thing_id=RIDE_ID, customer_id=ANNA)


def told(event: Event) -> Followed:
    return when(DISPATCH, event, thing_id=RIDE_ID, customer_id=ANNA)


def message(kind: str, text: str) -> Send[MessageCommand]:
    request = RequestMessage(kind, text, Priority.HIGH)
    return Send(MESSAGE, f"{kind}:7:1", request, ANNA)


def test_the_search_for_a_driver_does_not_go_on_for_ever() -> None:
    give_up = Send(RIDE, RIDE_ID, GiveUp(0), ANNA)
    timers(of.requested).then(SetTimer("search:ride-7:round-0", LATER, give_up))


def test_an_offer_ends_the_wait_and_expires_at_its_time() -> None:
    expire = Send(RIDE, RIDE_ID, ExpireOffer(1), ANNA)
    timers(of.offered).then(
        CancelTimer("search:ride-7:round-0"), SetTimer(OFFER, EXPIRED_AT, expire)
    )


def test_an_offer_that_failed_begins_another_wait() -> None:
    wait = SetTimer(SEARCH, LATER, Send(RIDE, RIDE_ID, GiveUp(1), ANNA))
    timers(of.all_declined).then(CancelTimer(OFFER), wait)
    timers(of.expired).then(CancelTimer(OFFER), wait)


def test_so_does_a_driver_who_withdraws() -> None:
    timers(of.dina_withdrew).then(SetTimer(SEARCH, LATER, Send(RIDE, RIDE_ID, GiveUp(1), ANNA)))


def test_no_timer_is_left_once_a_ride_is_taken_or_over() -> None:
    timers(of.claimed_by_dina).then(CancelTimer(OFFER))
    timers(of.cancelled).then(
        CancelTimer("offer:ride-7:round-0"), CancelTimer("search:ride-7:round-0")
    )
    timers(of.unserved).then_nothing()


def test_the_rider_is_told_who_is_coming_and_arriving() -> None:
    told(of.claimed_by_dina).then(message("ride-claimed", "Driver dina is coming."))
    told(of.dina_arriving).then(message("ride-driver-arriving", "Driver dina is arriving."))


def test_the_rider_is_told_that_a_driver_cannot_come() -> None:
    told(of.dina_withdrew).then(
        message("ride-driver-withdrew", "Driver dina cannot come. We are looking for another one.")
    )


def test_the_rider_is_told_that_nobody_is_available() -> None:
    text = "Nobody is available at the moment. Your ride has not been booked."
    told(of.unserved).then(message("ride-unserved", text))


def test_the_rider_is_not_told_what_the_rider_did_or_need_not_know() -> None:
    for event in (of.requested, of.offered, of.dina_declined, of.expired, of.cancelled):
        told(event).then_nothing()


def begun() -> World:
    world = World([RIDES, DISPATCH])
    world.send(RIDE, RIDE_ID, of.request, customer_id=ANNA)
    return world


def texts(world: World) -> list[object]:
    messages = world.all(MessageRequested)
    return [message.text for message in messages if isinstance(message, MessageRequested)]


def test_a_ride_is_offered_again_until_somebody_takes_it_and_leads_to_its_end() -> None:
    world = begun()
    world.send(RIDE, RIDE_ID, of.offer)
    world.react()
    world.send(RIDE, RIDE_ID, of.dina_declines)
    world.pass_time(timedelta(seconds=SECONDS))
    world.send(RIDE, RIDE_ID, OfferRide((DINA, EMIL, FAYE), SECONDS, world.now))
    world.react()
    world.send(RIDE, RIDE_ID, ClaimRide(FAYE, world.now))
    for command in (of.dina_arrives, of.dina_starts, of.dina_completes):
        world.send(RIDE, RIDE_ID, type(command)(FAYE))
    world.pass_time(timedelta(hours=1))
    assert texts(world) == ["Driver faye is coming.", "Driver faye is arriving."]
    assert world.happened("ride-7")[-1] == RideCompleted(FAYE)
    assert (world.timers, world.refusals) == ({}, [])


def test_a_ride_that_nobody_wants_ends_and_the_rider_is_told() -> None:
    world = begun()
    world.send(RIDE, RIDE_ID, of.offer)
    world.pass_time(timedelta(seconds=SECONDS) + PATIENCE)
    assert world.happened("ride-7")[-2:] == [of.expired, RideUnserved(1)]
    assert len(texts(world)) == 1
    assert not world.timers


def test_a_ride_that_is_never_offered_ends_too() -> None:
    world = begun()
    world.pass_time(PATIENCE)
    assert world.happened("ride-7") == [of.requested, RideUnserved(0)]


def test_a_ride_whose_driver_withdrew_is_given_up_in_the_end() -> None:
    world = begun()
    for command in (of.offer, of.dina_claims, of.dina_withdraws):
        world.send(RIDE, RIDE_ID, command)
    world.pass_time(PATIENCE)
    assert world.happened("ride-7")[-1] == RideUnserved(1)
