"""Multipart forms to checked requests. Names that clients give their files are never looked at."""

import contextlib
import math
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

import python_multipart  # noqa: F401 - Starlette would miss it at the first form only
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from temperfill import images
from temperfill.options import CANVAS_OPTIONS, SERVED, FillOptions, Option
from temperfill.service.refusals import Refusal

FILES = ("image", "mask", "sketch", "avoid")
"""Parts that are picture files."""
OPTIONAL = ("sketch", "avoid", "original")
"""Those that may be left out."""
CONVERT_FILES = ("image", "original")
"""Parts of a request for another format; the original may be left out."""
IMAGE_ALONE = ("image",)
"""Parts of a request with nothing but a picture."""
LOSSLESS = "lossless"
"""Instead of a suffix: PNG, written fast, or TIFF where PNG does not hold the picture."""
FORMATS = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "tiff": ".tif", "lossless": LOSSLESS}
"""Formats that a client may ask for, and their suffixes."""
MOST_TRIES = 4
"""Seeds of one request, each of which gives a result."""
_FIELD_BYTES = 1000
_SUFFIXES = {kind: suffix for suffix, kind in reversed(images.WRITTEN.items())}

Parser = Callable[[str, str], Any]
Check = Callable[[Callable[[], images.Header]], Awaitable[images.Header]]


@dataclass(frozen=True)
class Form:
    """A form whose pictures are known by their headers alone.

    Attributes:
        files: by the names of their parts.
        header: of the image, or of the original where there is one.
        fields: name to value, checked, with defaults.
        takes_any_mask: a mask that looks as if it was not meant is taken as it is.
    """

    files: Mapping[str, BinaryIO]
    header: images.Header
    fields: Mapping[str, Any]
    takes_any_mask: bool = False

    @property
    def image(self) -> BinaryIO:
        """File of the picture."""
        return self.files["image"]

    @property
    def mask(self) -> BinaryIO:
        """File of its mask; a form for a preview has none."""
        return self.files["mask"]

    @property
    def sketch(self) -> BinaryIO | None:
        """File of its lines, if there is one."""
        return self.files.get("sketch")

    @property
    def avoid(self) -> BinaryIO | None:
        """File of what is not to be copied from, if there is one."""
        return self.files.get("avoid")

    @property
    def original(self) -> BinaryIO | None:
        """File whose metadata a picture gets, if there is one."""
        return self.files.get("original")

    def with_fields(self, **fields: Any) -> "Form":
        """The form with other values of some fields."""
        return replace(self, fields={**self.fields, **fields})

    @property
    def model(self) -> str:
        """Name of the model that is asked for; empty for the default."""
        name: str = self.fields.get("model", "")
        return name

    @property
    def options(self) -> FillOptions:
        """Of the filling, as far as the form has them."""
        return FillOptions(**{o.name: self.fields[o.name] for o in SERVED if o.name in self.fields})

    @property
    def suffix(self) -> str:
        """Of the image's format, or where that is not written, or has no place for a layer, of one that has."""
        if self.fields.get("layer"):
            return ".tif" if self.header.kind == "TIFF" else ".png"
        return _SUFFIXES.get(self.header.kind) or (".png" if self.header.has_alpha else ".jpg")


@dataclass(frozen=True)
class Few:
    """The parser of a field that may be given a few times: several values are a tuple.

    Attributes:
        parse: one value.
        most: values.
    """

    parse: Parser
    most: int

    def __call__(self, name: str, text: str) -> Any:
        """One value."""
        return self.parse(name, text)


def whole(low: int, high: int) -> Parser:
    """A parser of whole numbers from ``low`` to ``high``."""

    def parse(name: str, text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise _out_of_range(name, f"a whole number from {low} to {high}", text)
        return int(text)

    return parse


def real(low: float, high: float) -> Parser:
    """A parser of numbers from ``low`` to ``high``."""

    def parse(name: str, text: str) -> float:
        value = math.nan
        with contextlib.suppress(ValueError):
            value = float(text)
        if not low <= value <= high:  # as NaN is not
            raise _out_of_range(name, f"a number from {low:g} to {high:g}", text)
        return value

    return parse


def choice(values: Mapping[str, Any]) -> Parser:
    """A parser of words, to what a table has for them."""

    def parse(name: str, text: str) -> Any:
        if text not in values:
            raise _out_of_range(name, f"one of {', '.join(values)}", text)
        return values[text]

    return parse


def word(name: str, text: str) -> str:
    """A name; whether there is anything of this name is not known here."""
    return text


def parser_of(option: Option) -> Parser:
    """The parser of an option's text."""
    if option.choices:
        return choice({word: word for word in option.choices})
    if option.kind is bool:
        return choice({"true": True, "false": False})
    if option.kind is int:
        return whole(int(option.low), int(option.most_served))
    return real(option.low, option.most_served)


# Each with its default; None for a field that must be given.
_FILL_FIELDS: dict[str, tuple[Parser, Any]] = {option.name: (parser_of(option), option.default) for option in SERVED}
SOURCES_OPTIONS = ("mask_dilate", "temperature", "texture", "seed")
"""Options that decide where a pixel comes from."""
MODEL_FIELD: dict[str, tuple[Parser, Any]] = {"model": (word, "")}
"""Names the model that fills."""
INPAINT_FIELDS: dict[str, tuple[Parser, Any]] = {
    **_FILL_FIELDS,
    "seed": (Few(_FILL_FIELDS["seed"][0], MOST_TRIES), _FILL_FIELDS["seed"][1]),
    **MODEL_FIELD,
    "format": (choice(FORMATS), ""),
    "quality": (whole(1, 100), ""),
}
"""Fields of a request to fill."""
EXTEND_FIELDS: dict[str, tuple[Parser, Any]] = {
    **{option.name: (parser_of(option), option.default) for option in CANVAS_OPTIONS},
    **INPAINT_FIELDS,
}
"""Fields of a request to extend the canvas."""
CONVERT_FIELDS = {name: INPAINT_FIELDS[name] for name in ("format", "quality", "unmarked", "model")}
"""Fields of a request for another format."""
SOURCES_FIELDS: dict[str, tuple[Parser, Any]] = {
    "row": (whole(0, 10**9 - 1), None),
    "column": (whole(0, 10**9 - 1), None),
    **MODEL_FIELD,
    **{name: _FILL_FIELDS[name] for name in SOURCES_OPTIONS},
}
"""Fields of a request for sources."""


@contextlib.asynccontextmanager
async def read(
    request: Request,
    fields: dict[str, tuple[Parser, Any]],
    max_pixels: int,
    check: Check,
    parts: tuple[str, ...] = FILES,
) -> AsyncIterator[Form]:
    """Reads and checks a form; its files are closed at the end.

    Args:
        request: with a body that was not read.
        fields: that it may have.
        max_pixels: largest width times height of a picture.
        check: calls a function, which looks at the pictures, in a thread.
        parts: that are files; all but those of ``OPTIONAL`` must be there.

    Raises:
        Refusal: not a form, parts that are missing, too many or unknown (400); pictures that are too large (413), of no
            supported kind (415) or animated, or values out of range (422).
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise _bad_form("the request must be a form, multipart/form-data")
    try:
        most = sum(_most(parse) for parse, _ in fields.values())
        data = await request.form(max_files=len(parts), max_fields=most, max_part_size=_FIELD_BYTES)
    except HTTPException as error:
        raise _bad_form(f"the form cannot be read: {error.detail}") from None
    except OSError as error:  # of the temporary file in which a large part is kept
        text = f"the service has no room for the upload ({error.strerror or error})"
        raise Refusal(507, "no_room", text) from None
    except ValueError:  # of decoders of names in odd character sets
        raise _bad_form("the form cannot be read: its names or values are not text") from None
    try:
        names = [name for name, _ in data.multi_items()]
        for name in names:
            if name not in parts and name not in fields:
                raise _bad_form(f"unknown part {name[:40]!r}; known are {', '.join((*parts, *fields))}")
            if names.count(name) > (often := _most(fields[name][0]) if name in fields else 1):
                raise _bad_form(f"part {name} is given {'twice' if often == 1 else f'more than {often} times'}")
        values = _values(data, fields)
        files = _files(data, parts)
        header = await check(lambda: check_pictures(files, max_pixels))
        yield Form(files, header, values)
    finally:
        await data.close()


def _values(data: FormData, fields: dict[str, tuple[Parser, Any]]) -> dict[str, Any]:
    values = {}
    for name, (parse, default) in fields.items():
        given = [parse(name, _text(name, part)) for part in data.getlist(name)]
        if not given and default is None:
            raise _bad_form(f"part {name} is missing")
        values[name] = tuple(given) if len(given) > 1 else next(iter(given), default)
    return values


def _most(parse: Parser) -> int:
    """How often a field may be given."""
    return parse.most if isinstance(parse, Few) else 1


def _text(name: str, part: UploadFile | str) -> str:
    if isinstance(part, UploadFile):
        raise _bad_form(f"part {name} must be text, not a file")
    return part.strip()


def _files(data: FormData, parts: tuple[str, ...]) -> dict[str, BinaryIO]:
    files = {}
    for name in parts:
        given = data.get(name)
        if isinstance(given, UploadFile):
            files[name] = given.file
        elif given is not None:
            raise _bad_form(f"part {name} must be a file, with a filename")
        elif name not in OPTIONAL:
            raise _bad_form(f"part {name} is missing")
    return files


def check_pictures(files: Mapping[str, BinaryIO], max_pixels: int) -> images.Header:
    """Checks what the headers of pictures say; gives the one of the original or the image.

    Raises:
        Refusal: as ``read``.
    """
    headers = {}
    for name, file in files.items():
        try:
            header = headers[name] = images.read_header(file, f"the {name}")
        except ValueError as error:
            raise Refusal(415, "unsupported_picture", str(error)) from None
        height, width = header.size
        if height * width > max_pixels:
            limit = f"the limit is {max_pixels / 1e6:g} million pixels"
            raise Refusal(413, "too_large", f"the {name} has {width}x{height} pixels; {limit}")
        if header.animated:
            raise Refusal(422, "animated", f"the {name} has several frames; send one of them")
    return headers.get("original", headers["image"])


def _bad_form(message: str) -> Refusal:
    return Refusal(400, "bad_form", message)


def _out_of_range(name: str, expected: str, text: str) -> Refusal:
    return Refusal(422, "out_of_range", f"{name} must be {expected}, got {text[:40]!r}")
