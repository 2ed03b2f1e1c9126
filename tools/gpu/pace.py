"""Learning rate and averaging by the clock: what a training of a given time, not of a given number of steps, needs."""

import math
from dataclasses import dataclass

WARM_UP = 0.02
"""Share of the time over which the learning rate rises."""
LOWEST = 0.01
"""Share of the learning rate at the end."""
AVERAGED = 0.1
"""Share of the time so far over which weights are averaged, so that they are good whenever it ends."""
ALONE = 0.05
"""Share of the time in which the discriminator learns without being listened to: it starts from nothing."""


@dataclass(frozen=True)
class Pace:
    """Rates as functions of the seconds of training so far, over all sessions.

    Attributes:
        rate: highest learning rate of the generator.
        total: seconds that the whole training will take.
    """

    rate: float
    total: float

    def learning_rate(self, seconds: float) -> float:
        """Rises over the first share of the time, then falls by a cosine to a hundredth at its end."""
        share = min(seconds / self.total, 1.0)
        if share < WARM_UP:
            return self.rate * max(share / WARM_UP, LOWEST)
        fallen = (1 + math.cos(math.pi * (share - WARM_UP) / (1 - WARM_UP))) / 2
        return self.rate * (LOWEST + (1 - LOWEST) * fallen)

    def decay(self, seconds: float, step_seconds: float) -> float:
        """Of the averaged weights, for a step that took some seconds; at the very start they stay near what they were.

        The average forgets within a tenth of the time so far, and within a hundredth of the whole at least.
        """
        horizon = AVERAGED * max(seconds, AVERAGED * self.total)
        return math.exp(-step_seconds / horizon)

    def listens(self, seconds: float) -> bool:
        """Whether the generator has the adversarial term."""
        return seconds >= ALONE * self.total
