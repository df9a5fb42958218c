"""An analyst sees the cases that are open, and no others."""

import pytest

from app.kernel.errors import InvalidInput
from app.modules.accounts.events import CaseOpened, CaseResolved, Outcome
from app.modules.customers.events import CustomerErased
from projections.cases import CASES
from projections.cases.queries import Cases, OpenCase
from tests.integration.projections.stage import NOON, Happening, Stage, of, of_customer

pytestmark = pytest.mark.anyio

RESOLVED = CaseResolved(Outcome.RELEASED, "analyst-4")


def opened(case_id: str, customer_id: str = "ann") -> Happening:
    return of(f"case-{case_id}", CaseOpened(customer_id), customer_id=customer_id)


def resolved(case_id: str) -> Happening:
    return of(f"case-{case_id}", RESOLVED, customer_id="ann")


async def apply(stage: Stage, *happenings: Happening, max_batch_events: int = 1000) -> None:
    await stage.make_first(CASES)
    await stage.record(*happenings)
    await stage.apply(CASES.generation(1), max_batch_events=max_batch_events)


async def shown(stage: Stage) -> list[str]:
    page = await Cases(stage.models).page(limit=10)
    assert page.next_cursor is None
    return [case.case_id for case in page.items]


@pytest.mark.parametrize("max_batch_events", [1, 1000])
async def test_a_case_is_listed_until_it_is_resolved(stage: Stage, max_batch_events: int) -> None:
    happenings = (opened("t-1"), opened("t-2"), opened("t-3"), resolved("t-1"))
    await apply(stage, *happenings, max_batch_events=max_batch_events)
    page = await Cases(stage.models).page(limit=1)
    assert page.items == [OpenCase("t-2", "ann", NOON, 2)]
    assert await shown(stage) == ["t-2", "t-3"]


@pytest.mark.parametrize("max_batch_events", [1, 1000])
async def test_cases_of_the_erased_whom_nobody_can_decide_on_any_more_are_not_listed(
    stage: Stage, max_batch_events: int
) -> None:
    """One may still be opened when the time to answer is over."""
    await apply(
        stage,
        opened("t-1"),
        opened("t-2", "ben"),
        of_customer("ann", CustomerErased(0, 0)),
        opened("t-3"),
        max_batch_events=max_batch_events,
    )
    assert await shown(stage) == ["t-2"]


async def test_pages_hold_every_case_once_the_oldest_first(stage: Stage) -> None:
    ids = [f"t-{number}" for number in range(5)]
    await apply(stage, *map(opened, ids))
    cases, cursor, paged = Cases(stage.models), None, list[str]()
    while True:
        page = await cases.page(limit=2, cursor=cursor)
        paged += [case.case_id for case in page.items]
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
    assert paged == ids
    with pytest.raises(InvalidInput):
        await cases.page(limit=2, cursor="t-1")
