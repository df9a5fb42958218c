"""API keys over HTTP, for keys that may make keys."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any

from litestar import Request, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

from app.http.access import Forbidden, principal_of, requires
from app.http.context import metadata_of
from app.kernel.principal import EVERYTHING, Principal
from app.security.keys import KeyInfo, Keys, NewKey, check_scopes

MAX_LIFETIME_S = 10 * 366 * 24 * 3600

_TAGS = ["API keys"]
_ADMIN = requires("keys:admin")

Lifetime = Annotated[
    int,
    Meta(
        ge=1,
        le=MAX_LIFETIME_S,
        description="After how many seconds it ends by itself; null: never.",
        examples=[7_776_000],
    ),
]


class KeyRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A key to be made."""

    name: Annotated[str, Meta(description="Whose it is: an id.", examples=["shop"])]
    scopes: Annotated[
        Sequence[str],
        Meta(
            description="What it may do; `*` is all.", examples=[["events:write", "timeline:read"]]
        ),
    ]
    expires_in_s: Lifetime | None = None


class Rotation(Struct, frozen=True, forbid_unknown_fields=True):
    """How a key is replaced."""

    expires_in_s: Lifetime | None = None


class KeyList(Struct, frozen=True):
    """Every key that there ever was."""

    items: Sequence[KeyInfo]


def key_routes(keys: Keys) -> list[HTTPRouteHandler]:
    """The routes of API keys."""

    @get("/v1/keys", opt=_ADMIN, tags=_TAGS, summary="List API keys")
    async def list_keys() -> KeyList:
        """All of them, the oldest first, the revoked and expired ones too; never the keys."""
        return KeyList(await keys.all())

    @post("/v1/keys", opt=_ADMIN, tags=_TAGS, summary="Make an API key")
    async def create_key(request: Request[Any, Any, Any], data: JSONBody[KeyRequest]) -> NewKey:
        """The answer is the only one that holds the key. A name that has a valid one is refused.

        A key can give away no scope that it does not have itself.
        """
        check_scopes(data.scopes)
        _check_may_give(principal_of(request.scope), data.scopes)
        metadata = metadata_of(request.scope)
        return await keys.create(data.name, data.scopes, _lifetime(data.expires_in_s), metadata)

    @post("/v1/keys/{name:str}/rotate", opt=_ADMIN, tags=_TAGS, summary="Rotate an API key")
    async def rotate_key(
        request: Request[Any, Any, Any], name: FromPath[str], data: JSONBody[Rotation]
    ) -> NewKey:
        """A further key of the same name and scopes. The one before stays valid; older ones end."""
        principal = principal_of(request.scope)
        for key in await keys.all():
            if key.name == name:
                _check_may_give(principal, key.scopes)
        return await keys.rotate(name, _lifetime(data.expires_in_s), metadata_of(request.scope))

    @post(
        "/v1/keys/{key_id:str}/revoke",
        opt=_ADMIN,
        tags=_TAGS,
        summary="Revoke an API key",
        status_code=204,
    )
    async def revoke_key(request: Request[Any, Any, Any], key_id: FromPath[str]) -> None:
        """It lets nobody in any more, in any process, within five seconds."""
        await keys.revoke(key_id, metadata_of(request.scope))

    return [list_keys, create_key, rotate_key, revoke_key]


def _check_may_give(principal: Principal, scopes: Sequence[str]) -> None:
    if EVERYTHING in principal.scopes:
        return
    if missing := sorted(set(scopes) - principal.scopes):
        raise Forbidden(f"a key can give only scopes that it has: not {', '.join(missing)}")


def _lifetime(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
