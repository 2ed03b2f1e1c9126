"""``Inpainter``: pictures of any size and kind in, the same kind out, with every known pixel kept."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from temperfill import images, regions
from temperfill.distances import nothing
from temperfill.errors import InputError
from temperfill.extras import how_to_add
from temperfill.geometry import Box
from temperfill.images import Canvas, Picture
from temperfill.inpainter.calls import Calls
from temperfill.inpainter.devices import choose_device, choose_precision
from temperfill.inpainter.filling import check_takes, load_method, on_arrays
from temperfill.inpainter.memory import shortages
from temperfill.inpainter.planes import HoledPicture
from temperfill.inpainter.prepared import Prepared
from temperfill.inpainter.progress import FillProgress, OnDraft, OnProgress
from temperfill.inpainter.sources import Copies, Origin
from temperfill.inpainter.window_filler import Drawings, WindowFiller
from temperfill.methods.contract import ArrayMethod, Cpu, Method, plain
from temperfill.options import DEFAULT_MODEL, FillOptions, Precision

if TYPE_CHECKING:
    import torch

    from temperfill.methods.contract import Plain


class Inpainter(Calls):
    """Fills holes in pictures of any size, keeping mode, depth, alpha and every known pixel.

    How large pictures are divided is said in :mod:`temperfill.inpainter.plan`.

    Args:
        method: does the work; a plain function of image and mask will do.
        device: of the tensors that it gets.
        precision: of the network's arithmetic; auto takes bf16 where the hardware computes in it and pictures have 8
            bits, else fp32.
    """

    def __init__(
        self,
        method: "Method | ArrayMethod | Plain",
        device: "str | torch.device" = "auto",
        precision: Precision = "auto",
    ) -> None:
        self.method: Method | ArrayMethod = plain(method)
        self._asked = precision
        self._place(choose_device(device))

    def _place(self, device: str) -> None:
        self.precision = choose_precision(self._asked, device)
        self._on_arrays = on_arrays(self.method, device)
        self._filler = WindowFiller(self._on_arrays, self.precision)
        self._drawings = Drawings()  # of the last fill: another try differs in the copies alone

    @property
    def device(self) -> "torch.device | Cpu":
        """Where the method is computed."""
        return self._on_arrays.device

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path = DEFAULT_MODEL,
        device: "str | torch.device" = "auto",
        precision: Precision = "auto",
    ) -> "Inpainter":
        """An inpainter for a model or method.

        Args:
            name_or_path: name of a bundled model or of a method, a weights file, the folder of a run or of
                ``save_pretrained``, or the name ``user/repository`` of a model on the Hugging Face hub.
            device: auto, cpu, cuda:N or mps.
            precision: as for the class.

        Raises:
            OSError: the file cannot be read.
            ValueError: unknown name, damaged file, or no such device.
        """
        return cls(load_method(name_or_path, device), device, precision)

    def to(self, device: "str | torch.device") -> Self:
        """Moves the work to another device, with the network if the method has one; gives the same inpainter.

        Args:
            device: auto, cpu, cuda:N or mps.

        Raises:
            ValueError: no such device, or the precision that was asked for is not for it.
        """
        chosen = choose_device(device)
        choose_precision(self._asked, chosen)
        if self.method.abilities.network is not None:
            self.method.abilities.network.to(chosen)
        self._place(chosen)
        return self

    def save_pretrained(self, folder: str | Path) -> None:
        """Writes the weights and a model card into a folder, which ``from_pretrained`` and the hub take.

        Args:
            folder: is created; a card (README.md) that is there stays.

        Raises:
            InputError: a method without a network.
            OSError: cannot be written.
        """
        network = self.method.abilities.network
        if network is None:
            remedy = f"; torch saves it: {how_to_add('torch')}" if self.method.abilities.is_learned else ""
            raise InputError(f"method {self.method.name} has no network that could be saved{remedy}")
        from temperfill.methods.saving import save_model

        save_model(network, Path(folder))

    def complete(
        self,
        picture: Picture,
        hole: NDArray[np.bool_],
        sketch: NDArray[np.bool_] | None = None,
        options: FillOptions = FillOptions(),  # noqa: B008 - frozen
        on_progress: OnProgress | None = None,
        avoid: NDArray[np.bool_] | None = None,
    ) -> Picture:
        """Fills an opened picture; ``tries`` gives it for several seeds.

        Args:
            picture: from ``images.open_picture``.
            hole: (H, W), True = missing.
            sketch: (H, W), True = line, or None.
            options: how it is filled, with one seed.
            on_progress: as for calls.
            avoid: (H, W), True = known, but nothing is copied from here, or None. The network still sees what lies
                there.

        Raises:
            InputError: a sketch, a temperature or something to avoid for a method that takes none, so much to avoid
                that nothing is left to copy from, or several seeds.
            MemoryShortage: too little memory.
            ValueError: a method that fails.
        """
        options.only_seed()
        return next(self.tries(picture, hole, sketch, options, on_progress, avoid))[0]

    def fill_canvas(
        self,
        canvas: Canvas,
        options: FillOptions = FillOptions(),  # noqa: B008 - frozen
        on_progress: OnProgress | None = None,
    ) -> Picture:
        """The larger picture, as ``canvas_tries`` gives it; raises InputError for several seeds besides."""
        options.only_seed()
        return next(self.canvas_tries(canvas, options, on_progress))

    def canvas_tries(
        self,
        canvas: Canvas,
        options: FillOptions = FillOptions(),  # noqa: B008 - frozen
        on_progress: OnProgress | None = None,
        on_draft: OnDraft | None = None,
    ) -> Iterator[Picture]:
        """Fills the new part of a larger canvas, without copying from what stands mirrored behind it.

        Args:
            canvas: from ``images.extend``.
            options: how it is filled.
            on_progress: as for calls; of all results together.
            on_draft: as for ``tries``; its boxes are those of the larger picture, and may reach beyond it.

        Yields:
            The larger picture, for each seed as for ``tries``.

        Raises:
            MemoryShortage: too little memory.
            ValueError: a method that fails.
        """
        mirrored = None if self.method.abilities.avoid is None else canvas.mirrored
        top, _, left, _ = canvas.box

        def show(box: Box, hole: NDArray[np.bool_], shown: NDArray[np.float32]) -> None:
            if on_draft is not None:
                on_draft((box[0] - top, box[1] - left, box[2] - top, box[3] - left), hole, shown)

        drafts = None if on_draft is None else show
        for filled, _ in self.tries(canvas.picture, canvas.hole, None, options, on_progress, mirrored, drafts):
            yield canvas.cut(filled)

    def tries(
        self,
        picture: Picture,
        hole: NDArray[np.bool_],
        sketch: NDArray[np.bool_] | None = None,
        options: FillOptions = FillOptions(),  # noqa: B008 - frozen
        on_progress: OnProgress | None = None,
        avoid: NDArray[np.bool_] | None = None,
        on_draft: OnDraft | None = None,
    ) -> Iterator[tuple[Picture, Copies]]:
        """Fills an opened picture once for every seed of the options, which share what the method draws.

        Each result is the one of its seed alone, bit for bit: a window is drawn anew where it sees what was copied
        into another one.

        Args:
            picture: as for ``complete``, and so are those up to ``avoid``.
            hole: (H, W).
            sketch: (H, W) or None.
            options: how it is filled.
            on_progress: as for calls; of all results together.
            avoid: (H, W) or None.
            on_draft: is shown thick holes before they are finished.

        Yields:
            The filled picture, and where its pixels were copied from, for ``sources``.
        """
        opaque = options.opaque or options.layer or picture.is_transparency(hole)
        if options.layer:
            images.check_layer(picture)
        progress = FillProgress(on_progress, on_draft=on_draft)
        hole = regions.dilate(hole, options.mask_dilate, progress.beat)
        _warn_of(hole)
        if not hole.any():
            result = images.cut_out(picture, hole) if options.layer else picture
            yield from ((result, Copies(hole.shape[1])) for _ in options.seeds)
            return
        avoid = _avoidable(avoid, hole)
        check_takes(self.method, sketch is not None, options.temperature, avoid is not None)
        shown = picture.hiding(hole)
        with shortages():
            prepared = Prepared(self._filler_for(picture), shown, hole, sketch, avoid, options, progress.beat)
        progress.total = max(prepared.steps() * len(options.seeds), 1)
        drawings, self._drawings = self._drawings, Drawings()  # taken at once, as several threads may fill
        for number, seed in enumerate(options.seeds, 1):
            copies = Copies(hole.shape[1])
            with shortages():
                drawings = prepared.fill(int(seed), progress, copies, drawings, keep=len(options.seeds) > 1)
            filled = regions.feather(prepared.canvas.rgb, prepared.rgb, hole, options.feather, avoid)
            result = self._finished(images.paste(shown, filled, hole, opaque), hole, options)
            del filled
            if number == len(options.seeds):
                del prepared  # whoever takes the result may need its memory
                self._drawings = Drawings(drawing if drawing and drawing.is_covered else None for drawing in drawings)
                progress.end()
            yield result, copies

    def _finished(self, filled: Picture, hole: NDArray[np.bool_], options: FillOptions) -> Picture:
        """The picture or its filled hole alone, and marked where it says that it was filled by a trained model."""
        filled = images.cut_out(filled, hole) if options.layer else filled
        return images.mark(filled) if self.method.abilities.is_learned and not options.unmarked else filled

    def _filler_for(self, picture: Picture) -> WindowFiller:
        """The filler; for deep pictures one in float32 unless asked otherwise, as bf16 has steps of half a byte."""
        if picture.is_deep and self._asked == "auto":
            return WindowFiller(self._on_arrays, "fp32")
        return self._filler

    def sources(
        self,
        picture: Picture,
        hole: NDArray[np.bool_],
        row: int,
        column: int,
        sketch: NDArray[np.bool_] | None = None,
        options: FillOptions = FillOptions(),  # noqa: B008 - frozen
        top: int = 8,
        avoid: NDArray[np.bool_] | None = None,
        copies: Copies | None = None,
    ) -> Origin:
        """Where a filled pixel came from.

        Where texture was copied, this is the very pixel that it was copied from. The attention tells what the method
        drew from; in a thick hole, what it drew the small picture from.

        Args:
            picture: from ``images.open_picture``.
            hole: (H, W), True = missing.
            row: of a pixel in the grown hole, from the top.
            column: from the left.
            sketch: (H, W), True = line, or None.
            options: how it is filled.
            top: patches for each head.
            avoid: (H, W), True = known, but nothing was copied from here, or None.
            copies: from ``tries`` with the same arguments; None fills the picture again as far as needed.

        Returns:
            No copy and no heads where the colours around were continued (:mod:`temperfill.inpainter.surroundings`).

        Raises:
            InputError: the pixel is not in the hole, something that the method does not take, several seeds, or nothing
                was copied to the pixel and the method has no attention that could tell.
            MemoryShortage: too little memory.
        """
        seed, hole = options.only_seed(), regions.dilate(hole, options.mask_dilate)
        height, width = hole.shape
        if not (0 <= row < height and 0 <= column < width and hole[row, column]):
            raise InputError(f"pixel at row {row}, column {column} is not in the hole")
        avoid = _avoidable(avoid, hole)
        check_takes(self.method, sketch is not None, options.temperature, avoid is not None)
        find, filler, copy = self._on_arrays.abilities.sources, self._filler_for(picture), None
        with shortages():
            prepared = Prepared(filler, picture.hiding(hole), hole, sketch, avoid, options, nothing)
            canvas = prepared.canvas
            if not canvas.hole[row, column]:
                return Origin(None, [])
            number = next(at for at, window in enumerate(prepared.windows) if window.holds((row, column)))
            window, shown = prepared.windows[number], HoledPicture(canvas.rgb.copy(), canvas.hole.copy(), sketch, avoid)
            if filler.copies(window, picture.size, options):
                if copies is None:
                    copies = Copies(width)
                    prepared.fill(
                        seed, FillProgress(None), copies, Drawings(self._drawings), keep=False, number=number + 1
                    )
                copy = copies.at(row, column)
            if find is None:
                if copy is None:
                    raise InputError(f"method {self.method.name} cannot tell where it copies from")
                return Origin(copy, [])
            return Origin(copy, filler.sources(find, shown, window, (row, column), options, top))


def _avoidable(avoid: NDArray[np.bool_] | None, hole: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """What of it lies outside the hole; None where that is nothing, which changes no bit."""
    if avoid is None:
        return None
    if avoid.shape != hole.shape:
        raise InputError(f"avoid must have the size of the picture, {hole.shape}, got {avoid.shape}")
    outside = avoid & ~hole
    return outside if outside.any() else None


def _warn_of(hole: NDArray[np.bool_]) -> None:
    share = float(hole.mean())
    if not share:
        text = "the mask is empty: nothing to fill (white marks what to fill)"
    elif share == 1:
        text = "the mask covers the whole picture: the result is invented"
    elif share > 0.95:
        text = f"{share:.1%} of the picture is to be filled: white marks what to fill; is the mask inverted?"
    else:
        return
    warnings.warn(text, UserWarning, stacklevel=4)  # where ``complete`` or the inpainter was called
