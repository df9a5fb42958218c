"""Who may call a route: each declares it, and nothing is served that does not.

A route without a declaration is found when the application is made, not when somebody calls it.
"""

from collections.abc import Mapping
from typing import Any, Protocol, cast

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.routes import HTTPRoute
from msgspec import Struct

from app.http.asgi import AnyScope, Scope
from app.http.limits import Allowance, Limits, note_allowance
from app.kernel.errors import TidingsError
from app.kernel.principal import Principal, ScopeName

_PERMISSION = "permission"
_PRINCIPAL = "tidings.principal"
_ACCESS = "tidings.access"


class Unauthenticated(TidingsError):
    """The request has no valid credential."""


class Forbidden(TidingsError):
    """The credential does not allow this."""


class Permission(Struct, frozen=True):
    """What a route asks of whoever calls it."""

    scope: ScopeName | None
    """None: nothing, it is for everybody."""
    own: str | None = None
    """The path parameter that names the customer for whom a token of that customer will do."""

    def check(self, principal: Principal, path_parameters: Mapping[str, Any]) -> None:
        """Raise `Forbidden` unless the principal may."""
        if self.scope is None:
            return
        if not principal.may(self.scope):
            raise Forbidden(f"this takes the scope {self.scope}")
        if principal.customer_id is not None and (
            self.own is None or path_parameters.get(self.own) != principal.customer_id
        ):
            raise Forbidden("a customer's token is for that customer's own data alone")


class Gate(Protocol):
    """Tells who a request comes from."""

    def believed(self, scope: AnyScope, /) -> Principal | None:
        """The owner, if nobody has to be asked. May raise as `admit` does."""
        ...

    async def admit(self, scope: AnyScope, /) -> Principal:
        """The owner of the request's credential. Raises `Unauthenticated`."""
        ...


def requires(scope: ScopeName, *, own: str | None = None) -> dict[str, Any]:
    """The option (`opt`) of a route that takes a scope; see `Permission`."""
    return {_PERMISSION: Permission(scope, own)}


PUBLIC: dict[str, Any] = {_PERMISSION: Permission(None)}
"""The option of a route that anybody may call."""


def permission_of(handler: BaseRouteHandler) -> Permission:
    """What a route asks for; `LookupError` when it does not say so.

    The framework's own answers to OPTIONS, the methods that a path knows, are for everybody.
    """
    if getattr(handler, "http_methods", None) == {"OPTIONS"}:
        return Permission(None)
    permission: Permission | None = handler.opt.get(_PERMISSION)
    if permission is None:
        raise LookupError(f"{handler} declares no scope; give it opt=requires(…) or opt=PUBLIC")
    return permission


def check_declared(app: Litestar) -> None:
    """`LookupError` when a route of the application declares no permission."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                permission_of(handler)


class Access:
    """Lets requests in whose credential allows what they ask for."""

    def __init__(self, gate: Gate, limits: Limits) -> None:
        """Take what knows the credentials, and how much their owners may ask for."""
        self._gate = gate
        self._limits = limits

    async def check(self, permission: Permission, scope: Scope) -> None:
        """Note the principal in the scope. Raises `Unauthenticated`, `RateLimited`, `Forbidden`."""
        if permission.scope is not None:
            principal = self._gate.believed(scope) or await self._gate.admit(scope)
            if allowance := self._note(principal, scope):
                allowance.take_request()
            permission.check(principal, scope.get("path_params", {}))

    def is_known(self, permission: Permission, scope: Scope) -> bool:
        """The same where nobody has to be asked, else False; the request is not counted yet.

        Raises `Unauthenticated` or `Forbidden`.
        """
        principal = self._gate.believed(scope)
        if principal is None:
            return False
        self._note(principal, scope)
        permission.check(principal, scope.get("path_params", {}))
        return True

    def _note(self, principal: Principal, scope: Scope) -> Allowance | None:
        """Note in the scope who asks, and whose answer is to tell of which limits."""
        scope[_PRINCIPAL], scope[_ACCESS] = principal, self
        allowance = self._limits.allowance_of(principal.owner)
        if allowance is not None:
            note_allowance(scope, allowance)
        return allowance

    async def check_again(self, permission: Permission, scope: Scope) -> None:
        """The credential alone: an answer that goes on is not another request of the owner's."""
        principal = await self._gate.admit(scope)
        permission.check(principal, scope.get("path_params", {}))

    async def guard(
        self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
    ) -> None:
        """The same, as a guard of the framework."""
        await self.check(permission_of(handler), cast(Scope, connection.scope))


async def check_again(scope: Scope) -> None:
    """Look at a request's credential once more, for an answer that lasts.

    Raises `Unauthenticated` or `Forbidden`. What was for everybody stays so.
    """
    access: Access | None = scope.get(_ACCESS)
    if access is not None:
        await access.check_again(permission_of(scope["route_handler"]), scope)


def principal_of(scope: AnyScope) -> Principal:
    """Whoever the request comes from; it has been let in."""
    principal: Principal = scope[_PRINCIPAL]
    return principal


def owner_of(scope: AnyScope) -> str:
    """The name of the credential's owner; empty where the route is for everybody."""
    principal: Principal | None = scope.get(_PRINCIPAL)
    return "" if principal is None else principal.owner
