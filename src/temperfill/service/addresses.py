"""What holds for every address: HEAD, OPTIONS, methods that have no use, and a path below which all of them lie."""

from collections.abc import Sequence

from starlette.datastructures import URL
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from temperfill.service.refusals import Refusal


def found(routes: Sequence[BaseRoute], scope: Scope) -> tuple[str | None, set[str]]:
    """The address that a request asks for, with its parameters by name, and the methods that it takes.

    Args:
        routes: of the application.
        scope: of the request.

    Returns:
        None and nothing where there is nothing at this address.
    """
    address, methods = None, set[str]()
    for route in routes:
        if isinstance(route, Route) and route.matches(scope)[0] != Match.NONE:
            address, methods = route.path, methods | (route.methods or set())
    if "GET" in methods:
        methods.add("HEAD")
    return address, methods | {"OPTIONS"} if methods else methods


class Methods:
    """Answers HEAD as GET without the body, OPTIONS, and methods that an address does not take, with what it takes.

    Args:
        app: behind this; knows neither HEAD nor OPTIONS.
        routes: of the application.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self.app = app
        self.routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one ASGI connection."""
        methods = found(self.routes, scope)[1] if scope["type"] == "http" else set()
        allow = {"Allow": ", ".join(sorted(methods))}
        if not methods:
            await self.app(scope, receive, send)
        elif scope["method"] not in methods:
            refusal = Refusal(405, "bad_method", "this method has no use here", allow)
            await refusal.response()(scope, receive, send)
        elif scope["method"] == "OPTIONS":
            await Response(status_code=204, headers=allow)(scope, receive, send)
        elif scope["method"] == "HEAD":
            await self.app({**scope, "method": "GET"}, receive, _without_body(send))
        else:
            await self.app(scope, receive, send)


def _without_body(send: Send) -> Send:
    async def send_head(message: Message) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return send_head


class Prefix:
    """Takes the path below which a proxy shows the service off the addresses, where the proxy has not done so.

    What stands behind it sees addresses without the prefix alone, so that none is let through under a second name.

    Args:
        app: behind this.
        prefix: such as /fill; empty for none.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self.app = app
        self.prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one ASGI connection."""
        path = scope.get("path", "")
        app = self.app
        if self.prefix and path == self.prefix:  # the page's own addresses are relative to a folder
            app = RedirectResponse(URL(f"{self.prefix}/"), 308)
        elif self.prefix and path.startswith(f"{self.prefix}/"):
            rest = path.removeprefix(self.prefix)
            scope = {**scope, "path": rest, "raw_path": rest.encode()}
        await app(scope, receive, send)
