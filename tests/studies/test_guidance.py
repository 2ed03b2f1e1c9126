"""Guidance: lines of the truth are shown in the hole alone, and the figure tells who follows them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from temperfill import evaluate, sketch, studies
from temperfill.config import EvaluationConfig, MetricsConfig
from temperfill.geometry import SizeRule
from temperfill.methods.contract import Abilities

SIZE = 64


class Drawer:
    """Fills with white, and with the lines that it is shown in black: three pixels wide, so that they are edges."""

    name = "drawer"
    size_rule = SizeRule()
    abilities = Abilities(sketch=True)

    def __init__(self) -> None:
        self.shown: list[Any] = []

    def __call__(self, image: Tensor, mask: Tensor, sketch: Tensor | None = None, **_: Any) -> Tensor:
        self.shown.append(None if sketch is None else sketch.numpy().copy())
        if sketch is None:
            return torch.ones_like(image)
        return 1 - torch.nn.functional.max_pool2d(sketch, 3, 1, 1).expand_as(image)


class Dark:
    """Edges are where it is dark."""

    name = "dark"

    def __call__(self, rgb: Any) -> Any:
        return (rgb.mean(2) < 0.5).astype(np.float32)


@pytest.fixture
def drawer(monkeypatch: pytest.MonkeyPatch) -> Drawer:
    method = Drawer()
    entrant = evaluate.Entrant("drawer", method, "drawer", "1", baseline=False, trained=True)
    monkeypatch.setattr(evaluate, "load_entrants", lambda *_: [entrant])
    monkeypatch.setattr(sketch, "load_detector", lambda *_: Dark())
    return method


@pytest.fixture
def setting(tmp_path: Path) -> EvaluationConfig:
    """White pictures crossed by black lines, a hole in the middle of each."""
    for folder in ("lined", "masks/middle/lined"):
        (tmp_path / folder).mkdir(parents=True)
    for i in range(3):
        picture, hole = np.full((SIZE, SIZE, 3), 255, np.uint8), np.zeros((SIZE, SIZE), np.uint8)
        picture[20 + 8 * i : 23 + 8 * i] = 0
        hole[16:48, 16:48] = 255
        Image.fromarray(picture).save(tmp_path / "lined" / f"{i}.png")
        Image.fromarray(hole).save(tmp_path / "masks" / "middle" / "lined" / f"{i}.png")
    return EvaluationConfig((tmp_path / "lined",), tmp_path / "masks", size=SIZE, judge=MetricsConfig(("psnr",)))


def test_who_follows_lines_scores_with_them(drawer: Drawer, setting: EvaluationConfig, tmp_path: Path) -> None:
    data = studies.guidance("drawer", setting, tmp_path / "out", progress=False)
    lined, plain = (data["results"][label]["lined"]["middle"] for label in ("with-lines", "without-lines"))
    assert lined["lines"] > 0.95
    assert plain["lines"] == 0
    assert lined["psnr"] > plain["psnr"] + 3
    assert data["comparison"]["without-lines"]["lined"]["lines"]["verdict"] == "better"
    assert sum(shown is None for shown in drawer.shown) == 3
    for shown in (lines for lines in drawer.shown if lines is not None):
        assert shown[..., 16:48, 16:48].sum() > 20
        shown[..., 16:48, 16:48] = 0
        assert shown.sum() == 0
    text = (tmp_path / "out" / "report.md").read_text()
    assert "F1 of lines" in text
    assert (tmp_path / "out" / "with-lines" / "middle" / "lined" / "0.png").is_file()
    sheet = np.asarray(Image.open(tmp_path / "out" / "sheets" / "lined-middle.png").convert("L"))
    # The masked picture, at twice its size, shows the lines, which the truth has at the same place.
    masked, truth = (sheet[-2 * SIZE :, left : left + 2 * SIZE][40:88, 36:92] for left in (0, 3 * (2 * SIZE + 4)))
    assert (truth < 50).any()
    assert (masked[truth < 50] < 128).any()
    assert (masked > 200).any()


@pytest.mark.usefixtures("drawer")
def test_other_edges_make_other_composites(
    setting: EvaluationConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studies.guidance("drawer", setting, tmp_path / "out", progress=False)
    path = tmp_path / "out" / "with-lines" / "middle" / "lined" / "0.png"
    before = path.read_bytes()

    class Nothing(Dark):
        def __call__(self, rgb: Any) -> Any:
            return np.zeros(rgb.shape[:2], np.float32)

    monkeypatch.setattr(sketch, "load_detector", lambda *_: Nothing())
    studies.guidance("drawer", setting, tmp_path / "out", progress=False)
    assert path.read_bytes() != before


def test_a_method_without_sketches_is_refused(setting: EvaluationConfig, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="takes no sketch"):
        studies.guidance("telea", setting, tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()
