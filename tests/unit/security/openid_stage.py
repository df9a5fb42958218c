"""A provider that really serves its keys, and what knows its tokens."""

import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from jwt.algorithms import RSAAlgorithm

from app.http.access import Unauthenticated
from app.kernel.clock import system_clock
from app.kernel.principal import Principal
from app.security.openid import OpenIdTokens, Trust
from app.security.provider_keys import opened_provider_keys
from app.security.signed_token import parse_token
from tests.fixtures.openid_provider import AUDIENCE, OpenIdProvider, openid_provider


@dataclass
class Stage:
    provider: OpenIdProvider
    tokens: OpenIdTokens

    async def admit(self, text: str) -> Principal:
        token = parse_token(text)
        if token is None:
            raise Unauthenticated
        principal, _ = await self.tokens.owner_of(token)
        return principal

    async def refuses(self, text: str) -> None:
        with pytest.raises(Unauthenticated) as refused:
            await self.admit(text)
        assert text not in str(refused.value)


@asynccontextmanager
async def opened_stage() -> AsyncIterator[Stage]:
    """The two, for the time of the block."""
    async with (
        openid_provider() as provider,
        opened_provider_keys(provider.url, "RS256") as keys,
    ):
        trust = Trust(provider.url, AUDIENCE, "RS256", "scope")
        yield Stage(provider, OpenIdTokens(trust, keys, system_clock))


def part(said: object) -> str:
    raw = said if isinstance(said, bytes) else json.dumps(said).encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(provider: OpenIdProvider, header: object, claims: object) -> str:
    """Anything at all, under a signature that is right."""
    text = f"{part(header)}.{part(claims)}"
    algorithm = RSAAlgorithm(RSAAlgorithm.SHA256)
    signature = algorithm.sign(text.encode(), provider.keys[provider.signs_with])
    return f"{text}.{part(signature)}"
