"""The application: routes put together with everything that stands around each of them."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import cast

from litestar import Litestar
from litestar.types import ControllerRouterHandler

from app.http.access import Access, Gate, check_declared
from app.http.asgi import App
from app.http.direct import DirectRoutes
from app.http.docs import documentation_routes
from app.http.edge import Edge
from app.http.exceptions import answer_with_problem
from app.http.health import HealthCheck, health_routes
from app.http.limits import Limits, Unlimited
from app.http.load import Load
from app.http.metrics import Metrics, RequestMetrics
from app.http.metrics_route import metrics_route
from app.http.middleware import Front
from app.http.parameters import refuse_unknown_parameters
from app.http.request import MAX_BODY_BYTES, JsonRequest

Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]


def create_app(
    route_handlers: Sequence[ControllerRouterHandler],
    *,
    version: str,
    metrics: Metrics,
    gate: Gate,
    direct_routes: Mapping[tuple[str, str], App] | None = None,
    health_checks: Mapping[str, HealthCheck] | None = None,
    lifespan: Sequence[Lifespan] = (),
    limits: Limits | None = None,
    edge: Edge | None = None,
    load: Load | None = None,
) -> App:
    """An ASGI app that serves the routes, with health, metrics and documentation.

    Raises `LookupError` for a route that does not say whom the gate is to let in.

    A direct route is served before the framework, whatever else has its method and path; a handler
    of the same method and path among the route handlers documents it. Handlers of commands that say
    so are served directly too (`app.http.direct`). `lifespan` holds what lives
    as long as the app: entered in order at startup, left in reverse order. Without `limits`,
    nobody's requests are limited; without an `edge`, the server goes by any name.
    """
    access = Access(gate, limits or Unlimited())
    litestar = Litestar(
        [
            *route_handlers,
            *health_routes(health_checks or {}),
            *documentation_routes(route_handlers, version=version),
            metrics_route(metrics),
        ],
        request_class=JsonRequest,
        request_max_body_size=MAX_BODY_BYTES,
        guards=[access.guard],
        before_request=refuse_unknown_parameters,
        exception_handlers={Exception: answer_with_problem},
        lifespan=lifespan,
        openapi_config=None,  # its routes would answer unknown paths with a page of their own
        logging_config=None,
    )
    check_declared(litestar)
    return Front(
        cast(App, litestar),
        access=access,
        direct_routes=DirectRoutes(direct_routes or {}, litestar),
        metrics=RequestMetrics(metrics),
        edge=edge or Edge(),
        load=load or Load(),
    )
