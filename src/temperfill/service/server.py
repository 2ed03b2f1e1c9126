"""The service on a socket: signals, clients that stall, and the end of the process."""

import asyncio
import errno
import ipaddress
import logging
import math
import os
import signal
import socket
import sys
import time
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from temperfill.service.app import Service

STALL_SECONDS = 10.0
"""After so long a connection is cut that sends no whole head of a request, or takes nothing of its answer."""
MAX_CONNECTIONS = 256
"""Connections beyond this get an answer 503 without a look at their requests."""
_BACKLOG = 64  # connections that wait to be taken
_QUIET_SECONDS = 60.0  # between two lines about missing descriptors
MAX_HEAD = 16_384
"""Largest head of a request, bytes."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections from now on.

    Args:
        host: name or address of this machine.
        port: 0 for one that is free.

    Raises:
        OSError: no such address, or the port is taken or not allowed.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            if os.name == "posix":  # elsewhere it would let two services share a port
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(128)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        remedy = "choose another --host or --port"
        raise OSError(f"cannot listen on {host}, port {port}: {error.strerror or error}; {remedy}") from None
    return listener


def address_of(listener: socket.socket) -> str:
    """The address for a browser on this machine."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_local(listener: socket.socket) -> bool:
    """Whether this machine alone can reach a socket."""
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback


def serve(app: FastAPI, listener: socket.socket, grace: float = 10.0, access_log: bool = False) -> None:
    """Serves until SIGINT or SIGTERM, then returns once the work at hand has ended; for the main thread.

    Work that does not end in time is cancelled, at the end of the part that it computes. If that takes too long, the
    process ends here with status 0: the network cannot be interrupted.

    Args:
        app: from ``create_app``.
        listener: from ``listen``; closed at the end.
        grace: seconds for the work at hand after a signal.
        access_log: write a line for each request to stdout.

    Raises:
        OSError: the model's file cannot be read.
        ValueError: the model cannot be loaded.
    """
    service: Service = app.state.service
    config = uvicorn.Config(
        app,
        http=_PatientProtocol,
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_level="info" if access_log else "warning",
        access_log=access_log,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MAX_CONNECTIONS,
        h11_max_incomplete_event_size=MAX_HEAD,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=math.ceil(grace) + 3,  # for answers that are not taken
    )
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it warns of each form that is refused
    before = {signum: signal.signal(signum, _ignore) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        _Server(config, service, grace).run(sockets=[listener])
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
        listener.close()
    if service.failure is not None:
        raise service.failure
    if not service.is_closed:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _ignore(signum: int, frame: FrameType | None) -> None:
    """Takes the signals that the server has seen and raises again at its end."""


class _Server(uvicorn.Server):
    """A server that ends when the model cannot be loaded or the user has finished, and tells the jobs of it first."""

    def __init__(self, config: uvicorn.Config, service: Service, grace: float) -> None:
        super().__init__(config)
        self._service = service
        self._grace = grace
        self._told_at = -math.inf

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(self._tell)
        await super().startup(sockets)

    def _tell(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Tells of missing descriptors once a minute: asyncio would do so for each connection that waits."""
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in (errno.EMFILE, errno.ENFILE):
            loop.default_exception_handler(context)
        elif time.monotonic() > self._told_at + _QUIET_SECONDS:
            self._told_at = time.monotonic()
            logging.getLogger("uvicorn.error").error("connections wait: %s (ulimit -n)", error.strerror)

    async def on_tick(self, counter: int) -> bool:
        is_over = self._service.failure is not None or self._service.is_done.is_set()
        return is_over or await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._service.jobs.stop(self._grace)
        self._service.uploads.end()
        await super().shutdown(sockets)


class _PatientProtocol(H11Protocol):
    """Cuts connections on which nothing moves while something should: heads that drip, answers that are not taken."""

    _timer: asyncio.TimerHandle | None = None
    _unsent = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self._watch()
        super().on_response_complete()

    def _watch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._unsent = self.transport.get_write_buffer_size()
        self._timer = self.loop.call_later(STALL_SECONDS, self._look)

    def _look(self) -> None:
        unsent = self.transport.get_write_buffer_size()
        cycle: Any = self.cycle  # None before the first request
        is_at_work = cycle is not None and not cycle.response_complete
        if (unsent >= self._unsent) if unsent else not is_at_work:
            self.transport.abort()
        else:
            self._watch()
