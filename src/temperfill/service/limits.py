"""What is checked of a request before anything reads it, and the security headers of every answer (plain ASGI)."""

import asyncio
import contextlib
import hmac
import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from temperfill.service.refusals import Refusal, stopping

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Headers of every answer."""
PROTECTED = ("/v1/", "/api/", "/start", "/openapi.json", "/metrics")
"""Beginnings of paths that need the token, if there is one."""
_BRIEFLY = 0.5  # seconds, likewise, at the end of the service
LINGER = 30.0
"""Seconds for which the rest of a refused body is read and dropped: closing at once would lose the answer."""


class SecurityHeaders:
    """Adds the security headers to every answer, and forbids caches to keep what is not part of the page."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one ASGI connection."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self.app(scope, receive, send_with_headers)


class Gate:
    """Lets in requests for this host, from its own pages or from programs, with the token.

    A page elsewhere can make a browser send requests here: by a name that it lets point to this machine (DNS
    rebinding), which the Host header gives away, or as forms, which the Origin header gives away.

    Args:
        app: behind the gate.
        hosts: names that a Host header may hold, besides localhost and loopback addresses; "*" for any; "addresses" for
            any literal address, to which no name can be rebound.
        origins: names of hosts whose pages may use this service, besides the one that is asked for.
        token: that protected paths need; empty for none.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = (), origins: Iterable[str] = (), token: str = "") -> None:
        self.app = app
        self.origins = {name.lower() for name in origins}
        names = {host.lower() for host in hosts}
        self.takes_any = "*" in names
        self.takes_addresses = "addresses" in names
        self.hosts = names - {"*", "addresses"} | {"localhost"}
        self.token = token.encode("ascii")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one ASGI connection."""
        refusal = self._refusal(Headers(scope=scope), scope["path"]) if scope["type"] == "http" else None
        await (self.app if refusal is None else refusal.response())(scope, receive, send)

    def _refusal(self, headers: Headers, path: str) -> Refusal | None:
        host = headers.get("host", "")
        if not self._is_known(host):
            return Refusal(400, "unknown_host", "the service is not known under this name (see --allowed-hosts)")
        origin = headers.get("origin")
        if origin is not None and not self._is_own(origin.lower(), host.lower()):
            return Refusal(403, "foreign_origin", "pages of other origins may not use this service")
        if self.token and path.startswith(PROTECTED):
            scheme, _, token = headers.get("authorization", "").partition(" ")
            given = token.strip().encode("utf-8")
            if scheme.lower() != "bearer" or not hmac.compare_digest(given, self.token):
                message = "this service needs its token in the header Authorization: Bearer TOKEN"
                return Refusal(401, "unauthorized", message, {"WWW-Authenticate": "Bearer"})
        return None

    def _is_own(self, origin: str, host: str) -> bool:
        """Whether a page is of this service, or of a proxy before it that asks under another name."""
        scheme, _, rest = origin.partition("://")
        return scheme in ("http", "https") and (rest == host or _name(rest) in self.origins)

    def _is_known(self, host: str) -> bool:
        if self.takes_any:
            return True
        name = _name(host)
        if name in self.hosts:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or self.takes_addresses


def _name(host: str) -> str:
    """The name in a Host header, without its port; empty where there is none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


class Uploads:
    """The bodies that are being received, which the end of the service cuts short."""

    def __init__(self) -> None:
        self.bodies: set[_Body] = set()
        self.is_over = False

    def end(self) -> None:
        """Refuses what has not arrived yet, now and from now on."""
        self.is_over = True
        for body in list(self.bodies):
            body.end()


class BodyLimit:
    """Refuses bodies that are too large, before they are read where they say so, and those that arrive too slowly.

    Args:
        app: behind the limit; its calls of ``receive`` raise ``Refusal`` where the body passes a limit.
        max_bytes: largest body.
        seconds: in which the whole body must arrive.
        uploads: keeps the bodies that are being received.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, seconds: float, uploads: Uploads) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.seconds = seconds
        self.uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = _Body(scope, receive, send, self.max_bytes, self.seconds)
        refused = body.declared > self.max_bytes
        app = too_large(self.max_bytes).response() if refused else self.app
        self.uploads.bodies.add(body)
        if self.uploads.is_over:
            body.end()
        try:
            await app(scope, body.receive, body.send)
        finally:
            self.uploads.bodies.discard(body)


def too_large(max_bytes: int) -> Refusal:
    """For bodies above the limit."""
    return Refusal(413, "too_large", f"the request is larger than the limit of {max_bytes / 1e6:g} MB")


class _Body:
    """The body of one request, counted while it arrives."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, max_bytes: int, seconds: float) -> None:
        headers = Headers(scope=scope)
        length = headers.get("content-length", "")
        self.declared = int(length) if length.isascii() and length.isdigit() else 0
        self._waits = "expect" in headers  # for leave to send, which it gets by the first call of receive
        self._is_complete = self.declared == 0 and "transfer-encoding" not in headers
        self._received = 0
        self._receive = receive
        self._send = send
        self._max_bytes = max_bytes
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._seconds = seconds
        self._wait: asyncio.Timeout | None = None
        self._is_over = False

    def end(self) -> None:
        """What has not arrived by now is refused."""
        self._is_over, self._deadline = True, asyncio.get_running_loop().time()
        if self._wait is not None:
            self._wait.reschedule(self._deadline)

    async def receive(self) -> Message:
        if self._is_complete:
            return await self._receive()  # the end of an empty body, later the client's leaving
        try:
            async with asyncio.timeout_at(self._deadline) as self._wait:
                message = await self._receive()
        except TimeoutError:
            if self._is_over:
                raise stopping() from None
            text = f"the request did not arrive within the limit of {self._seconds:g} seconds"
            raise Refusal(408, "slow_upload", text, {"Connection": "close"}) from None
        finally:
            self._wait = None
        self._waits = False
        self._received += len(message.get("body", b""))
        self._is_complete = not message.get("more_body", False)
        if self._received > self._max_bytes:
            raise too_large(self._max_bytes)
        return message

    async def send(self, message: Message) -> None:
        is_last = message["type"] == "http.response.body" and not message.get("more_body", False)
        if not is_last or self._is_complete or self._waits:
            await self._send(message)
            return
        await self._send({**message, "more_body": True})
        loop = asyncio.get_running_loop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(loop.time() + (_BRIEFLY if self._is_over else LINGER)) as self._wait:
                while not self._is_complete:
                    self._is_complete = not (await self._receive()).get("more_body", False)
        self._wait = None
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})
