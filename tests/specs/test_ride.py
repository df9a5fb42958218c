"""What may happen to a ride: one driver has it at a time, and it ends once."""

from datetime import timedelta

import pytest

from app.kernel.errors import NotFound, UnknownEvent
from app.kernel.event import Event
from app.modules.rides.decider import (
    RIDE,
    GiveUp,
    NobodyLeftToAsk,
    NoSuchRide,
    NotOffered,
    NotTheDriver,
    OfferExpired,
    OfferRide,
    OfferStillOpen,
    RequestRide,
    RideAlreadyRequested,
    RideCommand,
    RideEnded,
    RideNotStarted,
    RideTaken,
    RideUnderWay,
)
from app.modules.rides.events import OfferFailed, RideCancelled, RideOffered
from app.modules.rides.ride import NotRequested
from app.testing.specs import SOME_DAY, given
from tests.controls import rides as of
from tests.controls.rides import ANNA, DINA, EMIL, EXPIRED_AT, FAYE, PICKUP, SECONDS

LATER = EXPIRED_AT + timedelta(seconds=SECONDS)


def test_a_ride_is_requested() -> None:
    given(RIDE).when(of.request).then(of.requested)


@pytest.mark.parametrize("history", [of.searching, of.asked, of.coming, of.done])
def test_a_repeated_request_is_nothing(history: tuple[Event, ...]) -> None:
    given(RIDE, *history).when(of.request).then_nothing()


def test_another_request_under_the_same_id_is_refused() -> None:
    for other in (
        RequestRide("boris", of.PICKUP, of.DROPOFF),
        RequestRide(ANNA, "elsewhere", of.DROPOFF),
        RequestRide(ANNA, of.PICKUP, "elsewhere"),
    ):
        given(RIDE, *of.searching).when(other).then_refused(RideAlreadyRequested)


@pytest.mark.parametrize(
    "command",
    [
        of.offer,
        of.dina_claims,
        of.dina_declines,
        of.dina_withdraws,
        of.dina_arrives,
        of.dina_starts,
        of.dina_completes,
        of.cancel,
        of.expire,
        GiveUp(0),
    ],
)
def test_there_is_nothing_to_do_with_a_ride_that_nobody_requested(command: RideCommand) -> None:
    given(RIDE).when(command).then_refused(NoSuchRide)
    assert issubclass(NoSuchRide, NotFound)


class TestOffering:
    def test_several_drivers_are_asked_at_once_for_a_while(self) -> None:
        given(RIDE, *of.searching).when(of.offer).then(of.offered)

    def test_a_driver_who_is_named_twice_is_asked_once(self) -> None:
        twice = OfferRide((DINA, EMIL, DINA), SECONDS, SOME_DAY)
        given(RIDE, *of.searching).when(twice).then(of.offered)

    def test_the_same_offer_again_is_nothing(self) -> None:
        given(RIDE, *of.asked).when(of.offer).then_nothing()
        given(RIDE, *of.asked).when(OfferRide((EMIL, DINA), 99, SOME_DAY)).then_nothing()

    def test_it_is_the_same_offer_when_somebody_has_declined_meanwhile(self) -> None:
        given(RIDE, *of.asked, of.dina_declined).when(of.offer).then_nothing()

    def test_others_are_not_asked_while_an_offer_is_open(self) -> None:
        for drivers in ((DINA,), (DINA, EMIL, FAYE), (FAYE,)):
            more = OfferRide(drivers, SECONDS, SOME_DAY)
            given(RIDE, *of.asked).when(more).then_refused(OfferStillOpen)

    def test_who_declined_is_left_out_of_the_next_offer(self) -> None:
        history = (*of.asked, of.dina_declined, of.emil_declined, of.all_declined)
        again = OfferRide((DINA, FAYE), SECONDS, EXPIRED_AT)
        given(RIDE, *history).when(again).then(RideOffered(2, (FAYE,), LATER, PICKUP))

    def test_who_withdrew_is_left_out_of_the_next_offer(self) -> None:
        again = OfferRide((DINA, EMIL), SECONDS, EXPIRED_AT)
        given(RIDE, *of.coming, of.dina_withdrew).when(again).then(
            RideOffered(2, (EMIL,), LATER, PICKUP)
        )

    def test_who_only_missed_an_offer_is_asked_again(self) -> None:
        again = OfferRide((DINA, EMIL), SECONDS, EXPIRED_AT)
        given(RIDE, *of.asked, of.expired).when(again).then(
            RideOffered(2, (DINA, EMIL), LATER, PICKUP)
        )

    def test_an_offer_to_nobody_but_decliners_is_refused(self) -> None:
        history = (*of.asked, of.dina_declined, of.emil_declined, of.all_declined)
        given(RIDE, *history).when(of.offer).then_refused(NobodyLeftToAsk)

    def test_an_offer_whose_timer_is_late_makes_room_for_the_next(self) -> None:
        again = OfferRide((FAYE,), SECONDS, EXPIRED_AT)
        given(RIDE, *of.asked).when(again).then(of.expired, RideOffered(2, (FAYE,), LATER, PICKUP))

    def test_what_is_taken_or_over_is_not_offered(self) -> None:
        given(RIDE, *of.coming).when(of.offer).then_refused(RideTaken)
        given(RIDE, *of.done).when(of.offer).then_refused(RideEnded)


class TestClaiming:
    def test_the_first_to_claim_has_the_ride(self) -> None:
        given(RIDE, *of.asked).when(of.dina_claims).then(of.claimed_by_dina)

    def test_all_others_are_refused(self) -> None:
        given(RIDE, *of.coming).when(of.emil_claims).then_refused(RideTaken)
        given(RIDE, *of.coming).when(of.faye_claims).then_refused(RideTaken)

    @pytest.mark.parametrize("history", [of.coming, (*of.coming, of.dina_arriving), of.under_way])
    def test_the_winners_repeat_is_nothing(self, history: tuple[Event, ...]) -> None:
        given(RIDE, *history).when(of.dina_claims).then_nothing()

    def test_who_was_not_asked_is_refused(self) -> None:
        given(RIDE, *of.searching).when(of.dina_claims).then_refused(NotOffered)
        given(RIDE, *of.asked).when(of.faye_claims).then_refused(NotOffered)

    def test_who_declined_is_refused(self) -> None:
        given(RIDE, *of.asked, of.dina_declined).when(of.dina_claims).then_refused(NotOffered)

    def test_who_was_asked_in_an_earlier_round_is_refused(self) -> None:
        again = RideOffered(2, (FAYE,), LATER, PICKUP)
        given(RIDE, *of.asked, of.expired, again).when(of.dina_claims).then_refused(NotOffered)

    def test_a_claim_after_the_offer_expired_is_refused_even_if_its_timer_is_late(self) -> None:
        too_late = type(of.dina_claims)(DINA, EXPIRED_AT)
        given(RIDE, *of.asked).when(too_late).then_refused(OfferExpired)
        given(RIDE, *of.asked, of.expired).when(too_late).then_refused(OfferExpired)
        given(RIDE, *of.asked, of.expired).when(of.dina_claims).then_refused(OfferExpired)

    def test_what_is_over_is_not_claimed(self) -> None:
        given(RIDE, *of.done).when(of.dina_claims).then_refused(RideEnded)
        given(RIDE, *of.searching, of.cancelled).when(of.dina_claims).then_refused(RideEnded)
        cancelled = RideCancelled(1, None, of.BOTH)
        given(RIDE, *of.asked, cancelled).when(of.dina_claims).then_refused(RideEnded)


class TestDeclining:
    def test_a_driver_declines(self) -> None:
        given(RIDE, *of.asked).when(of.dina_declines).then(of.dina_declined)

    def test_when_the_last_one_declines_the_offer_has_failed(self) -> None:
        given(RIDE, *of.asked, of.dina_declined).when(of.emil_declines).then(
            of.emil_declined, of.all_declined
        )

    def test_declining_again_is_nothing(self) -> None:
        for after in ((), (of.emil_declined, of.all_declined)):
            history = (*of.asked, of.dina_declined, *after)
            given(RIDE, *history).when(of.dina_declines).then_nothing()

    def test_who_declines_an_expired_offer_is_not_asked_again_either(self) -> None:
        history = (*of.asked, of.expired)
        given(RIDE, *history).when(of.dina_declines).then(of.dina_declined)
        again = OfferRide((DINA, EMIL), SECONDS, EXPIRED_AT)
        given(RIDE, *history, of.dina_declined).when(again).then(
            RideOffered(2, (EMIL,), LATER, PICKUP)
        )

    def test_declining_what_somebody_else_has_or_is_over_is_nothing(self) -> None:
        given(RIDE, *of.coming).when(of.emil_declines).then_nothing()
        given(RIDE, *of.done).when(of.dina_declines).then_nothing()

    def test_who_has_the_ride_can_not_decline_it(self) -> None:
        given(RIDE, *of.coming).when(of.dina_declines).then_refused(RideTaken)

    def test_who_was_not_asked_can_not_decline(self) -> None:
        given(RIDE, *of.searching).when(of.dina_declines).then_refused(NotOffered)
        given(RIDE, *of.asked).when(of.faye_declines).then_refused(NotOffered)


class TestTimers:
    def test_an_offer_expires(self) -> None:
        given(RIDE, *of.asked).when(of.expire).then(of.expired)

    def test_only_those_who_have_not_declined_missed_it(self) -> None:
        given(RIDE, *of.asked, of.dina_declined).when(of.expire).then(
            OfferFailed(1, of.expired.reason, (EMIL,))
        )

    @pytest.mark.parametrize(
        "history",
        [
            of.searching,
            of.coming,
            of.done,
            (*of.asked, of.expired),
            (*of.asked, of.expired, RideOffered(2, (FAYE,), LATER, PICKUP)),
        ],
    )
    def test_an_offers_timer_is_nothing_once_the_ride_is_elsewhere(
        self, history: tuple[Event, ...]
    ) -> None:
        given(RIDE, *history).when(of.expire).then_nothing()

    def test_a_ride_that_nobody_takes_is_given_up(self) -> None:
        given(RIDE, *of.asked, of.expired).when(GiveUp(1)).then(of.unserved)

    @pytest.mark.parametrize(
        "history",
        [
            of.searching,
            of.asked,
            of.coming,
            of.done,
            (*of.asked, of.expired, of.unserved),
            (*of.asked, of.expired, RideOffered(2, (FAYE,), LATER, PICKUP)),
        ],
    )
    def test_the_searchs_timer_is_nothing_once_the_ride_is_elsewhere(
        self, history: tuple[Event, ...]
    ) -> None:
        given(RIDE, *history).when(GiveUp(1)).then_nothing()


class TestDriving:
    def test_a_driver_arrives_starts_and_completes(self) -> None:
        given(RIDE, *of.coming).when(of.dina_arrives).then(of.dina_arriving)
        given(RIDE, *of.coming, of.dina_arriving).when(of.dina_starts).then(of.started)
        given(RIDE, *of.under_way).when(of.dina_completes).then(of.completed)

    def test_a_driver_may_start_without_having_announced_it(self) -> None:
        given(RIDE, *of.coming).when(of.dina_starts).then(of.started)

    def test_repeats_and_what_was_overtaken_are_nothing(self) -> None:
        given(RIDE, *of.coming, of.dina_arriving).when(of.dina_arrives).then_nothing()
        given(RIDE, *of.under_way).when(of.dina_arrives).then_nothing()
        given(RIDE, *of.under_way).when(of.dina_starts).then_nothing()
        for late in (of.dina_arrives, of.dina_starts, of.dina_completes):
            given(RIDE, *of.done).when(late).then_nothing()

    def test_a_ride_is_not_completed_before_it_started(self) -> None:
        given(RIDE, *of.coming).when(of.dina_completes).then_refused(RideNotStarted)

    @pytest.mark.parametrize(
        "command", [of.emil_arrives, of.emil_starts, of.emil_completes, of.emil_withdraws]
    )
    def test_nobody_but_its_driver_drives(self, command: RideCommand) -> None:
        for history in (of.searching, of.asked, of.coming, of.under_way):
            given(RIDE, *history).when(command).then_refused(NotTheDriver)
        given(RIDE, *of.done).when(command).then_refused(RideEnded)

    def test_a_driver_withdraws_and_the_ride_waits_for_an_offer(self) -> None:
        for history in (of.coming, (*of.coming, of.dina_arriving)):
            given(RIDE, *history).when(of.dina_withdraws).then(of.dina_withdrew)

    def test_withdrawing_again_is_nothing(self) -> None:
        given(RIDE, *of.coming, of.dina_withdrew).when(of.dina_withdraws).then_nothing()

    def test_who_withdrew_can_not_drive(self) -> None:
        given(RIDE, *of.coming, of.dina_withdrew).when(of.dina_starts).then_refused(NotTheDriver)

    def test_nobody_withdraws_from_a_ride_that_is_under_way_or_over(self) -> None:
        given(RIDE, *of.under_way).when(of.dina_withdraws).then_refused(RideUnderWay)
        given(RIDE, *of.done).when(of.dina_withdraws).then_refused(RideEnded)


class TestCancelling:
    def test_the_rider_cancels_whatever_has_not_begun(self) -> None:
        given(RIDE, *of.searching).when(of.cancel).then(of.cancelled)
        given(RIDE, *of.asked, of.dina_declined).when(of.cancel).then(
            RideCancelled(1, None, (EMIL,))
        )
        given(RIDE, *of.coming).when(of.cancel).then(RideCancelled(1, DINA, ()))

    def test_cancelling_again_is_nothing(self) -> None:
        given(RIDE, *of.searching, of.cancelled).when(of.cancel).then_nothing()

    def test_what_is_under_way_is_not_cancelled(self) -> None:
        given(RIDE, *of.under_way).when(of.cancel).then_refused(RideUnderWay)

    def test_what_has_ended_otherwise_is_not_cancelled(self) -> None:
        given(RIDE, *of.done).when(of.cancel).then_refused(RideEnded)
        given(RIDE, *of.asked, of.expired, of.unserved).when(of.cancel).then_refused(RideEnded)

    def test_a_cancelled_ride_is_nobodys_to_drive(self) -> None:
        cancelled = (*of.coming, RideCancelled(1, DINA, ()))
        given(RIDE, *cancelled).when(of.dina_starts).then_refused(RideEnded)


def test_a_ride_is_its_riders() -> None:
    assert RIDE.customer_of(NotRequested()) is None
    for history in (of.searching, of.asked, of.coming, of.done):
        assert RIDE.customer_of(RIDE.fold(history)) == ANNA


@pytest.mark.parametrize("history", [of.searching, of.asked, of.coming, of.done])
def test_an_event_that_does_not_fit_is_not_folded(history: tuple[Event, ...]) -> None:
    with pytest.raises(UnknownEvent):
        RIDE.fold((*history, of.requested))
    with pytest.raises(UnknownEvent):
        RIDE.fold([*history[1:], of.completed])
