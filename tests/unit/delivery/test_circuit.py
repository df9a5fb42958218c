"""A destination that does not answer is left alone, and found out about one message at a time."""

from app.delivery.circuit import FAILURES_TO_OPEN, FIRST_PAUSE_S, LONGEST_PAUSE_S, Circuit

MOST = 16


class Moments:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def opened(moments: Moments) -> Circuit:
    circuit = Circuit(moments)
    for _ in range(FAILURES_TO_OPEN):
        circuit.failed()
    return circuit


def test_until_it_opens_as_many_go_as_may_be_under_way() -> None:
    circuit = Circuit(Moments())
    for _ in range(FAILURES_TO_OPEN - 1):
        circuit.failed()
    assert [circuit.admits(n, MOST) for n in (0, 10, 16, 20)] == [16, 6, 0, 0]


def test_open_it_lets_none_go_and_later_one() -> None:
    moments = Moments()
    circuit = opened(moments)
    assert circuit.admits(0, MOST) == 0
    moments.now = FIRST_PAUSE_S
    assert (circuit.admits(0, MOST), circuit.admits(1, MOST)) == (1, 0)


def test_an_answer_closes_it() -> None:
    circuit = opened(Moments())
    circuit.answered()
    assert circuit.admits(0, MOST) == MOST


def test_pauses_grow_up_to_a_bound() -> None:
    moments = Moments()
    circuit = opened(moments)
    for _ in range(100):
        circuit.failed()
    moments.now = LONGEST_PAUSE_S - 0.1
    assert circuit.admits(0, MOST) == 0
    moments.now = LONGEST_PAUSE_S
    assert circuit.admits(0, MOST) == 1
