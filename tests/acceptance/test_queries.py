"""Reading: one's own writes, timelines, visitors, and customers."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from tests.fixtures.api import Api

pytestmark = pytest.mark.anyio

ROUNDS = 200
START = datetime(2026, 3, 1, tzinfo=UTC)


def somebody() -> str:
    return f"customer-of-{uuid4()}"


def at(minutes: int) -> str:
    return (START + timedelta(minutes=minutes)).isoformat()


async def happened(api: Api, customer_id: str, *events: dict[str, Any]) -> list[int]:
    """Record events and wait until they can be read; their positions."""
    outcomes = await api.record(
        *({"type": "Seen", "customer_id": customer_id, "data": {}} | event for event in events)
    )
    assert {outcome["outcome"] for outcome in outcomes} == {"recorded"}, outcomes
    positions = [outcome["position"] for outcome in outcomes]
    await api.read(f"/v1/customers/{customer_id}?min_position={positions[-1]}")
    await api.read(f"/v1/customers/{customer_id}/timeline?min_position={positions[-1]}")
    return positions


async def test_min_position_reads_what_was_just_written(api: Api) -> None:
    ann = somebody()
    for number in range(ROUNDS):
        outcome = (
            await api.post("/v1/events", {"type": "Seen", "customer_id": ann, "data": {}})
        ).json()
        where = f"min_position={outcome['position']}"
        entries, profile = await asyncio.gather(
            api.read(f"/v1/customers/{ann}/timeline?limit=1&{where}"),
            api.read(f"/v1/customers/{ann}?{where}"),
        )
        assert entries["items"][0]["position"] == outcome["position"]
        assert profile["events"] == number + 1


async def test_a_position_that_the_log_has_not_come_to_is_refused(api: Api) -> None:
    far = 2**62
    for path in (
        "/v1/customers",
        "/v1/customers/ann",
        "/v1/customers/ann/timeline",
        "/v1/events",
        "/v1/streams/activity-ann",
    ):
        answer = await api.get(f"{path}?min_position={far}")
        assert (answer.status, answer.code) == (400, "position-beyond-head")
        assert answer.problem["field"] == "min_position"


async def test_a_timeline_is_newest_first_by_when_it_happened_then_by_position(api: Api) -> None:
    ann = somebody()
    minutes = [3, 1, 2, 2, 3, 0, 2]
    positions = await happened(api, ann, *({"occurred_at": at(minute)} for minute in minutes))
    expected = [
        position for _, position in sorted(zip(minutes, positions, strict=True), reverse=True)
    ]
    whole = await api.read(f"/v1/customers/{ann}/timeline")
    assert [entry["position"] for entry in whole["items"]] == expected
    assert whole["next_cursor"] is None
    for limit in (1, 2, 3, 6, 7, 8):
        paged = await api.all_items(f"/v1/customers/{ann}/timeline", limit=limit)
        assert [entry["position"] for entry in paged] == expected


async def test_paging_is_complete_where_everything_happened_at_once(api: Api) -> None:
    ann = somebody()
    events = [{"occurred_at": at(0), "data": {"n": n}} for n in range(250)]
    positions = await happened(api, ann, *events)
    for limit in (17, 100, 200):
        entries = await api.all_items(f"/v1/customers/{ann}/timeline", limit=limit)
        assert [entry["position"] for entry in entries] == positions[::-1]


async def test_a_page_is_not_moved_by_what_is_recorded_meanwhile(api: Api) -> None:
    ann = somebody()
    positions = await happened(api, ann, *({"occurred_at": at(n)} for n in range(6)))
    first = await api.read(f"/v1/customers/{ann}/timeline?limit=3")
    await happened(api, ann, {"occurred_at": at(60)})
    second = await api.read(f"/v1/customers/{ann}/timeline?limit=3&cursor={first['next_cursor']}")
    seen = [entry["position"] for page in (first, second) for entry in page["items"]]
    assert seen == positions[::-1]


async def test_a_timeline_is_filtered_by_type_kind_and_time(api: Api) -> None:
    ann = somebody()
    await api.post(f"/v1/customers/{ann}/register", {})
    seen = await happened(
        api,
        ann,
        {"type": "Seen", "occurred_at": at(0)},
        {"type": "Bought it", "occurred_at": at(10)},
        {"type": "Seen", "occurred_at": at(20)},
    )

    async def positions(**only: str) -> list[int]:
        items = await api.all_items(f"/v1/customers/{ann}/timeline", limit=1, **only)
        return [entry["position"] for entry in items]

    assert await positions(type="Seen") == [seen[2], seen[0]]
    assert await positions(type="Bought%20it") == [seen[1]]
    assert await positions(type="Sold") == []
    assert await positions(kind="activity") == seen[::-1]
    assert len(await positions(kind="customer")) == 1
    # From is inclusive and to is not, so that stretches side by side share nothing.
    assert await positions(**{"from": quote(at(10))}) == [
        await customer_event(api, ann),
        *seen[:0:-1],
    ]
    assert await positions(to=quote(at(10))) == [seen[0]]
    assert await positions(**{"from": quote(at(0)), "to": quote(at(20))}) == [seen[1], seen[0]]
    assert await positions(**{"from": quote(at(0)), "to": quote(at(20)), "type": "Seen"}) == [
        seen[0]
    ]


async def customer_event(api: Api, customer_id: str) -> int:
    """The position of the only event of its customer stream."""
    [event] = (await api.read(f"/v1/streams/customer-{customer_id}"))["items"]
    position: int = event["position"]
    return position


async def test_a_time_has_microseconds_and_any_offset(api: Api) -> None:
    ann = somebody()
    [early, late] = await happened(
        api,
        ann,
        {"occurred_at": "2026-03-01T12:00:00.000001+05:30"},
        {"occurred_at": "2026-03-01T06:30:00.000002Z"},
    )
    page = await api.read(f"/v1/customers/{ann}/timeline?from=2026-03-01T06:30:00.000002Z")
    assert [entry["position"] for entry in page["items"]] == [late]
    page = await api.read(f"/v1/customers/{ann}/timeline?to=2026-03-01T08:30:00.000002%2B02:00")
    assert [entry["position"] for entry in page["items"]] == [early]


async def test_what_a_visitor_did_appears_when_linked_and_goes_when_unlinked(api: Api) -> None:
    ann, visitor = somebody(), str(uuid4())
    known = await happened(api, ann, {"occurred_at": at(10)})
    outcomes = await api.record(
        *(
            {"type": "Viewed", "anonymous_id": visitor, "data": {}, "occurred_at": at(minute)}
            for minute in (5, 15)
        )
    )
    assert {outcome["stream"] for outcome in outcomes} == {f"activity-~{visitor}"}
    visits = [outcome["position"] for outcome in outcomes]
    link = {"kind": "anonymous", "value": visitor}

    async def after(command: str) -> tuple[list[int], Any]:
        """Activity on the timeline, and the profile, after a command."""
        done = (await api.post(f"/v1/customers/{ann}/{command}", link)).json()
        where = f"min_position={done['position']}"
        entries = await api.all_items(
            f"/v1/customers/{ann}/timeline", limit=2, kind="activity", min_position=done["position"]
        )
        profile = await api.read(f"/v1/customers/{ann}?{where}")
        return [entry["position"] for entry in entries], profile

    for _ in range(2):  # reversible as often as one likes
        positions, profile = await after("link-identity")
        assert positions == [visits[1], known[0], visits[0]]
        assert profile["events"] == 3
        assert profile["first_seen"] == "2026-03-01T00:05:00Z"
        assert [identity["kind"] for identity in profile["identities"]] == ["anonymous"]
        positions, profile = await after("unlink-identity")
        assert positions == known
        assert profile["events"] == 1
        assert profile["identities"] == []
    own = await api.read(f"/v1/customers/~{visitor}/timeline")
    assert [entry["position"] for entry in own["items"]] == visits[::-1]
    assert visitor not in str((await api.read(f"/v1/streams/customer-{ann}"))["items"])


async def test_the_past_is_answered_as_it_was_and_compared(api: Api) -> None:
    ann, visitor = somebody(), str(uuid4())
    timeline = f"/v1/customers/{ann}/timeline"
    await api.record({"type": "Viewed", "anonymous_id": visitor, "data": {}})
    registered = await api.post(f"/v1/customers/{ann}/register", {"traits": {"plan": "free"}})
    [seen] = await happened(api, ann, {})
    then = await api.read(f"/v1/customers/{ann}"), await api.read(timeline)
    recorded_at = quote(then[1]["items"][0]["recorded_at"])

    link = {"kind": "anonymous", "value": visitor}
    await api.post(f"/v1/customers/{ann}/link-identity", link)
    await api.post(f"/v1/customers/{ann}/change-traits", {"traits": {"plan": "pro"}})
    [last] = await happened(api, ann, {"occurred_at": at(0)})
    now = await api.read(f"/v1/customers/{ann}"), await api.read(timeline)
    assert len(now[1]["items"]) == len(then[1]["items"]) + 4

    for moment, answers in ((seen, then), (recorded_at, then), (last, now)):
        assert await api.read(f"/v1/customers/{ann}?as_of={moment}") == answers[0]
        assert await api.read(f"{timeline}?as_of={moment}") == answers[1]
    missing = await api.get(f"/v1/customers/{ann}?as_of={registered.json()['position'] - 1}")
    assert (missing.status, missing.code) == (404, "not-found")

    diff = await api.read(f"/v1/customers/{ann}/diff?from={recorded_at}&to={last}")
    assert (diff["from"], diff["to"]) == (seen, last)
    assert {"path": "traits.plan", "before": "free", "after": "pro"} in diff["changes"]
    assert len([e for e in diff["entries"] if seen < e["position"] <= last]) == 3
    beyond = await api.get(f"{timeline}?as_of={2**62}")
    assert (beyond.status, beyond.code) == (400, "position-beyond-head")
    assert beyond.problem["field"] == "as_of"


async def test_customers_are_found_by_prefix_identity_and_trait(api: Api) -> None:
    group = f"g{uuid4().hex[:12]}"
    email = f"{group}@example.org"
    last = 0
    for name in ("Anna Berg", "ANNIKA", "Bertil", "Ånna"):
        who = f"{group}-{name[:4].strip().lower()}"
        done = await api.post(
            f"/v1/customers/{quote(who)}/register", {"traits": {f"name-{group}": name}}
        )
        last = done.json()["position"]
    linked = await api.post(
        f"/v1/customers/{group}-anna/link-identity", {"kind": "email", "value": email.upper()}
    )
    last = linked.json()["position"]

    async def found(**query: object) -> list[str]:
        items = await api.all_items("/v1/customers", limit=2, min_position=last, **query)
        return [item["customer_id"].removeprefix(f"{group}-") for item in items]

    assert await found(id_prefix=group) == ["anna", "anni", "bert", "ånna"]
    assert await found(id_prefix=f"{group}-ann") == ["anna", "anni"]
    assert await found(trait=f"name-{group}") == ["anna", "anni", "bert", "ånna"]
    assert await found(trait=f"name-{group}", starts_with="aNn") == ["anna", "anni"]
    assert await found(trait=f"name-{group}", starts_with=quote("Å")) == ["ånna"]
    assert await found(trait=f"name-{group}", starts_with="x") == []
    assert await found(identity=quote(f"email:{email}")) == ["anna"]
    assert await found(identity=quote(f"email:other-{email}")) == []


async def test_all_customers_are_listed_and_no_visitors(api: Api) -> None:
    ann, visitor = somebody(), str(uuid4())
    await happened(api, ann, {})
    [outcome] = await api.record({"type": "Viewed", "anonymous_id": visitor, "data": {}})
    everybody = [
        customer["customer_id"]
        for customer in await api.all_items(
            "/v1/customers", limit=200, min_position=outcome["position"]
        )
    ]
    assert ann in everybody
    assert everybody == sorted(set(everybody))
    assert not any(customer_id.startswith("~") for customer_id in everybody)
    visitors = await api.all_items("/v1/customers", id_prefix="~", limit=200)
    assert f"~{visitor}" in {customer["customer_id"] for customer in visitors}


async def test_a_profile_tells_traits_consents_and_when_somebody_was_seen(api: Api) -> None:
    ann = somebody()
    await happened(api, ann, {"occurred_at": at(7)}, {"occurred_at": at(3)})
    register = {"traits": {"name": "Ann", "tags": ["a", {"b": None}], "old": 1}}
    await api.post(f"/v1/customers/{ann}/register", register)
    await api.post(f"/v1/customers/{ann}/change-traits", {"traits": {"old": None, "n": -0.25}})
    await api.post(f"/v1/customers/{ann}/record-consent", {"channel": "email", "topic": "news"})
    await api.post(f"/v1/customers/{ann}/withdraw-consent", {"channel": "email", "topic": "news"})
    done = await api.post(
        f"/v1/customers/{ann}/record-consent", {"channel": "sms", "topic": "news"}
    )
    answer = await api.get(f"/v1/customers/{ann}?min_position={done.json()['position']}")
    profile = answer.json()
    assert profile["traits"] == {"name": "Ann", "tags": ["a", {"b": None}], "n": -0.25}
    assert [(c["channel"], c["topic"], c["granted"]) for c in profile["consents"]] == [
        ("email", "news", False),
        ("sms", "news", True),
    ]
    assert profile["events"] == 2
    assert (profile["first_seen"], profile["last_seen"]) == (
        "2026-03-01T00:03:00Z",
        "2026-03-01T00:07:00Z",
    )
    assert profile["registered_at"] is not None
    assert profile["version"] == 5
    assert answer.headers["etag"] == '"5"'
    missing = await api.get(f"/v1/customers/{somebody()}")
    assert (missing.status, missing.code) == (404, "not-found")


async def test_streams_and_the_log_are_read_in_pages(api: Api) -> None:
    ann = somebody()
    positions = await happened(api, ann, *({"data": {"n": n}} for n in range(10)))
    for limit in (1, 3, 5, 10, 11):
        events = await api.all_items(f"/v1/streams/activity-{ann}", limit=limit)
        assert [event["position"] for event in events] == positions
    everything = await api.log()
    assert [event["position"] for event in everything] == list(range(1, len(everything) + 1))
    recorded = [event["recorded_at"] for event in everything]
    assert recorded == sorted(recorded)
    beyond = await api.read(f"/v1/events?after={2**63 - 1}")
    assert beyond == {"items": [], "next_cursor": None}
    assert (await api.get(f"/v1/streams/activity-{somebody()}")).status == 404
