"""Routes that are served before the framework: found by one look into a table, and called at once.

The framework documents them, and serves them too, when anything about a request is out of the
ordinary: an encoded path, a query. What its router and its handling of each call cost is more than
a command itself does.
"""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, NamedTuple, cast

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.types import Receive as AnyReceive
from litestar.types import Scope as AnyScope
from litestar.types import Send as AnySend

from app.http.access import Permission, permission_of
from app.http.asgi import App, Receive, Scope, Send
from app.http.at_once import PlainEndpoint
from app.http.request import JsonRequest

DIRECT = "direct"
"""The option of a handler of ``POST …/{id}/<command>`` that may be served so. It takes the request,
the id and the body as `data`, and answers with an ASGI application.
"""

_COMMAND_PATH = re.compile(r"(/.+/)\{(\w+)\}(/[^/{}]+)")


class DirectRoute(NamedTuple):
    """Whoever answers, and who may ask."""

    app: App
    permission: Permission


class PlainRoute(NamedTuple):
    """Whoever answers without waiting, and who may ask."""

    endpoint: PlainEndpoint
    permission: Permission


class DirectRoutes:
    """What answers without the framework, by method and path."""

    def __init__(self, exact: Mapping[tuple[str, str], App], framework: Litestar) -> None:
        """Take applications for exact paths, and the framework's handlers that say `DIRECT`.

        The framework has a handler for each of the exact paths too, which says who may call it;
        without one, `LookupError`.
        """
        self._exact: dict[tuple[str, bytes], DirectRoute] = {}
        self._plain: dict[tuple[str, bytes], PlainRoute] = {}
        self._commands: dict[bytes, _Command] = {}
        for path, method, handler in _handlers_of(framework):
            if app := exact.get((method, path)):
                key, permission = (method, path.encode()), permission_of(handler)
                self._exact[key] = DirectRoute(app, permission)
                endpoint: object = app
                if isinstance(endpoint, PlainEndpoint):
                    self._plain[key] = PlainRoute(endpoint, permission)
            if handler.opt.get(DIRECT):
                command = _Command(path, handler)
                self._commands[command.key] = command
        if len(self._exact) < len(exact):
            raise LookupError("a direct route has no handler that says who may call it")

    def plain(self, scope: Scope) -> PlainRoute | None:
        """Whoever may answer the request without waiting, as `find` does; or None."""
        route = self._plain.get((scope["method"], scope["raw_path"]))
        if route is None or scope["query_string"]:
            return None
        scope["path_template"] = scope["path"]
        return route

    def find(self, scope: Scope) -> DirectRoute | None:
        """Whoever answers the request, whose route's template and parameters are noted; or None."""
        raw_path: bytes = scope["raw_path"]
        if scope["query_string"] or b"%" in raw_path:
            return None
        if exact := self._exact.get((scope["method"], raw_path)):
            scope["path_template"] = scope["path"]
            return exact
        if scope["method"] != "POST":
            return None
        head, _, name = raw_path.rpartition(b"/")
        collection, _, thing_id = head.rpartition(b"/")
        command = self._commands.get(b"%b//%b" % (collection, name)) if thing_id else None
        if command is None:
            return None
        scope["path_template"] = command.template
        scope["path_params"] = {command.parameter: thing_id.decode("ascii")}
        return command.route


def _handlers_of(framework: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    """Path, method and handler of each of the framework's routes."""
    for route in framework.routes:
        if isinstance(route, HTTPRoute):
            for method, (handler, _) in route.route_handler_map.items():
                yield route.path_format, str(method), handler


class _Command:
    """A handler of the framework's, called without it."""

    def __init__(self, template: str, handler: HTTPRouteHandler) -> None:
        found = _COMMAND_PATH.fullmatch(template)
        if found is None:
            raise ValueError(f"{template} is no command's path")
        before, self.parameter, after = found.groups()
        self.template = template
        self.key = (before + after).encode()
        self.route = DirectRoute(self, permission_of(handler))
        self._handler = handler
        self._call = cast(Callable[..., Awaitable[App]], handler.fn)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route_handler"] = self._handler
        request = JsonRequest(cast(AnyScope, scope), cast(AnyReceive, receive), cast(AnySend, send))
        data: Any = await request.json()
        answer = await self._call(request=request, data=data, **scope["path_params"])
        await answer(scope, receive, send)
