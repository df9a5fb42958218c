"""Webhooks: messages to a URL, signed as Standard Webhooks has it (www.standardwebhooks.com).

Crash semantics: the header `webhook-id` is the same however often a message is sent, and whoever
receives it acts on it once; so what nobody knows the outcome of is simply sent again.
"""

import binascii
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import msgspec
from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar
from standardwebhooks import Webhook

from app.delivery.channel import AfterInterruption, DestinationDown, NeverSo, NotNow, Outgoing
from app.delivery.guard import ForbiddenDestination, Guard, Lookup, guarded_connector, look_up
from app.kernel.errors import InvalidInput

TIMEOUT_S = 15
"""From the first byte to the answer's last header; its body is not read."""
CONNECT_TIMEOUT_S = 5
LONGEST_WAIT = timedelta(hours=24)
"""That a destination may ask for."""

_SIGNED_BYTES = 24
"""Fewer are no secret, says the standard."""
_MAY_PASS = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY})
_TOO_MUCH = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_encoder = msgspec.json.Encoder()


def signing(secret: str, *, field: str) -> Webhook:
    """What signs and verifies, by a secret such as ``whsec_…``; raises `InvalidInput`."""
    try:
        key = binascii.a2b_base64(secret.removeprefix("whsec_"), strict_mode=True)
    except binascii.Error:
        key = b""
    if len(key) < _SIGNED_BYTES:
        raise InvalidInput("a secret is whsec_ and at least 24 bytes in Base64", field=field)
    return Webhook(key)


class WebhookChannel:
    """Posts messages to one URL."""

    name = "webhook"
    address_trait = None
    after_interruption = AfterInterruption.SEND_AGAIN

    def __init__(
        self,
        url: str,
        signing: Webhook,
        session: ClientSession,
        guard: Guard,
        *,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """Take where to post, what signs, and a session of `opened_session` behind the guard."""
        self._url = url
        self._signing = signing
        self._session = session
        self._guard = guard
        self._timeout = ClientTimeout(total=timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s))

    async def send(self, outgoing: Outgoing) -> None:
        """See `Channel.send`."""
        body = _encoder.encode(_payload(outgoing))
        try:
            self._guard.check_url(self._url)
            async with self._session.post(
                self._url,
                data=body,
                headers=self._headers(outgoing, body),
                timeout=self._timeout,
                allow_redirects=False,
            ) as response:
                response.close()  # what else it says is not read
        except ForbiddenDestination as error:
            raise NeverSo(str(error)) from error
        except TimeoutError as error:
            raise DestinationDown("the webhook's server does not answer in time") from error
        except (ClientError, OSError) as error:
            raise DestinationDown(f"no webhook: {type(error).__name__}") from error
        _judge(response)

    def _headers(self, outgoing: Outgoing, body: bytes) -> dict[str, str]:
        now, webhook_id = datetime.now(UTC), f"msg_{outgoing.stable_id}"
        return {
            "Content-Type": "application/json",
            "User-Agent": "tidings",
            "webhook-id": webhook_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signing.sign(webhook_id, now, body.decode()),
        }


@asynccontextmanager
async def opened_session(guard: Guard, look_up: Lookup = look_up) -> AsyncIterator[ClientSession]:
    """A session whose connections the guard has let through; it keeps no cookies."""
    async with ClientSession(
        connector=guarded_connector(guard, look_up),
        cookie_jar=DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    ) as session:
        yield session


def _payload(outgoing: Outgoing) -> dict[str, object]:
    said = {
        "message_id": outgoing.message_id,
        "customer_id": outgoing.customer_id,
        "kind": outgoing.kind,
        "priority": outgoing.priority,
        "subject": outgoing.subject,
        "text": outgoing.text,
        "html": outgoing.html,
    }
    return {"type": "message", "data": {name: to for name, to in said.items() if to is not None}}


def _judge(response: ClientResponse) -> None:
    """Nothing, when it has been taken."""
    status = response.status
    if 200 <= status < 300:
        return
    told = f"the webhook answered {status}"
    if status in _TOO_MUCH:
        raise NotNow(told, after=_asked_for(response))
    if status in _MAY_PASS or status >= 500:
        raise NotNow(told)
    raise NeverSo(told)


def _asked_for(response: ClientResponse) -> timedelta | None:
    """``Retry-After`` in seconds; a date there is not looked at."""
    text = response.headers.get("Retry-After", "").strip()
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        return None
    return min(timedelta(seconds=int(text)), LONGEST_WAIT)
