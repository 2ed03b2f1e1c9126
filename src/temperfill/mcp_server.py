"""Tools for programs of language models, by the Model Context Protocol: erasing in picture files of one folder."""

import math
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import anyio.from_thread
import numpy as np
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, create_model

import temperfill
from temperfill import images
from temperfill.inpainter.models import Models
from temperfill.options import OPTIONS, FillOptions, Option

T = TypeVar("T")
INSTRUCTIONS = (
    "Erases things from photographs: what lies in rectangles, or under the white of a mask, is filled as the picture "
    "might go on. All other pixels keep their values. Ask for the size first; rectangles are in pixels of the upright "
    "picture, counted from its top left corner. Leave a margin of a few pixels around what is to go, and include its "
    "shadow."
)


class Rectangle(BaseModel):
    """A part of a picture, in pixels from its top left corner."""

    model_config = ConfigDict(extra="forbid")

    left: int = Field(ge=0)
    top: int = Field(ge=0)
    right: int = Field(gt=0, description="First column that is kept.")
    bottom: int = Field(gt=0, description="First row that is kept.")


class Size(BaseModel):
    """What a picture file holds."""

    width: int
    height: int
    format: str


class Erased(BaseModel):
    """What was done."""

    output: str
    width: int
    height: int
    filled: float = Field(description="Share of the picture that was filled.")
    seconds: float
    warnings: list[str]


def _field(option: Option) -> tuple[Any, Any]:
    kind = Literal[option.choices] if option.choices else option.kind
    bounds = {"ge": option.low, "le": option.high} if kind in (int, float) else {}
    finite: dict[str, Any] = {name: bound for name, bound in bounds.items() if math.isfinite(bound)}
    return kind, Field(option.default, description=option.help, **finite)


_fields: dict[str, Any] = {option.name: _field(option) for option in OPTIONS}
Filling: Any = create_model("Filling", __config__=ConfigDict(extra="forbid"), **_fields)
"""The fields of ``FillOptions`` with their ranges and help, as programs see them."""


class Eraser:
    """The tools.

    Args:
        models: that fill; each is loaded for the first picture that asks for it.
        folder: whose files may be read and written.
        max_pixels: largest width times height that is opened.
    """

    def __init__(self, models: Models, folder: Path, max_pixels: int) -> None:
        self.models = models
        self.folder = folder.resolve()
        self.max_pixels = max_pixels
        self._one_at_a_time = threading.Lock()

    def picture_size(self, image: str) -> Size:
        """Width, height and format of a picture file. Turned pictures have the size that they are shown with."""
        with self._file(image).open("rb") as file:
            header = _told(lambda: images.read_header(file, image))
        return Size(width=header.size[1], height=header.size[0], format=header.kind)

    def erase(
        self,
        context: Context,
        image: str,
        output: str,
        rectangles: Sequence[Rectangle] = (),
        mask: str | None = None,
        model: str = "",
        filling: Filling = Filling(),  # noqa: B008 - not changed
        overwrite: bool = False,
    ) -> Erased:
        """Erases rectangles, or what is white in a mask, from a picture file, and writes the result to another.

        Args:
            context: of the request, which is told how far it is.
            image: picture file.
            output: file to write; its suffix says the format. PNG and TIFF keep all other pixels exactly.
            rectangles: to erase.
            mask: picture file of the same size; white marks what to erase, beside the rectangles.
            model: name of the model that fills; the first one of the instructions if it is left out.
            filling: how the hole is filled.
            overwrite: replace an output that is there already; the image itself may be given.
        """
        with self._one_at_a_time:
            return _told(lambda: self._erase(context, image, output, rectangles, mask, model, filling, overwrite))

    def _erase(
        self,
        context: Context,
        image: str,
        output: str,
        rectangles: Sequence[Rectangle],
        mask: str | None,
        model: str,
        filling: Any,
        overwrite: bool,
    ) -> Erased:
        start = time.monotonic()
        path = self._path(output)
        if path.exists() and not overwrite:
            raise ToolError(f"{output} is there already; choose another name, or set overwrite")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            images.check_output(path)
            picture = images.open_picture(self._file(image), self.max_pixels)
            hole = self._hole(picture.size, rectangles, mask)
            options = FillOptions(**filling.model_dump())
            images.check_output(path, picture, options.layer)
            inpainter = self.models.get(model)

            told = 0

            def on_progress(done: int, total: int) -> None:
                nonlocal told
                if done > told:  # it is called more often, and the protocol wants each report to be higher
                    told = done
                    anyio.from_thread.run(context.report_progress, done, total)

            result = inpainter.complete(picture, hole, None, options, on_progress)
            images.save_picture(path, result)
        said = list(dict.fromkeys(str(one.message) for one in caught))
        height, width = picture.size
        seconds = round(time.monotonic() - start, 2)
        share = float(hole.mean())
        return Erased(output=output, width=width, height=height, filled=share, seconds=seconds, warnings=said)

    def _hole(self, size: tuple[int, int], rectangles: Sequence[Rectangle], mask: str | None) -> NDArray[np.bool_]:
        height, width = size
        if not rectangles and mask is None:
            raise ToolError("give rectangles or a mask: there is nothing to erase")
        hole = np.zeros(size, np.bool_)
        for box in rectangles:
            if not (box.left < box.right <= width and box.top < box.bottom <= height):
                raise ToolError(f"the rectangle {box} does not lie in the picture, which has {width}x{height} pixels")
            hole[box.top : box.bottom, box.left : box.right] = True
        if mask is not None:
            hole |= images.to_mask(self._file(mask), size, max_pixels=self.max_pixels)
        return hole

    def _path(self, name: str) -> Path:
        """A file of the folder, wherever links lead."""
        path = (self.folder / name).resolve()
        if not path.is_relative_to(self.folder):
            raise ToolError(f"{name} lies outside the folder {self.folder}, which alone may be used")
        return path

    def _file(self, name: str) -> Path:
        path = self._path(name)
        if not path.is_file():
            raise ToolError(f"there is no file {name} in {self.folder}")
        return path


def _told(work: Callable[[], T]) -> T:
    """What a piece of work gives; errors of what it was given are told to the program."""
    try:
        return work()
    except (ValueError, OSError, MemoryError) as error:
        raise ToolError(str(error) or type(error).__name__) from error


def create(models: Models, folder: Path, max_pixels: int = 256_000_000) -> MCPServer:
    """A server with the tools ``picture_size`` and ``erase``.

    Args:
        models: that fill; each is loaded for the first picture that asks for it.
        folder: whose files may be read and written.
        max_pixels: largest width times height that is opened.
    """
    said = "; ".join(f"{name} ({models.facts(name).terms or 'no terms stated'})" for name in models.names)
    instructions = f"{INSTRUCTIONS} Models: {said}."
    server = MCPServer("temperfill", instructions=instructions, version=temperfill.__version__, log_level="WARNING")
    eraser = Eraser(models, folder, max_pixels)
    server.add_tool(eraser.picture_size)
    server.add_tool(eraser.erase)
    return server
