"""Metrics, as a port: what the lower parts count and measure, wherever it is published."""

from typing import Protocol


class Counter(Protocol):
    """Something that only grows."""

    def inc(self, amount: float = 1) -> None:
        """Count more of it."""
        ...


class Gauge(Protocol):
    """Something that goes up and down."""

    def set(self, value: float) -> None:
        """Say how much it is now."""
        ...


class Histogram(Protocol):
    """How often something was how large."""

    def observe(self, amount: float) -> None:
        """Record one measurement, in the unit that the metric's name ends in."""
        ...


class Unmeasured:
    """Any of them, where nobody looks."""

    def inc(self, amount: float = 1) -> None:
        """Do nothing."""

    def set(self, value: float) -> None:
        """Do nothing."""

    def observe(self, amount: float) -> None:
        """Do nothing."""


UNMEASURED = Unmeasured()
