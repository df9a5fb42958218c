"""Side by side: contenders that take turns, so that a machine's moods hit them alike."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from statistics import median, quantiles

Contender = Callable[[], Awaitable[float]]
"""Runs once and answers its rate, in things a second."""


@dataclass(frozen=True)
class Rates:
    """What each contender reached, round by round."""

    by_name: Mapping[str, list[float]]

    def median(self, name: str) -> float:
        """A contender's median rate."""
        return median(self.by_name[name])

    def ratios(self, name: str, against: str) -> list[float]:
        """The rate in relation to another's of the same round."""
        pairs = zip(self.by_name[name], self.by_name[against], strict=True)
        return [rate / other for rate, other in pairs]


async def side_by_side(contenders: Mapping[str, Contender], *, rounds: int) -> Rates:
    """Let them take turns (A B A B …), after one round to warm up that does not count."""
    by_name: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, contender in contenders.items():
            rate = await contender()
            if number:
                by_name[name].append(rate)
    return Rates(by_name)


def quartiles(values: list[float]) -> tuple[float, float]:
    """The first and third quartile: how far the rounds differ."""
    if len(values) == 1:
        return values[0], values[0]
    first, _, third = quantiles(values, n=4, method="inclusive")
    return first, third
