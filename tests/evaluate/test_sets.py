"""Figures of sets: pooled over kinds, by masks and over all; means over runs; what to get for what is missing."""

from pathlib import Path

import pytest
import torch

from temperfill import metrics
from temperfill.config import MetricsConfig
from temperfill.evaluate.choose_metrics import choose_metrics
from temperfill.evaluate.sets import ALL_MASKS, SetMetrics

PIXELS = ["mae", "psnr", "ssim", "sharp"]


def vectors(number: int, seed: int) -> torch.Tensor:
    return torch.rand(number, 4, generator=torch.Generator().manual_seed(seed))


def moments(*parts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    found = metrics.Moments(4)
    for part in parts:
        found.add(part)
    return found.mean_covariance()


def test_figures_of_sets_follow_from_all_pictures() -> None:
    sets = SetMetrics(["fid", "kernel"])
    truth = vectors(9, 0)
    made = {(run, group): vectors(9, 10 * i + j) for i, run in enumerate("ab", 1) for j, group in enumerate("gh")}
    for i in range(9):
        sets.add_truth({"fid": truth[i : i + 1], "kernel": truth[i : i + 1]})
        for (run, group), part in made.items():
            sets.add("m", run, group, {"fid": part[i : i + 1], "kernel": part[i : i + 1]})
    result = sets.summary()["m"]
    assert list(result) == ["g", "h", ALL_MASKS]
    expected = {run: metrics.frechet_distance(*moments(made[run, "g"]), *moments(truth)) for run in "ab"}
    assert result["g"]["fid"] == pytest.approx(sum(expected.values()) / 2, abs=1e-6)
    assert result["g"]["fid_by_run"] == pytest.approx(expected, abs=1e-6)
    pooled = metrics.frechet_distance(*moments(made["a", "g"], made["a", "h"]), *moments(truth))
    assert result[ALL_MASKS]["fid_by_run"]["a"] == pytest.approx(pooled, abs=1e-6)
    assert [result[name]["n"] for name in result] == [9, 9, 18]
    kernel = result["h"]["kernel"]
    low, high = result["h"]["interval"]["kernel"]
    assert 0 <= low < kernel < high
    both = torch.stack([made["b", "g"], made["b", "h"]], 1)
    value = metrics.kernel_distance(both, truth, torch.zeros(1, 9, dtype=torch.int64)).value
    assert result[ALL_MASKS]["kernel_by_run"]["b"] == pytest.approx(value, abs=1e-6)


def test_without_weights_there_is_nothing_for_sets() -> None:
    assert SetMetrics([]).summary() == {}


def test_figures_are_those_whose_weights_are_there(tmp_path: Path) -> None:
    names, files, missing = choose_metrics(MetricsConfig())
    assert names == PIXELS
    assert files == {}
    assert list(missing) == ["lpips", "vgg", "squeeze", "fid", "kernel"]
    for name in ("alexnet-owt-7be5be79.pth", "alex.pth", "pt_inception-2015-12-05-6726825d.pth"):
        (tmp_path / name).touch()
    names, files, missing = choose_metrics(MetricsConfig(weights=tmp_path))
    assert set(names) == {*PIXELS, "lpips", "fid"}
    assert files["lpips"] == (tmp_path / "alexnet-owt-7be5be79.pth", tmp_path / "alex.pth")
    assert choose_metrics(MetricsConfig(metrics=("psnr", "fid"), weights=tmp_path))[0] == ["psnr", "fid"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (MetricsConfig(metrics=("fid",)), r"--inception.*pt_inception-2015-12-05-6726825d\.pth.*github"),
        (MetricsConfig(metrics=("lpips",)), r"--lpips-heads.*alexnet-owt-7be5be79\.pth.*alex\.pth"),
        (MetricsConfig(metrics=("kernel",)), "--squeezenet.*keras-squeezenet"),
        (MetricsConfig(lpips_network=Path("alexnet.pth")), "--lpips-heads"),
        (MetricsConfig(metrics=("lpisp",)), "unknown metric 'lpisp'"),
    ],
)
def test_what_is_asked_for_and_missing_is_named(
    config: MetricsConfig, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(ValueError, match=message):
        choose_metrics(config)


def test_torch_cache_is_searched_for_what_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    path = tmp_path / "checkpoints" / "pt_inception-2015-12-05-6726825d.pth"
    path.touch()
    assert choose_metrics(MetricsConfig(metrics=("fid", "mae")))[1] == {"fid": (path,)}
    with pytest.raises(ValueError, match=r"^fid: a per-picture metric is needed"):
        choose_metrics(MetricsConfig(metrics=("fid",)))
    assert choose_metrics(MetricsConfig())[0] == PIXELS
    with pytest.raises(NotADirectoryError, match="no folder of weights"):
        choose_metrics(MetricsConfig(weights=tmp_path / "absent"))
