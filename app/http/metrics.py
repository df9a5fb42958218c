"""Metrics for Prometheus, from one process or from all that share a directory.

prometheus_client decides by the environment, as it is imported, where values live. Whoever starts
several processes sets PROMETHEUS_MULTIPROC_DIR before, to an empty directory that they share; any
of them then answers for all.
"""

import asyncio
import os
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence

import prometheus_client
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.process_collector import ProcessCollector

SHARED_DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

SETTLED_EVERY_S = 0.05
"""How long requests may be counted apart, for they cost less together. A process that is stopped
leaves out so much at the most.
"""
SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """The metrics of this process, which has one of these; each metric is made once, where it is
    wired to what it measures.
    """

    def __init__(self) -> None:
        """Begin with none."""
        # A second series for each, which nobody asks for.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call] # it is not typed
        self._registry = CollectorRegistry()
        self._settle: list[Callable[[], None]] = []
        self._is_shared = SHARED_DIRECTORY_VARIABLE in os.environ
        if not self._is_shared:
            ProcessCollector(registry=self._registry)

    def counter(
        self, name: str, description: str, labels: Sequence[str] = ()
    ) -> prometheus_client.Counter:
        """Something that only grows, summed over the processes; its name ends in ``_total``."""
        return prometheus_client.Counter(name, description, labels, registry=self._registry)

    def gauge(
        self, name: str, description: str, labels: Sequence[str] = ()
    ) -> prometheus_client.Gauge:
        """Something that goes up and down; of several processes, what was said last."""
        return prometheus_client.Gauge(
            name, description, labels, registry=self._registry, multiprocess_mode="mostrecent"
        )

    def histogram(
        self,
        name: str,
        description: str,
        labels: Sequence[str] = (),
        *,
        buckets: Sequence[float] = SECONDS_BUCKETS,
    ) -> prometheus_client.Histogram:
        """How often something was how large, in the unit that its name ends in."""
        return prometheus_client.Histogram(
            name, description, labels, registry=self._registry, buckets=buckets
        )

    def before_telling(self, settle: Callable[[], None]) -> None:
        """Call this one, in the event loop, before anybody is told."""
        self._settle.append(settle)

    async def told(self) -> bytes:
        """Everything, in Prometheus's text format, with all that this process has seen."""
        for settle in self._settle:
            settle()
        return await asyncio.to_thread(self.exposition)

    def exposition(self) -> bytes:
        """Everything, in Prometheus's text format."""
        if not self._is_shared:
            return generate_latest(self._registry)
        shared = CollectorRegistry()
        MultiProcessCollector(shared)  # type: ignore[no-untyped-call] # the library's own lack
        return generate_latest(shared)


class RequestMetrics:
    """What is measured of each HTTP request."""

    def __init__(self, metrics: Metrics) -> None:
        """Make them."""
        self._requests = metrics.counter(
            "tidings_http_requests_total", "Requests answered.", ("method", "route", "status")
        )
        self._seconds = metrics.histogram(
            "tidings_http_request_duration_seconds",
            "From a request's arrival to the end of its response.",
            ("method", "route"),
        )
        self._unauthenticated = metrics.counter(
            "tidings_authentication_failures_total", "Requests without a valid credential."
        )
        self._seen: dict[tuple[str, str, int], list[float]] = {}
        """Seconds, of each request that is not settled yet."""
        self._is_due = False
        metrics.before_telling(self._settle)

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request. The caller sees to it that methods and routes are few."""
        seen = self._seen.get((method, route, status))
        if seen is None:
            seen = self._seen[method, route, status] = []
        seen.append(seconds)
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_later(SETTLED_EVERY_S, self._settle)

    def _settle(self) -> None:
        self._is_due = False
        seen, self._seen = self._seen, {}
        for (method, route, status), seconds in seen.items():
            self._requests.labels(method, route, status).inc(len(seconds))
            _observe_all(self._seconds.labels(method, route), seconds)
            if status == 401:
                self._unauthenticated.inc(len(seconds))


def _observe_all(histogram: prometheus_client.Histogram, values: Sequence[float]) -> None:
    """What `Histogram.observe` does, for many at a time, which the library does not offer."""
    histogram._sum.inc(sum(values))  # noqa: SLF001 - the library has no other way
    bounds = histogram._upper_bounds  # noqa: SLF001 - as above
    for bucket, count in Counter(bisect_left(bounds, value) for value in values).items():
        histogram._buckets[bucket].inc(count)  # noqa: SLF001 - as above
