"""``fill``, the one guarded call of every method, and ``Inpainter``, for pictures of any size and kind."""

from temperfill.inpainter.devices import choose_device, choose_precision
from temperfill.inpainter.filling import fill, load_method
from temperfill.inpainter.inpainter import Inpainter
from temperfill.inpainter.plan import sees_all

__all__ = [
    "Inpainter",
    "choose_device",
    "choose_precision",
    "fill",
    "load_method",
    "sees_all",
]
