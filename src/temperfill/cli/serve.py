"""``temperfill serve``: fill pictures over HTTP."""

import os
from dataclasses import dataclass

from temperfill.cli.parsing import parse, require, say
from temperfill.options import DEFAULT_MODEL, Precision
from temperfill.service.settings import ServiceLimits

TOKEN_VARIABLE = "TEMPERFILL_TOKEN"


@dataclass(frozen=True)
class ServeOptions:
    """Serves the HTTP interface and the editor until it is interrupted. One picture is filled at a time."""

    host: str = "127.0.0.1"
    """Address to listen on; the default is reachable from this machine only, 0.0.0.0 from all networks."""
    port: int = 8017
    """Port to listen on; 0 takes one that is free."""
    model: str = DEFAULT_MODEL
    """Model that fills where a request names none: its name (see temperfill models), a weights file, or the folder of a
    run."""
    choices: tuple[str, ...] | None = None
    """Further models that clients may choose; those that are bundled if it is left out, none if nothing follows."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps; auto takes a GPU where there is one."""
    precision: Precision = "auto"
    """Arithmetic of the network; auto takes bf16 where the hardware computes in it. fp16 is for CUDA."""
    max_bytes: int = ServiceLimits.max_bytes
    """Largest request, bytes."""
    max_pixels: int = ServiceLimits.max_pixels
    """Largest width times height of a picture."""
    queue: int = ServiceLimits.queue
    """Requests that may wait while one is processed; more are refused."""
    timeout: float = ServiceLimits.timeout
    """Seconds that the work on one picture may take, without waiting."""
    upload_timeout: float = ServiceLimits.upload_timeout
    """Seconds in which a request must arrive."""
    grace: float = 10.0
    """Seconds after SIGTERM or Ctrl-C before the picture in progress is cancelled."""
    token: str = ""
    """Token that requests must carry; better set in the environment variable TEMPERFILL_TOKEN, which other users of the
    machine cannot see."""
    allowed_hosts: tuple[str, ...] = ()
    """Further host names of the service, such as that of a proxy, whose pages may use it; * for any host."""
    root_path: str = ""
    """Path below which a proxy shows the service, such as /fill; the proxy may take it off the addresses, or not."""
    iopaint: bool = False
    """Answer POST /api/v1/inpaint, too, for programs that were written for IOPaint."""
    metrics: bool = False
    """Show measures for Prometheus at /metrics."""
    access_log: bool = False
    """Print a line for each request."""
    debug: bool = False
    """Show the trace of an error."""


def run(words: list[str]) -> None:
    """Runs the command on the words after its name."""
    options = parse(ServeOptions, "serve", words)
    require(0 <= options.port <= 65535, f"--port must lie in 0 to 65535, got {options.port}")
    require(0 <= options.grace <= 3600, f"--grace must lie in 0 to 3600, got {options.grace}")
    token = options.token or os.environ.get(TOKEN_VARIABLE, "")
    is_open = options.host in ("0.0.0.0", "::")
    settings = ServiceLimits(
        max_bytes=options.max_bytes,
        max_pixels=options.max_pixels,
        queue=options.queue,
        timeout=options.timeout,
        upload_timeout=options.upload_timeout,
        token=token,
        root_path=options.root_path,
        iopaint=options.iopaint,
        metrics=options.metrics,
        origins=options.allowed_hosts,
        hosts=(*options.allowed_hosts, "addresses" if is_open else options.host),
    )
    from temperfill.inpainter.models import Models, choices, loader
    from temperfill.service.app import create_app
    from temperfill.service.server import address_of, is_local, listen, serve

    found = choices(options.model, options.choices)
    models = Models(found, loader(options.device, options.precision))
    listener = listen(options.host, options.port)
    if not is_local(listener) and not token:
        say(f"warning: other machines can use this service without a token; set {TOKEN_VARIABLE}")
    app = create_app(models, settings)
    say(f"serving {options.model} on {address_of(listener)}{options.root_path}; Ctrl-C stops")
    serve(app, listener, options.grace, options.access_log)
    say("stopped")
