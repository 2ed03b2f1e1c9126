"""``fill``, the one guarded call of every method, and ``Inpainter``, for pictures of any size and kind."""

from temperfill.inpainter.calling import Method, choose_device, fill, load_method
from temperfill.inpainter.inpainter import Inpainter
from temperfill.inpainter.strategies import Strategy

__all__ = ["Inpainter", "Method", "Strategy", "choose_device", "fill", "load_method"]
