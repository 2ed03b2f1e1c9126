"""Dust, hairs and scratches of scans: found by NumPy and SciPy alone, as a mask that users may edit and fill."""

from temperfill.dust.finder import Dust, DustFinder

__all__ = ["Dust", "DustFinder"]
