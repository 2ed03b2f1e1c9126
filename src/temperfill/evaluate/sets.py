"""Metrics of whole sets of pictures, gathered picture by picture."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from temperfill import metrics, report

ALL_MASKS = "all masks"
"""Name of the group that pools all masks."""

ResultKey = tuple[str, str, str]
"""Method, run, group."""


class SetMetrics:
    """FID and kernel distance of each method, run and group of masks, all kinds of pictures pooled.

    For FID only sums are kept (34 MB for each method, run and group, whatever the number of pictures); for the kernel
    distance the 512 features of every picture (2 kB for each composite).

    Args:
        names: of the metrics; a subset of ``report.SET_METRICS``.
    """

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.truth_moments = metrics.Moments(0)
        self.truth_vectors: list[Tensor] = []
        self.moments: dict[ResultKey, metrics.Moments] = {}
        self.vectors: dict[ResultKey, list[Tensor]] = {}

    def add_truth(self, vectors: dict[str, Tensor]) -> None:
        """Adds a picture: (1, d) for each metric."""
        if "fid" in self.names:
            if not self.truth_moments.count:
                self.truth_moments = metrics.Moments(vectors["fid"].shape[1])
            self.truth_moments.add(vectors["fid"])
        if "kernel" in self.names:
            self.truth_vectors.append(vectors["kernel"][0].cpu())

    def add(self, method: str, run: str, group: str, vectors: dict[str, Tensor]) -> None:
        """Adds a composite of the picture that was added last."""
        place = (method, run, group)
        if "fid" in self.names:
            self.moments.setdefault(place, metrics.Moments(vectors["fid"].shape[1])).add(vectors["fid"])
        if "kernel" in self.names:
            self.vectors.setdefault(place, []).append(vectors["kernel"][0].cpu())

    def summary(self, device: str = "cpu") -> dict[str, dict[str, dict[str, Any]]]:
        """Method to group to ``n`` (composites), ``runs``, the values, and ``interval`` of the kernel distance.

        Where there are several groups, ``all masks`` pools them. Values are means over runs. FID has no interval and
        is left out below two pictures.
        """
        result: dict[str, dict[str, dict[str, Any]]] = {}
        places = list(self.moments or self.vectors)
        groups = list(dict.fromkeys(group for _, _, group in places))
        for method in dict.fromkeys(method for method, _, _ in places):
            runs = list(dict.fromkeys(run for m, run, _ in places if m == method))
            for chosen in [[group] for group in groups] + ([groups] if len(groups) > 1 else []):
                name = chosen[0] if len(chosen) == 1 else ALL_MASKS
                result.setdefault(method, {})[name] = self._cell(method, runs, chosen, device)
        return result

    def _cell(self, method: str, runs: list[str], groups: list[str], device: str) -> dict[str, Any]:
        cell: dict[str, Any] = {"runs": len(runs), "interval": {}}
        if "fid" in self.names:
            cell["n"] = self.truth_moments.count * len(groups)
            if self.truth_moments.count > 1:
                values = [self._frechet([self.moments[method, run, group] for group in groups]) for run in runs]
                cell |= _rounded("fid", runs, values)
        if "kernel" in self.names:
            found = [self._kernel([self.vectors[method, run, group] for group in groups], device) for run in runs]
            cell["n"] = len(self.truth_vectors) * len(groups)
            cell |= _rounded("kernel", runs, [distance.value for distance in found])
            replicates = np.stack([distance.replicates.numpy() for distance in found])[..., None]
            low, high = np.percentile(report.resampled_runs(replicates), [2.5, 97.5])
            # The distance is never negative, which the moved replicates do not know.
            bounds = [round(max(float(bound), 0.0), report.DIGITS) for bound in (low, high)]
            cell["interval"] = {"kernel": bounds}
        return cell

    def _frechet(self, parts: list[metrics.Moments]) -> float:
        pooled = metrics.Moments(len(self.truth_moments.total))
        for part in parts:
            pooled.merge(part)
        return metrics.frechet_distance(*pooled.mean_covariance(), *self.truth_moments.mean_covariance())

    def _kernel(self, parts: list[list[Tensor]], device: str) -> metrics.KernelDistance:
        features = torch.stack([torch.stack(part) for part in parts], 1).to(device)
        target = torch.stack(self.truth_vectors).to(device)
        return metrics.kernel_distance(features, target, torch.from_numpy(_counts(len(target))))


def _counts(number: int) -> NDArray[np.int16]:
    """(RESAMPLES, number): how often each picture is drawn, in the resamples of every bootstrap of that many."""
    rng = np.random.default_rng(0)
    drawn = (rng.integers(0, number, number) for _ in range(report.RESAMPLES))
    return np.stack([np.bincount(row, minlength=number).astype(np.int16) for row in drawn])


def _rounded(name: str, runs: list[str], values: list[float]) -> dict[str, Any]:
    cell: dict[str, Any] = {name: round(sum(values) / len(values), report.DIGITS)}
    if len(runs) > 1:
        by_run = zip(runs, values, strict=True)
        cell[f"{name}_by_run"] = {run: round(value, report.DIGITS) for run, value in by_run}
    return cell
