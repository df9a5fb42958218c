"""When a child that died is started again."""

from app.supervisor.backoff import HEALTHY_SECONDS, LONGEST_SECONDS, Backoff


def test_the_first_restart_is_at_once() -> None:
    assert Backoff().seconds_after(0.1) == 0


def test_the_next_ones_wait_longer_and_longer_up_to_a_limit() -> None:
    backoff = Backoff()
    waits = [backoff.seconds_after(0.1) for _ in range(5000)]
    assert waits == sorted(waits)
    assert waits[1] > 0
    assert waits[2] == 2 * waits[1]
    assert waits[-1] == LONGEST_SECONDS


def test_a_child_that_stayed_up_is_restarted_at_once_again() -> None:
    backoff = Backoff()
    waits = [backoff.seconds_after(uptime) for uptime in (0.1, 0.1, HEALTHY_SECONDS, 0.1)]
    assert [wait > 0 for wait in waits] == [False, True, False, True]
