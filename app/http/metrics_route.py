"""The route that tells metrics: apart from them, for processes without HTTP have metrics too."""

import prometheus_client
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from app.http.access import PUBLIC
from app.http.metrics import Metrics


def metrics_route(metrics: Metrics) -> HTTPRouteHandler:
    """``GET /metrics``."""

    @get("/metrics", opt=PUBLIC, include_in_schema=False)
    async def show_metrics() -> Response[bytes]:
        return Response(await metrics.told(), media_type=prometheus_client.CONTENT_TYPE_LATEST)

    return show_metrics
