"""The audit shows what those who run the store did, and nothing else."""

from datetime import timedelta

import pytest

from app.catalogue import CATALOGUE
from app.modules.customers.events import CustomerRegistered
from app.modules.operations.events import ReshardRequested, RetryRequested
from projections.audit import AUDIT
from projections.audit.queries import EVERYTHING, ActFilter, Audit
from projections.audit.routes import audit_routes
from projections.rebuild import rebuild
from tests.integration.conftest import on_one_server
from tests.integration.projections.stage import Stage, act, of_customer, sent
from tests.unit.http.asking import app_of, ask

pytestmark = [pytest.mark.anyio, on_one_server]

KEY = "key:3kTMd1AqzX0b"


@pytest.fixture
async def audit(stage: Stage) -> Audit:
    """Of acts at the positions 2, 4 and 5, and of one at 6 that a service only says it did."""
    await stage.make_first(AUDIT)
    await stage.record(
        sent("ann"),
        act(ReshardRequested("timeline", 3)),
        of_customer("ann", CustomerRegistered({})),
        act(RetryRequested("timeline", "ann"), KEY),
        act(RetryRequested("visits", None)),
        sent("ann", "projection.retry_requested"),
    )
    await stage.apply(AUDIT.generation(1), max_batch_events=2)
    return Audit(stage.models, CATALOGUE)


async def positions(audit: Audit, only: ActFilter = EVERYTHING) -> list[int]:
    page = await audit.page(only, limit=100)
    assert page.next_cursor is None
    return [item.position for item in page.items]


async def test_acts_are_shown_newest_first_and_nothing_else(stage: Stage, audit: Audit) -> None:
    assert await positions(audit) == [5, 4, 2]
    [_, retried, _] = (await audit.page(limit=3)).items
    [_, _, _, recorded, *_] = await stage.store.read_log(after=0, limit=10)
    assert retried.event_id == recorded.event_id
    assert retried.data == recorded.data
    assert b'"request_id"' in bytes(retried.metadata)
    assert retried.title == "Asked to retry what timeline leaves out"


async def test_filters_narrow_by_actor_type_and_time(stage: Stage, audit: Audit) -> None:
    times = [event.recorded_at for event in await stage.store.read_log(after=0, limit=10)]
    fourth = times[3]
    later = fourth + timedelta(microseconds=1)
    for only, expected in (
        (ActFilter(actor=KEY), [4]),
        (ActFilter(actor="key"), []),
        (ActFilter(type="projection.retry_requested"), [5, 4]),
        (ActFilter(type="projection.retry_requested", actor="cli:ann"), [5]),
        (ActFilter(since=fourth), [n for n in (5, 4, 2) if times[n - 1] >= fourth]),
        (ActFilter(until=fourth), [n for n in (5, 4, 2) if times[n - 1] < fourth]),
        (ActFilter(since=fourth, until=later, actor=KEY), [4]),
    ):
        assert await positions(audit, only) == expected, only


@pytest.mark.parametrize("only", [EVERYTHING, ActFilter(type="projection.retry_requested")])
async def test_pages_hold_every_act_once(audit: Audit, only: ActFilter) -> None:
    paged: list[int] = []
    cursor = None
    while True:
        page = await audit.page(only, limit=1, cursor=cursor)
        paged += [item.position for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert paged == await positions(audit, only)


async def test_the_audit_is_the_same_after_a_rebuild(stage: Stage, audit: Audit) -> None:
    before = await stage.contents(AUDIT.generation(1))
    await rebuild(stage.log, AUDIT, handover=timedelta(0))
    assert await stage.contents(AUDIT.generation(2)) == before
    assert await positions(audit) == [5, 4, 2]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("cursor=abc", "cursor"),
        ("cursor=WyIyMDI2LTExLTIyVDEyOjAwOjAwIiwxXQ", "cursor"),  # a time without an offset
        ("from=2026-11-22", "from"),
        ("to=yesterday", "to"),
        ("actor=" + "x" * 201, "actor"),
        ("type=" + "x" * 201, "type"),
        ("who=ann", "who"),
        ("min_position=7", "min_position"),
    ],
)
async def test_what_is_no_query_of_it_is_refused(audit: Audit, query: str, field: str) -> None:
    app = app_of(*audit_routes(audit))
    answer = await ask(app, "GET", f"/v1/audit?{query}")
    assert (answer.status, answer.json()["field"]) == (400, field)
    assert (await ask(app, "GET", "/v1/audit?actor=cli:ann&limit=1")).status == 200
