"""What a service counts and measures, for Prometheus: requests, time, the queue, what is turned down, pixels."""

import time
from collections.abc import Callable, Sequence

from fastapi.responses import Response
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from temperfill.service.addresses import found
from temperfill.service.refusals import noted_code

PATH = "/metrics"
"""Address of the route."""
_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 2, 5, 10, 20, 40, 80, 160)
_OTHER = "other"  # addresses that are none, so that strangers cannot make up labels without end
_METHODS = ("GET", "HEAD", "OPTIONS", "POST", "DELETE")


class Metrics:
    """The measures of one service.

    Args:
        waiting: gives the number of jobs that wait.
        working: gives the number of jobs at work.
    """

    def __init__(self, waiting: Callable[[], int], working: Callable[[], int]) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter(
            "temperfill_requests", "Requests that were answered.", ("route", "method", "status"), registry=registry
        )
        self._seconds = Histogram(
            "temperfill_request_seconds",
            "From the head of a request to the end of its answer, waiting included.",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._work = Histogram(
            "temperfill_work_seconds", "Work on one picture, without waiting.", buckets=_SECONDS, registry=registry
        )
        self._pixels = Counter(
            "temperfill_pixels", "Width times height of pictures that were filled.", registry=registry
        )
        self._rejected = Counter("temperfill_rejected", "Requests that were turned down.", ("code",), registry=registry)
        Gauge("temperfill_queue_length", "Pictures that wait.", registry=registry).set_function(waiting)
        Gauge("temperfill_working", "Pictures at work.", registry=registry).set_function(working)

    def worked(self, seconds: float, pixels: int) -> None:
        """Notes a picture that was filled."""
        self._work.observe(seconds)
        self._pixels.inc(pixels)

    def answered(self, route: str, method: str, status: int, seconds: float, code: str | None) -> None:
        """Notes an answer.

        Args:
            route: address with its parameters by name.
            method: of HTTP.
            status: of HTTP.
            seconds: that it took.
            code: of the refusal, if it is one.
        """
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)
        if code is not None:
            self._rejected.labels(code).inc()

    async def show(self) -> Response:
        """All of them, in the text format of Prometheus."""
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)


class Measured:
    """Notes every answer.

    Args:
        app: behind this.
        metrics: that note.
        routes: of the application.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, routes: Sequence[BaseRoute]) -> None:
        self.app = app
        self.metrics = metrics
        self.routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, start = 500, time.monotonic()
        scope.setdefault("state", {})  # where a refusal leaves its code, also for those who go on with a copy

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        finally:
            route = found(self.routes, scope)[0] or _OTHER
            method = scope["method"] if scope["method"] in _METHODS else _OTHER
            self.metrics.answered(route, method, status, time.monotonic() - start, noted_code(scope))
