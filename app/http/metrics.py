"""Metrics for Prometheus, from one process or from all that share a directory.

prometheus_client decides by the environment, as it is imported, where values live. Whoever starts
several processes sets PROMETHEUS_MULTIPROC_DIR before, to an empty directory that they share; any
of them then answers for all.
"""

import os
from collections.abc import Sequence

import prometheus_client
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.process_collector import ProcessCollector

from app.http.access import PUBLIC

SHARED_DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

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
        self._children: dict[
            tuple[str, str, int], tuple[prometheus_client.Counter, prometheus_client.Histogram]
        ] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request. The caller sees to it that methods and routes are few."""
        children = self._children.get((method, route, status))
        if children is None:
            children = self._children[method, route, status] = (
                self._requests.labels(method, route, status),
                self._seconds.labels(method, route),
            )
        children[0].inc()
        children[1].observe(seconds)
        if status == 401:
            self._unauthenticated.inc()


def metrics_route(metrics: Metrics) -> HTTPRouteHandler:
    """``GET /metrics``."""

    @get("/metrics", opt=PUBLIC, include_in_schema=False, sync_to_thread=True)
    def show_metrics() -> Response[bytes]:
        return Response(metrics.exposition(), media_type=prometheus_client.CONTENT_TYPE_LATEST)

    return show_metrics
