"""Playbacks and subscriptions over HTTP."""

import asyncio
import random
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from tests.fixtures.api import Api

pytestmark = pytest.mark.anyio

REPORTS = 20
SEED = 20261122


async def test_reports_in_disorder_leave_the_latest_as_how_things_are(api: Api) -> None:
    """Reports come several at once, twice, and in any order."""
    playback_id, customer_id = str(uuid4()), f"customer-of-{uuid4()}"
    path = f"/v1/playbacks/{playback_id}"
    start = {"customer_id": customer_id, "title_id": "dune-2", "device_id": "tv"}
    assert (await api.post(f"{path}/start", start)).status == 200
    sequences = [*range(1, REPORTS + 1), *range(1, REPORTS + 1)]
    random.Random(SEED).shuffle(sequences)
    answers = await asyncio.gather(
        *(
            api.post(
                f"{path}/{'pause' if sequence % 2 else 'resume'}",
                {"sequence": sequence, "progress_s": 10 * sequence},
            )
            for sequence in sequences
        )
    )
    assert {answer.status for answer in answers} == {200}
    end = {"sequence": REPORTS + 1, "progress_s": 9600}
    assert (await api.post(f"{path}/finish", end)).status == 200
    events = await api.all_items(f"/v1/streams/playback-{playback_id}", limit=100)
    recorded = [event["data"]["sequence"] for event in events[1:]]
    assert recorded == sorted(set(recorded))
    assert recorded[-2:] == [REPORTS, REPORTS + 1]
    assert {event["customer_id"] for event in events} == {customer_id}
    late = await api.post(f"{path}/pause", end | {"sequence": REPORTS + 2})
    assert (late.status, late.code) == (409, "playback-over")


async def test_a_subscription_is_started_once_and_cancelled_to_its_periods_end(api: Api) -> None:
    subscription_id = str(uuid4())
    path = f"/v1/subscriptions/{subscription_id}"
    terms = {
        "customer_id": f"customer-of-{uuid4()}",
        "plan": "family",
        "price": 1299,
        "currency": "EUR",
        "time_zone": "Europe/Berlin",
    }
    for body in (terms, terms | {"months": 1}):
        assert (await api.post(f"{path}/start", body)).status == 200
    other = await api.post(f"{path}/start", terms | {"price": 1499})
    assert (other.status, other.code) == (409, "subscription-taken")
    for _ in range(2):
        assert (await api.post(f"{path}/cancel", {})).status == 200
    [started, cancelled] = await api.all_items(
        f"/v1/streams/subscription-{subscription_id}", limit=100
    )
    began_at, ends_at = (
        datetime.fromisoformat(started["data"][n]) for n in ("began_at", "ends_at")
    )
    recorded_at = datetime.fromisoformat(started["recorded_at"])
    assert abs(recorded_at - began_at) < timedelta(seconds=30)
    assert timedelta(days=27) < ends_at - began_at < timedelta(days=32)
    assert cancelled["data"] == {"plan": "family", "ends_at": started["data"]["ends_at"]}
