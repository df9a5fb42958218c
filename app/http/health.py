"""Health: whether the process lives, and whether it can do its work."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

import structlog
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from app.http.access import PUBLIC
from app.kernel.errors import TidingsError

HealthCheck = Callable[[], Awaitable[None]]
"""Returns when all is well, raises when it is not."""

CHECK_TIMEOUT = timedelta(seconds=2)

_log = structlog.get_logger("tidings.health")


def health_routes(checks: Mapping[str, HealthCheck]) -> list[HTTPRouteHandler]:
    """``GET /health/live``, and ``GET /health/ready``, which asks each check."""

    @get("/health/live", opt=PUBLIC, include_in_schema=False, sync_to_thread=False)
    def show_live() -> dict[str, str]:
        return {"status": "live"}

    @get("/health/ready", opt=PUBLIC, include_in_schema=False)
    async def show_ready() -> Response[dict[str, object]]:
        states = await asyncio.gather(*(_state(name, check) for name, check in checks.items()))
        is_ready = all(state == "ok" for state in states)
        return Response(
            {
                "status": "ready" if is_ready else "not ready",
                "checks": dict(zip(checks, states, strict=True)),
            },
            status_code=200 if is_ready else 503,
        )

    return [show_live, show_ready]


async def _state(name: str, check: HealthCheck) -> str:
    """``ok``, or what a stranger may know of the failure; the rest is logged."""
    try:
        async with asyncio.timeout(CHECK_TIMEOUT.total_seconds()):
            await check()
    except TidingsError as error:
        return str(error)
    except TimeoutError:
        return f"no answer within {CHECK_TIMEOUT.total_seconds():g} s"
    except Exception as error:
        _log.warning("health check failed", check=name, exc_info=error)
        return "failed"
    return "ok"
