"""The editor's page: its files, and what it needs to know at its start."""

import io
from pathlib import Path
from typing import Any

from fastapi.responses import FileResponse, Response
from starlette.concurrency import run_in_threadpool

import temperfill
from temperfill import images
from temperfill.service.output import Output
from temperfill.service.refusals import Refusal
from temperfill.service.settings import ServiceLimits
from temperfill.service.work import ARCHIVE

PAGE = Path(__file__).parent / "page"
"""Folder of the editor's page."""
PAGE_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
"""Content types of the page's files, whatever the system thinks of their suffixes; no other file is served."""
PICTURE_TYPES = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "TIFF": "image/tiff",
    "BMP": "image/bmp",
    "GIF": "image/gif",
    "PPM": "image/x-portable-anymap",
    "HEIF": "image/heic",
}
"""Content type of each format of pictures."""


class Pages:
    """Routes of the page.

    Args:
        folder: of its files.
        settings: limits that it is told.
        start_image: picture that it opens at its start.
        output: place to which it saves that picture.
    """

    def __init__(
        self, folder: Path, settings: ServiceLimits, start_image: Path | None, output: Output | None = None
    ) -> None:
        self.folder = folder
        self.settings = settings
        self.start_image = start_image
        self.output = output

    async def start(self) -> dict[str, Any]:
        """What the page needs to know at its start."""
        image = None if self.start_image is None else {"name": self.start_image.name}
        limits = {"max_pixels": self.settings.max_pixels, "max_bytes": self.settings.max_bytes}
        keeps, saves = self.settings.keep_metadata, self.output is not None
        return {"image": image, **limits, "keeps_metadata": keeps, "saves": saves, "version": temperfill.__version__}

    async def start_picture(self) -> Response:
        """The picture that the editor was started with."""
        path = self.start_image
        if path is None or not path.is_file():
            raise Refusal(404, "not_found", "the editor was started without a picture")
        content = await run_in_threadpool(path.read_bytes if self.output is None else self.output.original)
        return Response(content, media_type=PICTURE_TYPES[images.read_header(io.BytesIO(content)).kind])

    async def index(self) -> FileResponse:
        """The editor's page."""
        return await self.page("index.html")

    async def page(self, name: str) -> FileResponse:
        """A file of the editor's page."""
        folder = self.folder.resolve()
        path = (folder / name).resolve() if "\0" not in name else folder
        if not path.is_relative_to(folder) or path.suffix not in PAGE_TYPES or not path.is_file():
            raise Refusal(404, "not_found", "there is no such page")
        return FileResponse(path, media_type=PAGE_TYPES[path.suffix], headers={"Cache-Control": "no-cache"})


def picture_response(content: bytes, suffix: str, headers: dict[str, str]) -> Response:
    """An answer that is a picture file, whose format its suffix says, or a ZIP file of several."""
    kind = "application/zip" if suffix == ARCHIVE else PICTURE_TYPES[images.WRITTEN[suffix]]
    return Response(content, media_type=kind, headers=headers)
