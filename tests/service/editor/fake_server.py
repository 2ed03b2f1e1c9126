"""A server with the routes of the service and a predictable fill, for the page's tests: busy, slow, gone on demand."""

import email
import email.policy
import io
import json
import re
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from service.editor.local_server import LocalServer, QuietHandler

PAGE = Path(__file__).parents[3] / "src" / "temperfill" / "service" / "page"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
POLICY = "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; form-action 'none'"


@dataclass
class Upload:
    """A request to fill or to tell sources: the bytes of the files, the text fields."""

    path: str
    files: dict[str, bytes]
    names: dict[str, str]
    fields: dict[str, str]

    def pixels(self, name: str) -> NDArray[Any]:
        return np.asarray(Image.open(io.BytesIO(self.files[name])))


@dataclass
class Behaviour:
    """What the server does; a test changes it before or during a fill."""

    models: tuple[str, ...] = ("fake",)  # that are offered; the first is the default
    abilities: tuple[str, ...] = ("takes_sketch", "takes_temperature", "takes_avoid", "has_sources")
    loading: bool = False
    max_bytes: int = 50_000_000
    max_pixels: int = 64_000_000
    image: Path | None = None
    busy: int = 0  # requests for previews that find no place
    previews: threading.Event = field(default_factory=threading.Event)  # previews wait for it
    depth: int = 8  # bits of each colour, as a preview tells them
    answer: str = "fill"  # or busy, timeout, crash, gone, truncated, resized
    lossless: str = "png"  # what it takes for a lossless format
    copy: dict[str, Any] | None = None  # the pixel that was copied, as sources tell it
    keeps_metadata: bool = True
    warnings: list[str] = field(default_factory=list)  # of fills and of files that are saved
    draft: tuple[str, bytes] | None = None  # box and picture that a job shows
    steps: int = 0  # of a slow fill
    step_seconds: float = 0.05
    proceed: threading.Event = field(default_factory=threading.Event)  # a slow fill waits for it before its last step
    uploads: list[Upload] = field(default_factory=list)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)


def fill_colour(temperature: float, seed: int = 0) -> tuple[int, int, int]:
    """The colour that a fill at a temperature has."""
    return (round(40 * temperature), 200 - 20 * seed, 90)


class FakeServer(LocalServer):
    """Serves on a free port of this machine."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(Handler, port)
        self.behaviour = Behaviour()
        self.behaviour.previews.set()

    def stop(self) -> None:
        self.behaviour.proceed.set()
        self.behaviour.previews.set()
        super().stop()


class Handler(QuietHandler):
    server: FakeServer

    def do_GET(self) -> None:
        behaviour = self.server.behaviour
        if self.path == "/":
            self.send_page("index.html")
        elif self.path.startswith("/page/"):
            self.send_page(self.path.removeprefix("/page/"))
        elif self.path == "/start":
            image = {"name": behaviour.image.name} if behaviour.image else None
            limits: dict[str, Any] = {"max_pixels": behaviour.max_pixels, "max_bytes": behaviour.max_bytes}
            limits["keeps_metadata"] = behaviour.keeps_metadata
            self.send_json({"image": image, **limits, "version": "0"})
        elif self.path == "/start/image" and behaviour.image:
            self.send(200, "image/jpeg", behaviour.image.read_bytes())
        elif self.path == "/v1/models":
            if behaviour.loading:
                self.send_failure(503, "loading", "the model is being loaded")
                return
            abilities = {
                name: name in behaviour.abilities
                for name in ("takes_sketch", "takes_temperature", "takes_avoid", "has_sources")
            }
            abilities |= {"bundled": True, "is_learned": True}
            models = [{"name": name, "terms": f"terms of {name}", **abilities} for name in behaviour.models]
            self.send_json({"models": models, "current": models[0]["name"]})
        elif self.path.endswith("/draft") and behaviour.draft:
            self.send(200, "image/webp", behaviour.draft[1], {"X-Box": behaviour.draft[0]})
        elif self.path.removeprefix("/v1/jobs/") in behaviour.jobs:
            self.send_json(behaviour.jobs[self.path.removeprefix("/v1/jobs/")])
        else:
            self.send_failure(404, "not_found", "there is nothing here")

    def do_DELETE(self) -> None:
        job = self.server.behaviour.jobs.get(self.path.removeprefix("/v1/jobs/"))
        if job is None:
            self.send_failure(404, "not_found", "there is no such job")
            return
        job["state"] = "cancelled"
        self.send(204, "text/plain", b"")

    def do_POST(self) -> None:
        upload = self.read_upload()
        self.server.behaviour.uploads.append(upload)
        if self.path in ("/v1/inpaint", "/v1/extend"):
            self.inpaint(upload)
        elif self.server.behaviour.answer == "timeout":
            self.send_failure(504, "timeout", "the time limit of 60 seconds was reached")
        elif self.path == "/v1/preview":
            self.show(upload)
        elif self.path == "/v1/convert":
            self.convert(upload)
        elif self.path == "/v1/dust":
            self.mark_dust(upload)
        elif self.path == "/v1/sources":
            self.tell_sources(upload)
        else:
            self.send_failure(404, "not_found", "there is nothing here")

    def read_upload(self) -> Upload:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        message = email.message_from_bytes(head + body, policy=email.policy.HTTP)
        upload = Upload(self.path, {}, {}, {})
        for part in message.iter_parts():  # type: ignore[attr-defined]
            name = part.get_param("name", header="content-disposition")
            content = part.get_payload(decode=True)
            if part.get_filename() is None:
                upload.fields[name] = content.decode()
            else:
                upload.files[name] = content
                upload.names[name] = part.get_filename()
        return upload

    def inpaint(self, upload: Upload) -> None:
        behaviour = self.server.behaviour
        job = {"state": "running", "ahead": 0, "done": 0, "total": max(behaviour.steps, 1), "drafts": 0}
        job["drafts"] = int(behaviour.draft is not None)
        behaviour.jobs[self.headers["X-Job"]] = job
        for step in range(behaviour.steps):
            time.sleep(behaviour.step_seconds)
            job["done"] = step
        if behaviour.steps:
            deadline = time.monotonic() + 30
            while not behaviour.proceed.is_set() and job["state"] == "running" and time.monotonic() < deadline:
                time.sleep(0.02)
        if job["state"] == "cancelled":
            self.send_failure(409, "cancelled", "the job was cancelled")
            return
        job["state"] = "done"
        failures = {
            "busy": (503, "busy", "the queue is full"),
            "timeout": (504, "timeout", "the time limit of 60 seconds was reached"),
            "crash": (500, "internal", "something went wrong inside the server"),
        }
        if behaviour.answer == "gone":
            self.close_connection = True
            self.connection.close()
        elif behaviour.answer in failures:
            self.send_failure(*failures[behaviour.answer])
        else:
            content, kind = fill(upload, behaviour)
            self.send(200, kind, content, {"X-Seconds": "1.25"} | self.warnings)

    def convert(self, upload: Upload) -> None:
        if self.server.behaviour.answer == "gone":
            self.close_connection = True
            self.connection.close()
            return
        own = Image.open(io.BytesIO(upload.files.get("original", upload.files["image"]))).format or "png"
        kind = (upload.fields.get("format") or own).replace("lossless", "png").upper()
        buffer = io.BytesIO()
        Image.open(io.BytesIO(upload.files["image"])).save(
            buffer, kind, quality=int(upload.fields.get("quality", 95)), compress_level=1
        )
        self.send(200, f"image/{kind.lower()}", buffer.getvalue(), self.warnings)

    @property
    def warnings(self) -> dict[str, str]:
        """The header that the service has where it warns."""
        told = self.server.behaviour.warnings
        return {"X-Warnings": json.dumps(told)} if told else {}

    def show(self, upload: Upload) -> None:
        """The picture as PNG, as the service gives it without the extra for HEIC."""
        if self.server.behaviour.busy:
            self.server.behaviour.busy -= 1
            self.send_failure(503, "busy", "the queue is full")
            return
        self.server.behaviour.previews.wait(30)
        try:
            picture = Image.open(io.BytesIO(upload.files["image"]))
        except OSError:
            self.send_failure(415, "unsupported_picture", "the image is read with the package pi-heif")
            return
        buffer = io.BytesIO()
        try:
            picture.save(buffer, "PNG")
        except OSError:
            self.send_failure(422, "invalid", "the image is damaged or truncated")
            return
        self.send(200, "image/png", buffer.getvalue(), {"X-Depth": str(self.server.behaviour.depth)})

    def mark_dust(self, upload: Upload) -> None:
        """Two marks on the diagonal."""
        mask = np.zeros(upload.pixels("image").shape[:2], np.uint8)
        mask[20:25, 20:25] = mask[100:104, 100:140] = 255
        content = io.BytesIO()
        Image.fromarray(mask).save(content, "PNG")
        self.send(200, "image/png", content.getvalue(), {"X-Marks": "2"})

    def tell_sources(self, upload: Upload) -> None:
        row, column = int(upload.fields["row"]), int(upload.fields["column"])
        if not upload.pixels("mask")[row, column]:
            self.send_failure(422, "invalid", "the point lies outside the mask; choose a filled place")
            return
        heads = [
            {
                "temperature": 0.5 + head,
                "matches": [
                    {
                        "box": [20 * rank + 8 * head, 30 * head, 20 * rank + 8 * head + 16, 30 * head + 16],
                        "weight": 0.5**rank,
                    }
                    for rank in range(1, 4)
                ],
            }
            for head in range(4)
        ]
        self.send_json({"copy": self.server.behaviour.copy, "heads": heads})

    def send_page(self, name: str) -> None:
        path = PAGE / name
        if not re.fullmatch(r"[a-z]+\.[a-z]+", name) or not path.is_file():
            self.send_failure(404, "not_found", "there is nothing here")
            return
        self.send(200, TYPES[path.suffix] + "; charset=utf-8", path.read_bytes(), {"Content-Security-Policy": POLICY})

    def send_json(self, value: Any) -> None:
        self.send(200, "application/json", json.dumps(value).encode())

    def send_failure(self, status: int, code: str, message: str) -> None:
        extra = {"Retry-After": "7"} if status == 503 else {}
        body = json.dumps({"error": {"code": code, "message": message}}).encode()
        self.send(status, "application/json", body, extra)


def fill(upload: Upload, behaviour: Behaviour) -> tuple[bytes, str]:
    """The upright picture with the mask in one colour, in the format asked for."""
    source, answer = Image.open(io.BytesIO(upload.files["image"])), behaviour.answer
    kind = upload.fields["format"].replace("lossless", behaviour.lossless).upper()
    picture = np.array(ImageOps.exif_transpose(source).convert("RGB"))
    seed = 0 if answer == "same" else int(upload.fields["seed"])
    red, green, blue = fill_colour(float(upload.fields["temperature"]), seed)
    colour = (red, green, blue + 20 * behaviour.models.index(upload.fields.get("model", behaviour.models[0])))
    if upload.path == "/v1/extend":
        left, top, right, bottom = (int(upload.fields[name]) for name in ("left", "top", "right", "bottom"))
        photo, picture = picture, np.empty((top + len(picture) + bottom, left + picture.shape[1] + right, 3), np.uint8)
        picture[:] = colour
        picture[top : top + len(photo), left : left + photo.shape[1]] = photo
    else:
        picture[upload.pixels("mask") > 127] = colour
    if answer == "resized":
        picture = picture[:-1]
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, kind, quality=95, compress_level=1)
    content = buffer.getvalue()
    return (content[:200] if answer == "truncated" else content), f"image/{kind.lower()}"
