"""A line of the log of a training run: means over the steps since the last one."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Interval:
    """Means of the losses, and range of the temperatures, of the steps since the last line of the log."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.values: list[dict[str, float]] = []
        self.temperatures: list[NDArray[np.floating[Any]]] = []
        self.seconds = 0.0

    def add(self, values: dict[str, float], temperatures: NDArray[np.floating[Any]], seconds: float) -> None:
        """Adds a step.

        Args:
            values: loss terms by name.
            temperatures: (B, heads); (B, 0) without attention.
            seconds: that the step took, waiting for its pictures included.
        """
        self.values.append(values)
        self.temperatures.append(temperatures)
        self.seconds += seconds

    def joined(self, temperatures: Sequence[list[NDArray[np.floating[Any]]]]) -> "Interval":
        """The same interval with the temperatures of all processes.

        Args:
            temperatures: of each process, by step.
        """
        whole = Interval()
        whole.values, whole.seconds = self.values, self.seconds
        whole.temperatures = [x for part in temperatures for x in part]
        return whole

    def state(self) -> dict[str, Any]:
        """What a state file keeps, so that a run goes on in the middle of an interval."""
        found = [torch.from_numpy(np.concatenate(self.temperatures))] if self.temperatures else []
        return {"values": list(self.values), "temperatures": found, "seconds": self.seconds}

    def load(self, state: dict[str, Any]) -> None:
        """Takes over what :meth:`state` gave; raises ValueError for anything else."""
        values: Any = state.get("values")
        seconds: Any = state.get("seconds")
        temperatures: Any = state.get("temperatures")
        fits = isinstance(values, list) and isinstance(temperatures, list) and type(seconds) in (int, float)
        fits = fits and all(isinstance(one, dict) for one in values)
        fits = fits and all(type(value) in (int, float) for one in values for value in one.values())
        if not fits or not all(isinstance(part, Tensor) and part.dim() == 2 for part in temperatures):
            raise ValueError("it holds no interval of a log")
        self.values, self.seconds = values, float(seconds)
        self.temperatures = [part.numpy() for part in temperatures]

    def record(self, batch_size: int) -> dict[str, Any]:
        """Means by name, temperatures by head, and images per second of the steps alone; six digits.

        Sums are exact, so that neither a stop in the interval nor the number of processes changes a mean.

        Args:
            batch_size: pictures in a step.
        """
        names = dict.fromkeys(name for values in self.values for name in values)
        record: dict[str, Any] = {n: _mean([v[n] for v in self.values if n in v]) for n in names}
        found = np.concatenate(self.temperatures)
        if found.shape[1]:
            record["temperature"] = [_mean(head) for head in found.T.tolist()]
            record["temperature_low"] = found.min(0).tolist()
            record["temperature_high"] = found.max(0).tolist()
        record["images_per_second"] = len(self.values) * batch_size / max(self.seconds, 1e-9)
        return {k: [_rounded(x) for x in v] if isinstance(v, list) else _rounded(v) for k, v in record.items()}


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def describe(record: dict[str, Any]) -> str:
    """Losses, mean temperature of each head, and images per second of a record, in one line."""
    hidden = ("step", "seconds", "images_per_second", "learning_rate")
    losses = [f"{k} {v:.3f}" for k, v in record.items() if isinstance(v, float) and k not in hidden]
    temperatures = "/".join(f"{t:.3f}" for t in record.get("temperature", []))
    parts = [*losses, f"T {temperatures}" if temperatures else "", f"{record['images_per_second']:.1f} images/s"]
    return " ".join(part for part in parts if part)
