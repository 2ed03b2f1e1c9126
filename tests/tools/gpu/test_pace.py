"""Rates follow the share of the time: they rise, fall, and leave averages that are good at any end."""

import math

import pytest

from tools.gpu.pace import ALONE, LOWEST, WARM_UP, Pace

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("total", [10.0, 600.0])
def test_the_learning_rate_rises_and_falls_with_the_share_of_the_time(total: float) -> None:
    pace = Pace(1.0, total)
    rates = [pace.learning_rate(share * total) for share in (0, WARM_UP / 2, WARM_UP, 0.25, 0.5, 0.75, 1, 2)]
    assert rates[:3] == pytest.approx([LOWEST, 0.5, 1])
    assert rates[2:7] == sorted(rates[2:7], reverse=True)
    assert rates[6:] == pytest.approx([LOWEST, LOWEST])


def test_steps_of_any_length_average_over_the_same_time() -> None:
    pace = Pace(1.0, 100.0)
    assert pace.decay(50, 2.0) == pytest.approx(pace.decay(50, 0.5) ** 4)
    assert pace.decay(50, 5.0) == pytest.approx(math.exp(-1))  # a tenth of the time so far
    assert pace.decay(0, 1.0) == pytest.approx(math.exp(-1))  # a hundredth of the whole
    assert pace.decay(50, 0.0) == 1


def test_the_discriminator_is_listened_to_later() -> None:
    pace = Pace(1.0, 100.0)
    assert not pace.listens(100 * ALONE - 0.1)
    assert pace.listens(100 * ALONE)
