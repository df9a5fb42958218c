"""A live stream does not outlive its credential, whatever that is."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from app.bootstrap.api import opened_api
from app.eventstore.database import Database
from app.http import live
from app.http.asgi import App
from app.security import authentication, openid
from app.settings import Settings
from tests.fixtures.access import AUTHORIZATION, accept
from tests.fixtures.openid_provider import AUDIENCE, OpenIdProvider, openid_provider
from tests.integration.conftest import on_one_server
from tests.integration.projections.stage import opened_stage
from tests.unit.http.asking import ask, post, scope_of
from tests.unit.http.test_live import Client, ended

pytestmark = [pytest.mark.anyio, on_one_server]

SECRET = "s" * 32
LIVE = "/v1/customers/ann/timeline/live"


@pytest.fixture
async def provider() -> AsyncIterator[OpenIdProvider]:
    async with openid_provider() as running:
        yield running


@pytest.fixture
async def app(
    database: Database, provider: OpenIdProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[App]:
    """The API, which looks at credentials all the time and gives no leeway."""
    monkeypatch.setattr(live, "CHECKED_EVERY", timedelta(milliseconds=20))
    monkeypatch.setattr(authentication, "_BELIEVED_FOR_S", 0.01)
    monkeypatch.setattr(openid, "_LEEWAY_S", 0)
    accept(database, SECRET.encode())
    settings = Settings(
        secret=SECRET, data_dir=tmp_path, oidc_issuer=provider.url, oidc_audience=AUDIENCE
    )
    async with opened_stage(database) as stage, stage.projecting():
        await stage.caught_up()
        async with opened_api(settings, database, asyncio.Event()) as opened:
            yield opened


async def listening(app: App, authorization: str) -> "tuple[Client, asyncio.Future[None]]":
    client = Client()
    scope = scope_of(target=LIVE, authorization=authorization)
    task = asyncio.ensure_future(app(scope, client.receive, client.send))
    await client.until("retry")
    assert client.messages[0]["status"] == 200
    return client, task


async def gone(client: Client, task: "asyncio.Future[None]") -> None:
    client.gone.set()
    await ended(task)


async def test_a_stream_ends_when_its_key_is_revoked_and_others_go_on(app: App) -> None:
    asked = b'{"name": "screen", "scopes": ["timeline:read"]}'
    key = (await post(app, "/v1/keys", asked, authorization=AUTHORIZATION)).json()
    client, task = await listening(app, f"Bearer {key['key']}")
    other, others_task = await listening(app, AUTHORIZATION)

    revoke = f"/v1/keys/{key['key_id']}/revoke"
    assert (await ask(app, "POST", revoke, authorization=AUTHORIZATION)).status == 204
    await ended(task)

    assert client.messages[-1]["more_body"] is False
    assert not others_task.done()
    await gone(other, others_task)


async def test_a_stream_ends_with_its_customers_token(app: App) -> None:
    made = await post(
        app, "/v1/customers/ann/tokens", b'{"expires_in_s": 2}', authorization=AUTHORIZATION
    )
    token = made.json()["token"]
    client, task = await listening(app, f"Bearer {token}")
    said = b'{"consents": [{"channel": "email", "topic": "news", "given": true}]}'
    await post(app, "/v1/customers/ann/preferences", said, authorization=f"Bearer {token}")
    await client.until("customer.consent_recorded")

    await ended(task)

    refused = await ask(app, "GET", LIVE, authorization=f"Bearer {token}")
    assert (refused.status, refused.code) == (401, "unauthenticated")


async def test_a_stream_ends_with_its_providers_token(app: App, provider: OpenIdProvider) -> None:
    token = provider.token(exp=time.time() + 1.5)
    _, task = await listening(app, f"Bearer {token}")

    await ended(task)

    refused = await ask(app, "GET", LIVE, authorization=f"Bearer {token}")
    assert (refused.status, refused.code) == (401, "unauthenticated")
