"""What is done with a request, in the thread of the jobs: decode, fill, encode."""

import hashlib
import io
import math
import threading
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from temperfill import images
from temperfill.errors import InputError, MemoryShortage
from temperfill.geometry import Box
from temperfill.service.forms import LOSSLESS, SOURCES_OPTIONS, Form
from temperfill.service.refusals import Refusal

if TYPE_CHECKING:  # torch is imported while the model is loaded, behind the first answers
    from temperfill.inpainter import Inpainter
    from temperfill.inpainter.progress import OnDraft
    from temperfill.inpainter.sources import Copies

OnProgress = Callable[[int, int], None]
T = TypeVar("T")
Hole = NDArray[np.bool_]

MOST_FILLS = 8
"""Fills of which it is kept where their pixels were copied from."""
MOST_TRACED = 8_000_000
"""Pixels of all these fills together, 12 bytes each."""
EIGHT_BITS = (".jpg", ".webp")
"""Suffixes of formats for which deeper pictures are rounded, where they are saved."""
DRAFT_PIXELS = 600_000
"""Of the picture that is shown of a hole before it is finished, about."""
DRAFT_QUALITY = 80
ARCHIVE = ".zip"
"""Suffix of several results."""
KEPT = ("icc_profile", "transparency", "jpeg")
"""Metadata of all answers: what pixels mean. Places, times, names and texts are left out unless they are asked for."""


class Draft(NamedTuple):
    """How a part of the hole will look, about.

    Attributes:
        box: top, left, bottom, right in pixels of the picture.
        content: of a WebP file, transparent outside the hole.
    """

    box: Box
    content: bytes


class Traces:
    """Where the pixels of the last fills were copied from, so that a question for sources does not fill again."""

    def __init__(self) -> None:
        self._kept: dict[str, Copies] = {}

    def keep(self, form: Form, copies: "Copies") -> None:
        """Keeps those of a form, and of the forms before it as long as they are not too many."""
        key = _key(form)
        self._kept.pop(key, None)
        self._kept[key] = copies
        while sum(copies.size for copies in self._kept.values()) > MOST_TRACED or len(self._kept) > MOST_FILLS:
            del self._kept[next(iter(self._kept))]

    def find(self, form: Form) -> "Copies | None":
        """Those of a form with the same pictures and options."""
        return self._kept.get(_key(form))


def _key(form: Form) -> str:
    """Of all that decides where pixels come from."""
    deciding = [form.fields[name] for name in ("model", *SOURCES_OPTIONS)]
    digest = hashlib.sha256(repr(deciding).encode())
    for name, file in sorted(form.files.items()):
        file.seek(0)
        digest.update(name.encode() + hashlib.sha256(file.read()).digest())
        file.seek(0)
    return digest.hexdigest()


def fill(
    inpainter: "Inpainter",
    form: Form,
    max_pixels: int,
    on_progress: OnProgress,
    keep_metadata: bool = False,
    traces: Traces | None = None,
    on_draft: "Callable[[Draft], None] | None" = None,
) -> tuple[bytes, str]:
    """A filled picture as a file in the format that was asked for, or the image's, and its suffix.

    Several seeds give a ZIP file of as many pictures, ``filled-SEED`` with their suffix.

    Args:
        inpainter: does the work.
        form: with the fields of ``INPAINT_FIELDS``.
        max_pixels: largest width times height.
        on_progress: as for ``Inpainter.complete``.
        keep_metadata: the file has all metadata that its format has a place for, as ``images.save_picture`` writes it;
            else those of ``KEPT`` alone.
        traces: keep where pixels were copied from.
        on_draft: is shown thick holes before they are finished.

    Raises:
        Refusal: the pictures are damaged or do not fit together (422), or too little memory (413).
        ValueError: a method that fails.
    """
    with refusals():
        picture, hole, sketch, avoid = _pictures(form, max_pixels)
        shown = picture if keep_metadata else plain(picture)
        path = path_for(shown, form.fields["format"] or form.suffix, form.options.layer)  # before the work
        show = None if on_draft is None else drafts(on_draft)
        options, files = form.options, []
        tries = inpainter.tries(picture, hole, sketch, options, on_progress, avoid, show)
        for seed, (filled, copies) in zip(options.seeds, tries, strict=True):
            if traces is not None:
                traces.keep(form.with_fields(seed=seed), copies)
            files.append(encoded(filled, form, path, keep_metadata))
        return answer(files, options.seeds, path.suffix)


def answer(files: list[bytes], seeds: tuple[int, ...], suffix: str) -> tuple[bytes, str]:
    """The file of the answer and its suffix: a picture, or a ZIP file of those of several seeds.

    The ZIP file compresses nothing, as pictures are compressed, and knows no time.
    """
    if len(seeds) == 1:
        return files[0], suffix
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as entries:
        for seed, content in zip(seeds, files, strict=True):
            entry = zipfile.ZipInfo(f"filled-{seed}{suffix}")
            entry.external_attr = 0o644 << 16  # permissions, without which unzip makes files that nobody may read
            entries.writestr(entry, content)
    return archive.getvalue(), ARCHIVE


def encoded(filled: images.Picture, form: Form, path: Path, keep_metadata: bool) -> bytes:
    """The file of a filled picture, with all its metadata or those of ``KEPT``."""
    fast = form.fields["format"] == LOSSLESS  # it is encoded again when it is saved
    kept = filled if keep_metadata else plain(filled)
    return images.encode_picture(kept, path, form.fields["quality"] or None, fast=fast)


def convert(form: Form, max_pixels: int, keep_metadata: bool = False, is_learned: bool = False) -> tuple[bytes, str]:
    """A picture as a file in the format that was asked for, or the original's, and its suffix.

    Args:
        form: with the parts ``CONVERT_FILES`` and the fields ``CONVERT_FIELDS``.
        max_pixels: largest width times height.
        keep_metadata: the file has all metadata of the original, or of the image where there is none; else those of
            ``KEPT`` alone.
        is_learned: a trained model made what differs from the original, and the file says so.

    Raises:
        Refusal: a damaged picture, an original that is larger than the image, or a format that cannot hold the
            picture (422).
    """
    with refusals():
        with invalid_input():
            picture = images.open_picture(form.image, max_pixels, "the image")
            original = picture
            if form.original is not None:
                original = images.open_picture(form.original, max_pixels, "the original")
        if any(was > now for was, now in zip(original.size, picture.size, strict=True)):
            raise InputError("the original is larger than the image")
        if original.mode == picture.mode:
            picture = replace(picture, info=original.info)
        if is_learned and not form.fields["unmarked"] and not np.array_equal(original.pixels, picture.pixels):
            picture = images.mark(picture)
        if form.fields["format"] in EIGHT_BITS:
            picture = picture.rounded(np.uint8)  # as was asked for
        kept = picture if keep_metadata else plain(picture)
        path = path_for(kept, form.fields["format"] or form.suffix)
        fast = form.fields["format"] == LOSSLESS  # it is encoded again when it is saved
        return images.encode_picture(kept, path, form.fields["quality"] or None, fast=fast), path.suffix


def heard(work: Callable[[], T]) -> tuple[T, list[str]]:
    """What a piece of work gave, and the warnings that it gave in this thread, each once; they are shown, too."""
    texts: list[str] = []
    thread = threading.get_ident()
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        show = warnings.showwarning

        def hear(message: Warning | str, *others: Any, **named: Any) -> None:
            if threading.get_ident() == thread:
                texts.append(str(message))
            show(message, *others, **named)

        warnings.showwarning = hear
        return work(), list(dict.fromkeys(texts))


def path_for(picture: images.Picture, suffix: str, layer: bool = False) -> Path:
    """A name with a suffix whose format holds the picture; raises Refusal where it does not."""
    if suffix == LOSSLESS:
        for suffix in (".tif",) if picture.pixels.dtype.kind == "f" else (".png", ".tif"):
            with suppress(ValueError):
                images.check_storable(picture, Path(f"the result{suffix}"), layer)
                return Path(f"the result{suffix}")
    path = Path(f"the result{suffix}")
    with invalid_input():
        images.check_storable(picture, path, layer)
    return path


def drafts(on_draft: "Callable[[Draft], None]") -> "OnDraft":
    """Makes small pictures, transparent outside the hole, of what a filling shows."""

    def show(box: Box, hole: Hole, shown: NDArray[np.float32]) -> None:
        step = max(math.ceil(math.sqrt(hole.size / DRAFT_PIXELS)), 1)
        rgb, opaque = shown[::step, ::step], hole[::step, ::step]
        pixels = np.concatenate([rgb, opaque[..., None]], 2)
        picture = images.open_picture((pixels.clip(0, 1) * 255).round().astype(np.uint8))
        on_draft(Draft(box, images.encode_picture(picture, Path("draft.webp"), DRAFT_QUALITY)))

    return show


def preview(form: Form, max_pixels: int) -> bytes:
    """The image as a PNG that browsers show: upright, with its colour profile, in sRGB where PNG has not its mode.

    Args:
        form: with an image alone.
        max_pixels: largest width times height.

    Raises:
        Refusal: the image is damaged (422), or too little memory (413).
    """
    path = Path("the preview.png")
    with refusals():
        with invalid_input():
            picture = images.open_picture(form.image, max_pixels, "the image")
        if picture.mode == "CMYK" or picture.is_deep:
            picture = images.open_picture(images.to_rgb(picture))
        picture = picture.rounded(np.uint8)
        return images.encode_picture(plain(picture), path, fast=True)


def sources(inpainter: "Inpainter", form: Form, max_pixels: int, traces: Traces | None = None) -> dict[str, Any]:
    """Where a pixel of the hole came from: the pixel that was copied, and what each head of the attention copied.

    Args:
        inpainter: does the work.
        form: with the fields of ``SOURCES_FIELDS``.
        max_pixels: largest width times height.
        traces: of earlier fills; without the one of the form, its picture is filled again.

    Raises:
        Refusal: as ``fill``, a place outside the hole, or a model that cannot tell (422).
    """
    row, column = form.fields["row"], form.fields["column"]
    with refusals():
        picture, hole, sketch, avoid = _pictures(form, max_pixels)
        copies = None if traces is None else traces.find(form)
        found = inpainter.sources(picture, hole, row, column, sketch, form.options, avoid=avoid, copies=copies)
    heads = [
        {
            "temperature": head.temperature,
            "matches": [{"box": list(match.box), "weight": match.weight} for match in head.matches],
        }
        for head in found.heads
    ]
    return {"copy": None if found.copy is None else asdict(found.copy), "heads": heads}


def warm(inpainter: "Inpainter") -> None:
    """Fills a small picture, so that the first request does not wait for what is done once."""
    pixels = np.full((128, 128, 3), 128, np.uint8)
    hole = np.zeros((128, 128), np.bool_)
    hole[48:80, 48:80] = True
    inpainter.complete(images.open_picture(pixels), hole)


def plain(picture: images.Picture) -> images.Picture:
    """The picture with no metadata but ``KEPT``, and of XMP only that a trained model filled a part of it."""
    marked = {"xmp": images.PACKET} if images.is_marked(picture) else {}
    return replace(picture, info={key: picture.info[key] for key in KEPT if key in picture.info} | marked)


def _pictures(form: Form, max_pixels: int) -> tuple[images.Picture, Hole, Hole | None, Hole | None]:
    with invalid_input():
        picture = images.open_picture(form.image, max_pixels, "the image")
        hole = images.to_mask(form.mask, picture.size, max_pixels=max_pixels, force=form.takes_any_mask)
        sketch, avoid = (
            None if file is None else images.to_mask(file, picture.size, max_pixels=max_pixels, force=True, name=name)
            for file, name in ((form.sketch, "the sketch"), (form.avoid, "what to avoid"))
        )
    return picture, hole, sketch, avoid


@contextmanager
def invalid_input() -> Iterator[None]:
    """Errors of the pictures that a client sent, as refusals."""
    try:
        yield
    except ValueError as error:
        raise _invalid(error) from None


@contextmanager
def refusals() -> Iterator[None]:
    """Errors of what does not fit together, and of too little memory, as refusals."""
    try:
        yield
    except InputError as error:
        raise _invalid(error) from None
    except (MemoryError, MemoryShortage):
        text = "the service has too little memory for this picture; send a smaller one, or a smaller hole"
        raise Refusal(413, "out_of_memory", text) from None


def _invalid(error: ValueError) -> Refusal:
    return Refusal(422, "invalid", str(error))
