"""Lines of the log: means over steps, and what is said of them."""

import numpy as np

from temperfill.runs.record import Interval, describe


def test_interval_gives_means_and_the_range_of_each_head() -> None:
    interval = Interval()
    interval.add({"refined": 1.0}, np.array([[0.1, 0.5], [0.3, 0.7]]), 2.0)
    interval.add({"refined": 2.0, "adversarial": 4.0}, np.array([[0.2, 0.9], [0.2, 0.5]]), 2.0)
    record = interval.record(2)
    assert record == {
        "refined": 1.5,
        "adversarial": 4.0,
        "temperature": [0.2, 0.65],
        "temperature_low": [0.1, 0.5],
        "temperature_high": [0.3, 0.9],
        "images_per_second": 1.0,
    }
    interval.clear()
    interval.add({"refined": 1 / 3}, np.zeros((2, 0)), 1.0)
    assert interval.record(4) == {"refined": 0.333333, "images_per_second": 4.0}


def test_an_interval_goes_on_after_a_stop_and_in_any_order_of_processes() -> None:
    rng = np.random.default_rng(0)
    steps = [({"refined": float(rng.random())}, rng.random((2, 3)).astype(np.float32), 0.5) for _ in range(7)]
    whole, first, second = Interval(), Interval(), Interval()
    for step in steps:
        whole.add(*step)
    for step in steps[:4]:
        first.add(*step)
    second.load(first.state())
    for step in steps[4:]:
        second.add(*step)
    assert second.record(2) == whole.record(2)
    assert whole.joined([whole.temperatures[3:], whole.temperatures[:3]]).record(2) == whole.record(2)
    empty = Interval()
    empty.load(Interval().state())
    assert empty.state() == Interval().state()


RECORD = {"step": 20, "seconds": 3.0, "refined": 0.25, "temperature": [0.1, 0.2], "images_per_second": 3.0}


def test_description_has_losses_temperatures_and_rate() -> None:
    assert describe(RECORD) == "refined 0.250 T 0.100/0.200 3.0 images/s"
    assert describe({"images_per_second": 1.0, "coarse": 2.0}) == "coarse 2.000 1.0 images/s"
