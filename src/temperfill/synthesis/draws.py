"""What is drawn by chance: a Mersenne Twister, whose numbers are the same on every machine and with every numpy."""

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]


class Draws:
    """Draws one after the other; shuffles and whole numbers are those of ``torch.Generator`` with this seed.

    Args:
        seed: its lowest 32 bits count.
    """

    def __init__(self, seed: int) -> None:
        self._twister = np.random.RandomState(seed % 2**32)

    def some(self, items: Numbers, most: int) -> Numbers:
        """(n,) the first of the items (N,), shuffled; at most so many."""
        number = min(most, len(items))
        raw = self._twister.randint(0, 2**32, max(len(items) - 1, 0), np.uint32)[:number].astype(np.int64)
        places = np.arange(number)
        places[: len(raw)] += raw % (len(items) - places[: len(raw)])
        # Each place changes its item with a later one; what has never been moved is not written down.
        moved: dict[int, int] = {}
        chosen = []
        for place, other in enumerate(places.tolist()):
            chosen.append(moved.get(other, other))
            moved[other] = moved.get(place, place)
        return items[chosen]

    def numbers(self, low: int, high: int, shape: int | tuple[int, ...]) -> Numbers:
        """Whole numbers from ``low`` up to, not including, ``high``."""
        return self._twister.randint(0, 2**32, shape, np.uint32).astype(np.int64) % (high - low) + low

    def normal(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Numbers of mean 0 and deviation 1."""
        return self._twister.standard_normal(shape).astype(np.float32)
