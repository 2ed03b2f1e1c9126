"""``temperfill edit``: the editor in a browser."""

import secrets
import threading
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from temperfill.cli.parsing import parse, require, say
from temperfill.options import DEFAULT_MODEL, Precision


@dataclass(frozen=True)
class EditOptions:
    """Opens the editor in a browser. Everything runs on this machine, until the command is interrupted."""

    image: Annotated[Positional[Path | None], arg(metavar="[IMAGE]")] = None
    """Picture to open at the start."""
    output: Path | None = None
    """Folder, or file, that Ctrl+S writes the result to; "Done" ends the command with status 0. A file may be IMAGE
    itself. In a folder the result has the name of IMAGE, or NAME-filled beside it."""
    model: str = DEFAULT_MODEL
    """Model that fills unless another is chosen in the editor: its name (see temperfill models), a weights file, or the
    folder of a run."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps; auto takes a GPU where there is one."""
    precision: Precision = "auto"
    """Arithmetic of the network; auto takes bf16 where the hardware computes in it. fp16 is for CUDA."""
    port: int = 0
    """Port to listen on; 0 takes one that is free."""
    max_pixels: int = 256_000_000
    """Largest width times height that is opened."""
    timeout: float = 1800
    """Seconds that the work on one picture may take."""
    browser: bool = True
    """Open the browser; otherwise only print the address."""
    debug: bool = False
    """Show the trace of an error."""


def run(words: list[str]) -> None:
    """Runs the command on the words after its name."""
    options = parse(EditOptions, "edit", words)
    require(0 <= options.port <= 65535, f"--port must lie in 0 to 65535, got {options.port}")
    from temperfill.service.settings import ServiceLimits

    # Every user of this machine can reach the port, and the photograph may be private.
    token = secrets.token_urlsafe(24)
    settings = ServiceLimits(
        max_bytes=1_000_000_000,
        max_pixels=options.max_pixels,
        timeout=options.timeout,
        keep_metadata=True,
        token=token,
    )
    from temperfill.inpainter.models import Models, choices, loader
    from temperfill.service.app import create_app
    from temperfill.service.output import Output
    from temperfill.service.server import address_of, listen, serve

    output = None
    if options.image is not None:
        _check(options.image, options.max_pixels)
        output = None if options.output is None else Output(options.output, options.image)
    require(options.output is None or output is not None, "--output needs an IMAGE, whose results it takes")
    models = Models(choices(options.model), loader(options.device, options.precision))
    listener = listen("127.0.0.1", options.port)
    app = create_app(models, settings, start_image=options.image, output=output)
    address = f"{address_of(listener)}/#token={token}"
    say(f"the editor is at {address}; Ctrl-C stops")
    if options.browser:
        # The socket takes connections already. Some browsers return when they are closed.
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    serve(app, listener, grace=0)
    for path in [] if output is None else output.saved:
        say(f"wrote {path}")
    say("stopped")


def _check(path: Path, max_pixels: int) -> None:
    """Raises an error for a file that the editor could not open."""
    from temperfill import images

    with path.open("rb") as file:
        header = images.read_header(file, str(path))
    require(not header.animated, f"{path} has several frames or pages; save the one to edit as a picture of its own")
    height, width = header.size
    limit = f"above the limit of {max_pixels / 1e6:g} million; raise it with --max-pixels"
    require(height * width <= max_pixels, f"{path} has {width}x{height} pixels, {limit}")
