"""Health: alive without asking anyone, ready only when every check says so."""

from datetime import timedelta

import anyio
import pytest
from structlog.testing import capture_logs

from app.http import health
from app.kernel.errors import StoreUnavailable
from tests.unit.http.asking import app_of, ask

pytestmark = pytest.mark.anyio


async def fine() -> None:
    pass


async def down() -> None:
    raise StoreUnavailable


async def broken() -> None:
    raise RuntimeError("the password is hunter2")


async def stuck() -> None:
    await anyio.sleep_forever()


async def test_a_process_lives_whatever_its_checks_say() -> None:
    answer = await ask(app_of(health_checks={"store": down}), "GET", "/health/live")

    assert (answer.status, answer.json()) == (200, {"status": "live"})


async def test_a_process_is_ready_when_all_its_checks_pass() -> None:
    answer = await ask(app_of(health_checks={"store": fine}), "GET", "/health/ready")

    assert (answer.status, answer.json()) == (200, {"status": "ready", "checks": {"store": "ok"}})


async def test_a_process_is_not_ready_when_one_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_TIMEOUT", timedelta(milliseconds=20))
    checks = {"a": fine, "b": down, "c": broken, "d": stuck}

    with capture_logs() as logs:
        answer = await ask(app_of(health_checks=checks), "GET", "/health/ready")

    assert answer.status == 503
    assert answer.json() == {
        "status": "not ready",
        "checks": {
            "a": "ok",
            "b": "The event store cannot be reached at the moment.",
            "c": "failed",
            "d": "no answer within 0.02 s",
        },
    }
    assert [log["check"] for log in logs if log["log_level"] == "warning"] == ["c"]
