"""A picture made ready to be filled, once for all of its seeds, and what was drawn for one of them for the others."""

from collections.abc import Callable

from temperfill import images
from temperfill.images import Picture
from temperfill.inpainter.plan import divide
from temperfill.inpainter.planes import Hole, HoledPicture
from temperfill.inpainter.progress import FillProgress
from temperfill.inpainter.sources import Copies
from temperfill.inpainter.surroundings import TINY, continue_colours, rims
from temperfill.inpainter.window_filler import Drawings, WindowFiller
from temperfill.options import FillOptions

MOST_DRAWN = 8_000_000
"""Missing pixels, 12 bytes each, of the windows whose drawings are kept; that of the first is kept in any case."""


class Prepared:
    """A picture to fill, divided into windows.

    A method that drifts in tone is not asked for rims and tiny pictures: there the colours around are continued.

    Args:
        filler: of its windows.
        picture: to fill; what its hole holds is not looked at.
        hole: (H, W), True = missing; not empty.
        sketch: (H, W), True = line, or None.
        avoid: (H, W), True = known, but nothing is copied from here, or None.
        options: how it is filled.
        beat: called now and then; what it raises ends the work.

    Attributes:
        rgb: (H, W, 3) in [0, 1], the picture before it was filled.
        canvas: the picture as it is now.
        windows: to be filled one after the other.
    """

    def __init__(
        self,
        filler: WindowFiller,
        picture: Picture,
        hole: Hole,
        sketch: Hole | None,
        avoid: Hole | None,
        options: FillOptions,
        beat: Callable[[], None],
    ) -> None:
        self._filler = filler
        self._options = options
        self.rgb = images.to_rgb(picture)
        beat()
        self.canvas = HoledPicture(self.rgb.copy(), hole.copy(), sketch, avoid)
        if filler.method.abilities.tone_drifts and options.texture != "copy":
            _continue_rims(self.canvas)
        beat()
        self._missing = self.canvas.hole.copy()
        self.windows = divide(self._missing, options, beat)
        self._is_filled = False

    def steps(self) -> int:
        """Of the progress of filling all windows."""
        return sum(self._filler.steps(window, self._missing.shape, self._options) for window in self.windows)

    def fill(
        self,
        seed: int,
        progress: FillProgress,
        copies: Copies,
        drawings: Drawings,
        keep: bool,
        number: int | None = None,
    ) -> Drawings:
        """Fills the canvas anew.

        Args:
            seed: of what is copied.
            progress: of all fills.
            copies: take down what is copied.
            drawings: of an earlier fill, of any picture; emptied.
            keep: all drawings; otherwise those alone over which texture is copied.
            number: of windows to fill, from the first; None for all.

        Returns:
            What was drawn.
        """
        if self._is_filled:
            self.canvas.rgb[self._missing] = self.rgb[self._missing]
            self.canvas.hole[:] = self._missing
        self._is_filled = True
        drawn, room = Drawings(), MOST_DRAWN
        for window in self.windows[:number]:
            progress.begin(self._filler.steps(window, self._missing.shape, self._options))
            filled = self._filler.fill(self.canvas, window, self._options, seed, progress, drawings, keep)
            self.canvas.paste(window, filled.pixels)
            if filled.copied is not None:
                copies.add(window, filled.copied)
            size = 0 if filled.drawing is None else filled.drawing.values.shape[2]
            is_kept = size <= room or not drawn
            drawn.append(filled.drawing if is_kept else None)
            room -= size if is_kept else 0
        drawings.clear()
        return drawn


def _continue_rims(picture: HoledPicture) -> None:
    """Fills in, in place, what a network is not asked for; it is known from then on."""
    target = picture.hole.copy() if min(picture.hole.shape) < TINY else rims(picture.hole)
    if picture.sketch is not None:
        target &= ~picture.sketch  # lines are for the network to follow
    unusable = picture.hole if picture.avoid is None else picture.hole | picture.avoid
    continue_colours(picture.rgb, picture.hole if unusable.all() else unusable, target)
    picture.hole[target] = False
