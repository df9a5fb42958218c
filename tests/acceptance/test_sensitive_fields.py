"""Sensitive fields, from the outside: plaintext for who may read it, and nowhere else."""

import asyncio
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app.embedded import find_running
from app.kernel.cipher import MASK
from tests.fixtures.api import Api, until_async
from tests.fixtures.tidings_up import TidingsUp, tidings

pytestmark = pytest.mark.anyio

MARK = "canary-" + secrets.token_hex(8)
EMAIL = f"{MARK}@example.org"
PHONE = "+12025550177"


def a_customer() -> str:
    return f"c-{secrets.token_hex(6)}"


@pytest.fixture(scope="session")
def without_pii(tidings_up: TidingsUp) -> str:
    """A key that may read everything but sensitive fields."""
    scopes = ["events:read", "customers:read", "timeline:read"]
    name = f"blind-{secrets.token_hex(4)}"
    made = subprocess.run(
        tidings("keys", "create", name, *(f"--scope={scope}" for scope in scopes)),
        env=tidings_up.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return f"Bearer {made.stdout.strip()}"


async def tell(api: Api, customer_id: str) -> int:
    """All the ways in which sensitive values come in; the last position."""
    message = {"customer_id": customer_id, "kind": "news", "text": f"{MARK} is told"}
    await api.post(f"/v1/messages/{secrets.token_hex(8)}/request", message)
    traits = {"email": EMAIL, "plan": "pro", "billing": {"Address": f"{MARK} street"}}
    await api.post(f"/v1/customers/{customer_id}/register", {"traits": traits})
    await api.post(
        f"/v1/customers/{customer_id}/link-identity",
        {"kind": "email", "value": f"{customer_id}.{EMAIL}"},
    )
    event = {"type": "Signed", "customer_id": customer_id, "data": {"email": EMAIL, "sku": "A-7"}}
    await api.post("/v1/events", event)
    [outcome] = await api.record({**event, "data": {"x": [{"firstName": [MARK, 1.5]}]}})
    return int(outcome["position"])


async def test_who_may_read_sensitive_fields_reads_them_as_they_were_sent(api: Api) -> None:
    ann = a_customer()
    position = await tell(api, ann)
    profile = await api.read(f"/v1/customers/{ann}?min_position={position}")
    assert profile["traits"] == {
        "email": EMAIL,
        "plan": "pro",
        "billing": {"Address": f"{MARK} street"},
    }
    timeline = await api.read(f"/v1/customers/{ann}/timeline?min_position={position}")
    assert timeline["items"][0]["data"] == {"x": [{"firstName": [MARK, 1.5]}]}
    assert timeline["items"][1]["data"] == {"email": EMAIL, "sku": "A-7"}
    stream = await api.read(f"/v1/streams/activity-{ann}")
    assert stream["items"][0]["data"] == {"email": EMAIL, "sku": "A-7"}
    log = await api.read(f"/v1/events?after={position - 1}&limit=1")
    assert log["items"][0]["data"] == {"x": [{"firstName": [MARK, 1.5]}]}


async def test_without_the_scope_sensitive_fields_are_masked_everywhere(
    api: Api, without_pii: str
) -> None:
    ann = a_customer()
    position = await tell(api, ann)

    async def read(target: str) -> Any:
        answer = await api.get(target, Authorization=without_pii)
        assert answer.status == 200, answer
        assert MARK not in answer.body.decode()
        assert "$tidings" not in answer.body.decode()
        return answer.json()

    await api.post(f"/v1/customers/{ann}/change-traits", {"traits": {"email": f"2{EMAIL}"}})
    profile = await read(f"/v1/customers/{ann}?min_position={position}")
    assert profile["traits"] == {"email": MASK, "plan": "pro", "billing": {"Address": MASK}}
    timeline = await read(f"/v1/customers/{ann}/timeline?min_position={position}")
    assert {"email": MASK, "sku": "A-7"} in [entry["data"] for entry in timeline["items"]]
    await read(f"/v1/streams/activity-{ann}")
    await read(f"/v1/events?after={position - 4}")
    await read(f"/v1/customers?id_prefix={ann}&min_position={position}")
    await read(f"/v1/customers/{ann}?as_of={position}")
    diff = await read(f"/v1/customers/{ann}/diff?from={position}&to={position + 1}")
    assert {"path": "traits.email", "before": MASK, "after": MASK} in diff["changes"]


async def test_a_diff_shows_what_changed_and_no_more(api: Api) -> None:
    ann = a_customer()
    position = await tell(api, ann)
    for email in ("x@example.org", EMAIL, "y@example.org"):
        await api.post(f"/v1/customers/{ann}/change-traits", {"traits": {"email": email}})

    async def changes(start: int, end: int) -> list[Any]:
        diff = await api.read(f"/v1/customers/{ann}/diff?from={start}&to={end}")
        return [each for each in diff["changes"] if each["path"].startswith("traits")]

    assert await changes(position, position + 2) == []
    assert await changes(position, position + 3) == [
        {"path": "traits.email", "before": EMAIL, "after": "y@example.org"}
    ]


async def test_an_equal_value_of_a_sensitive_trait_records_nothing(api: Api) -> None:
    ann = a_customer()
    await tell(api, ann)
    same = {"traits": {"email": EMAIL, "billing": {"Address": f"{MARK} street"}}}
    for _ in range(3):  # by whichever worker, from memory or from the log
        answer = await api.post(f"/v1/customers/{ann}/change-traits", same)
        assert answer.json()["events"] == []


async def test_an_event_sent_again_is_known_although_nothing_is_sealed_twice_alike(
    api: Api,
) -> None:
    event = {"type": "Signed", "id": secrets.token_hex(8), "customer_id": a_customer()}
    sent = [await api.post("/v1/events", {**event, "data": {"email": EMAIL}}) for _ in range(3)]
    assert [answer.status for answer in sent] == [201, 200, 200]
    other = await api.post("/v1/events", {**event, "data": {"email": f"2{EMAIL}"}})
    assert other.status == 422


async def test_nobody_is_searched_for_by_a_sensitive_trait(api: Api) -> None:
    for name in ("email", "E-Mail", "phone"):
        answer = await api.get(f"/v1/customers?trait={name}&starts_with=a")
        assert (answer.status, answer.problem["field"]) == (400, "trait")
    assert (await api.get("/v1/customers?trait=plan&starts_with=p")).status == 200


async def test_a_live_stream_shows_what_its_reader_may_see(api: Api, without_pii: str) -> None:
    ann = a_customer()
    position = await tell(api, ann)
    for authorization, expected in ((None, EMAIL), (without_pii, MASK)):
        headers = {"Last-Event-ID": str(position - 2)}
        if authorization:
            headers["Authorization"] = authorization
        url = f"{api.url}/v1/customers/{ann}/timeline/live"
        async with api.session.get(url, headers=headers) as response:
            async for line in response.content:
                if line.startswith(b"data:"):
                    assert expected.encode() in line
                    assert b"$tidings" not in line
                    break


def plaintext_places(tidings_up: TidingsUp) -> Iterator[str]:
    """Every table that has the mark in a row, as a dump would show it."""
    server = find_running(tidings_up.data_dir)
    assert server
    with psycopg.connect(server, options="-c search_path=tidings") as connection:
        tables = connection.execute(
            "SELECT relname FROM pg_class"
            " WHERE relkind = 'r' AND relnamespace = 'tidings'::regnamespace"
        ).fetchall()
        for (table,) in tables:
            query = f'SELECT count(*) FROM "{table}" AS r WHERE strpos(r::text, %s) > 0'
            if connection.execute(query.encode(), (MARK,)).fetchall() != [(0,)]:
                yield table


async def test_no_table_and_no_log_holds_a_sensitive_value(
    api: Api, tidings_up: TidingsUp, tmp_path: Path
) -> None:
    ann = a_customer()
    position = await tell(api, ann)
    rows = tmp_path / "rows.csv"
    rows.write_text(f"who,what,when,email\n{ann},Signed,2026-01-01,{EMAIL}\n")
    await asyncio.to_thread(
        subprocess.run,
        tidings(
            *("import", str(rows), "--customer", "who", "--type", "what", "--occurred-at", "when")
        ),
        env=tidings_up.environment,
        check=True,
        capture_output=True,
    )
    await api.read(f"/v1/customers/{ann}/timeline?min_position={position + 1}")
    await api.read(f"/v1/customers/{ann}?min_position={position + 1}")
    [imported, *_] = (await api.read(f"/v1/streams/activity-{ann}"))["items"][2:]
    assert imported["data"] == {"email": EMAIL}
    assert list(plaintext_places(tidings_up)) == []
    logs = [tidings_up.log, tidings_up.data_dir / "postgres.log"]
    assert not any(MARK.encode() in log.read_bytes() for log in logs if log.exists())


async def test_what_somebody_altered_in_the_database_is_shown_as_null(
    api: Api, tidings_up: TidingsUp
) -> None:
    ann, eve = a_customer(), a_customer()
    await tell(api, ann)
    position = await tell(api, eve)
    await api.read(f"/v1/customers/{ann}?min_position={position}")
    server = find_running(tidings_up.data_dir)
    assert server
    with psycopg.connect(server, options="-c search_path=tidings") as connection:
        [(table,)] = connection.execute(
            "SELECT relname FROM pg_class"
            " WHERE relkind = 'r' AND relname ~ '^customers_traits_g[0-9]+$'"
        ).fetchall()
        connection.execute(
            f'UPDATE "{table}" SET value = (SELECT value FROM "{table}" WHERE customer_id = %s'
            " AND name = 'email') WHERE customer_id = %s AND name = 'email'".encode(),
            (eve, ann),
        )
    assert (await api.read(f"/v1/customers/{ann}"))["traits"]["email"] is None


async def run(tidings_up: TidingsUp, *arguments: str, **settings: str) -> str:
    """Run a command beside everything else; what it says."""
    done = await asyncio.to_thread(
        subprocess.run,
        tidings(*arguments),
        env=tidings_up.environment | settings,
        capture_output=True,
        text=True,
        check=True,
    )
    return str(done.stdout)


async def test_a_rewrap_while_everything_runs_loses_nothing(
    api: Api, tidings_up: TidingsUp
) -> None:
    file = tidings_up.data_dir / "master-key"
    before, ann, boris = file.read_text(), a_customer(), a_customer()
    await tell(api, ann)
    assert "data keys under a new master key" in await run(tidings_up, "keys", "rewrap")
    assert before.strip() not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    for _ in range(2):  # by whichever worker
        position = await tell(api, boris)
    for customer_id in (ann, boris):
        profile = await api.read(f"/v1/customers/{customer_id}?min_position={position}")
        assert profile["traits"]["email"] == EMAIL


async def test_plaintext_of_a_field_that_is_declared_sensitive_later_is_redacted(
    api: Api, tidings_up: TidingsUp
) -> None:
    ann, erased, size = a_customer(), a_customer(), f"size-{secrets.token_hex(8)}"
    event = {"type": "Measured", "customer_id": ann, "data": {"shoe_size": size, "n": 1}}
    await api.record(event, {**event, "customer_id": erased})
    assert (await api.send("POST", f"/v1/customers/{erased}/erase")).status == 200
    declared = {"TIDINGS_SENSITIVE_FIELDS": "email shoe_size"}
    said = await run(tidings_up, "redact", **declared)
    assert "of 2 events" in said
    assert "tidings rebuild timeline --accept-differences" in said
    assert "of 0 events" in await run(tidings_up, "redact", **declared)
    assert rows(tidings_up, "SELECT 1 FROM events WHERE strpos(data::text, %s) > 0", size) == []
    for customer_id, shown in ((ann, size), (erased, None)):
        stream = await api.read(f"/v1/streams/activity-{customer_id}")
        assert stream["items"][0]["data"] == {"shoe_size": shown, "n": 1}


async def test_what_is_quarantined_is_sealed_and_still_replayed(
    api: Api, tidings_up: TidingsUp
) -> None:
    ann, event_type = a_customer(), f"Signed {secrets.token_hex(4)}"
    note = f"note-{secrets.token_hex(8)}"
    wanted = {"properties": {"email": {"type": "number"}}}
    await declare(api, event_type, wanted)
    event = {"type": event_type, "customer_id": ann, "data": {"email": EMAIL, "note": note}}
    assert (await api.post("/v1/events", event)).status == 202
    found = rows(tidings_up, "SELECT data::text FROM quarantine WHERE customer_id = %s", ann)
    assert len(found) == 1
    assert MARK not in found[0]
    [kept] = (await api.read(f"/v1/quarantine?type={event_type.replace(' ', '%20')}"))["items"]
    assert kept["data"] == event["data"]

    mended = {"properties": {"email": {"type": "string"}}}
    await declare(api, event_type, mended, sensitive=["note"])

    async def is_replayed() -> bool:  # a worker may know the former schema for a second
        replayed = await api.post("/v1/quarantine/replay", {"type": event_type})
        return bool(replayed.json()["recorded"])

    await until_async(is_replayed, seconds=20)
    [recorded] = (await api.read(f"/v1/streams/activity-{ann}"))["items"]
    assert recorded["data"] == event["data"]
    [stored] = rows(tidings_up, "SELECT data::text FROM events WHERE customer_id = %s", ann)
    assert note not in stored, "what was declared sensitive meanwhile"


async def test_what_was_sealed_of_an_erased_customer_is_gone(
    api: Api, tidings_up: TidingsUp
) -> None:
    ann = a_customer()
    await tell(api, ann)
    assert (await api.send("POST", f"/v1/customers/{ann}/erase")).status == 200

    async def is_gone() -> bool:  # a worker may remember a key for two seconds
        streams = [await api.read(f"/v1/streams/activity-{ann}") for _ in range(10)]
        return MARK not in str(streams)

    await until_async(is_gone, seconds=20)
    signed = (await api.read(f"/v1/streams/activity-{ann}"))["items"][0]
    assert signed["data"] == {"email": None, "sku": "A-7"}
    assert MARK not in str(await api.read(f"/v1/customers/{ann}/timeline"))
    assert rows(tidings_up, "SELECT wrapped::text FROM data_keys WHERE customer_id = %s", ann) == [
        None
    ]
    exported = await api.get(f"/v1/customers/{ann}/export")
    assert MARK.encode() not in exported.body


async def declare(api: Api, event_type: str, schema: object, **more: object) -> None:
    path = f"/v1/event-types/{event_type.replace(' ', '%20')}"
    answer = await api.send("PUT", path, {"schema": schema, **more})
    assert answer.status in {200, 201}, answer


def rows(up: TidingsUp, query: str, *values: str) -> list[Any]:
    """The first column."""
    server = find_running(up.data_dir)
    assert server is not None
    with psycopg.connect(server, options="-c search_path=tidings") as connection:
        return [row[0] for row in connection.execute(query.encode(), values)]
