"""Lines thinned to one pixel (Zhang and Suen, A Fast Parallel Algorithm for Thinning Digital Patterns, 1984)."""

import numpy as np
from numpy.typing import NDArray

Lines = NDArray[np.bool_]
REMOVED = (
    "0001001300311013000000002020303300000000300000000000000020003022"
    "0000000000000000000000000000000020000000200020003000000030003020"
    "0031001300000001000000000000000131000000000000002000000000000000"
    "2313001300000001000000000000000023010001000000003301000022002000"
)
"""For each of the 256 neighbourhoods: 1 = its middle goes in the first pass of a round, 2 = in the second, 3 = in both.
As ``skeletonize`` of scikit-image does it."""
AROUND = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
"""Row and column of each neighbour, clockwise from the upper left: bit by bit of the number of a neighbourhood."""


def thin(lines: Lines) -> Lines:
    """The lines (H, W), each one pixel wide; parts stay connected."""
    height, width = lines.shape
    left = np.pad(lines, 1)
    rows, columns = np.nonzero(left)
    while True:
        before = len(rows)
        for passes in ("13", "23"):
            table = np.array([removed in passes for removed in REMOVED])
            code = np.zeros(len(rows), np.int64)
            for bit, (down, across) in enumerate(AROUND):
                code += left[rows + down - 1, columns + across - 1].astype(np.int64) << bit
            gone = table[code]
            left[rows[gone], columns[gone]] = False
            rows, columns = rows[~gone], columns[~gone]
        if len(rows) == before:
            return left[1 : height + 1, 1 : width + 1]
