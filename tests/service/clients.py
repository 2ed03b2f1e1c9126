"""What the service's tests share: tiny and slow inpainters, picture files, and a client in the same event loop."""

import contextlib
import io
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import torch
from PIL import Image

from temperfill.config import GeneratorConfig
from temperfill.inpainter import Inpainter
from temperfill.inpainter.models import Models
from temperfill.inpainter.sources import Copies
from temperfill.methods.contract import Abilities
from temperfill.methods.finding import Found
from temperfill.methods.ours import Ours
from temperfill.nets.generator import Generator
from temperfill.service.app import Service, create_app
from temperfill.service.settings import ServiceLimits

Files = dict[str, tuple[str, bytes]]
HEIGHT, WIDTH = 40, 56


def tiny() -> Inpainter:
    """A network with random weights."""
    torch.manual_seed(0)
    return Inpainter(Ours(Generator(GeneratorConfig(width=4, head_dim=4)).eval()), "cpu", "fp32")


@dataclass
class Held:
    """An inpainter that works until it is let go, and counts how many calls run at once."""

    let_go: threading.Event = field(default_factory=threading.Event)
    started: threading.Event = field(default_factory=threading.Event)
    ended: list[str] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    method: Any = field(default_factory=lambda: SimpleNamespace(abilities=Abilities()))
    device: str = "cpu"
    error: BaseException | None = None

    def complete(self, picture: Any, *_: Any) -> Any:
        """The call that warms the model."""
        return picture

    def tries(
        self,
        picture: Any,
        hole: Any,
        sketch: Any = None,
        options: Any = None,
        on_progress: Callable[[int, int], None] = print,
        *_: Any,
    ) -> Iterator[Any]:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.started.set()
        try:
            if self.error is not None:
                raise self.error
            while True:
                on_progress(3, 7)
                if self.let_go.wait(0.01):
                    break
            self.ended.append("done")
            yield picture, Copies(WIDTH)
        except Exception as error:
            self.ended.append(type(error).__name__)
            raise
        finally:
            self.at_once -= 1


def encode(pixels: Any, kind: str = "PNG", **options: Any) -> bytes:
    """An array or Pillow image as a file."""
    file = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(file, kind, **options)
    return file.getvalue()


def decode(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def pixels(height: int = HEIGHT, width: int = WIDTH, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def hole(height: int = HEIGHT, width: int = WIDTH) -> Any:
    mask = np.zeros((height, width), np.uint8)
    mask[10:20, 12:30] = 255
    return mask


def form(image: bytes | None = None, mask: bytes | None = None, **more: bytes) -> Files:
    """Files of a request; those that are not given are a random picture and its mask."""
    files = {"image": encode(pixels()) if image is None else image, "mask": encode(hole()) if mask is None else mask}
    return {name: (f"{name}.png", content) for name, content in (files | more).items()}


TINY = Found("tiny", None)


def single(load: Callable[[], Any] = tiny, model: Found = TINY) -> Models:
    """One model to choose from."""
    return Models([model], lambda _: load())


@contextlib.asynccontextmanager
async def running(
    load: Callable[[], Any] = tiny,
    settings: ServiceLimits | None = None,
    headers: dict[str, str] | None = None,
    model: Found = TINY,
    models: Models | None = None,
    **options: Any,
) -> AsyncIterator[tuple[httpx.AsyncClient, Service]]:
    """A service that is ready, and a client for it."""
    app = create_app(models or single(load, model), settings, **options)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8017", headers=headers, timeout=60) as client,
    ):
        await client.get("/v1/models")
        yield client, app.state.service


def code(response: httpx.Response) -> str:
    """The code of an error, whose shape is checked."""
    error = response.json()["error"]
    assert set(error) == {"code", "message"}
    assert error["message"]
    assert "\n" not in error["message"]
    assert "Traceback" not in response.text
    assert not any(part in error["message"] for part in (tempfile.gettempdir(), "site-packages", ".py"))
    return str(error["code"])
