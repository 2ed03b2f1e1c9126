"""Features learnt from photographs alone: what pieces and views are, and that training finds them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from temperfill.nets.vgg import VGGFeatures
from tools import learn_features
from tools.learn_features import PIECE, TAPS, VIEW, Learner, draw_pieces, draw_views, info_nce, normalised, spoil


def photographs(count: int, side: int = 64) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (count, 8, 8, 3), np.uint8)
    return [np.asarray(Image.fromarray(c).resize((side, side), Image.Resampling.BICUBIC)) for c in coarse]


def test_spoiled_pieces_differ_and_stay_pictures() -> None:
    pieces = draw_pieces(photographs(4), 60, np.random.default_rng(1))
    spoiled = spoil(pieces, np.random.default_rng(2))
    assert pieces.shape == spoiled.shape == (60, 3, PIECE, PIECE)
    assert spoiled.min() >= 0
    assert spoiled.max() <= 1
    assert ((pieces - spoiled).abs().mean((1, 2, 3)) > 1e-4).all()


def test_views_are_parts_of_their_piece() -> None:
    piece = torch.rand(1, 3, PIECE, PIECE)
    views = draw_views(piece.expand(40, -1, -1, -1), np.random.default_rng(0))
    assert views.shape == (40, 3, VIEW, VIEW)
    parts = piece.unfold(2, VIEW, 1).unfold(3, VIEW, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, 3 * VIEW * VIEW)
    parts = torch.cat([parts, parts.reshape(-1, 3, VIEW, VIEW).flip(3).flatten(1)])
    assert (torch.corrcoef(torch.cat([views.flatten(1), parts]))[:40, 40:].max(1).values > 0.8).all()


def test_the_loss_is_least_where_rows_find_each_other() -> None:
    vectors = torch.eye(6)
    loss, found = info_nce(vectors, vectors)
    worse, lost = info_nce(vectors, vectors.roll(1, 0))
    assert (found, lost) == (1.0, 0.0)
    assert loss < worse


def test_features_have_a_mean_of_one_and_are_those_of_the_learner() -> None:
    torch.manual_seed(0)
    learner, images = Learner().eval(), draw_pieces(photographs(6), 32, np.random.default_rng(0))
    found = VGGFeatures(normalised(learner, images), narrow=True)(images)
    with torch.no_grad():
        maps = [x for index, x in zip(learn_features.INDICES, learner.maps(images), strict=True) if index in TAPS]
    for ours, x in zip(found, maps, strict=True):
        mean = x.mean((0, 2, 3))
        alive = mean > 1e-2
        torch.testing.assert_close(ours[:, alive].mean((0, 2, 3)), torch.ones(int(alive.sum())), rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(ours, x / mean.clamp(min=1e-3)[:, None, None], rtol=1e-3, atol=1e-3)


def test_a_run_writes_a_file_for_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, picture in enumerate(photographs(3)):
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
    output = tmp_path / "features.safetensors"
    words = ["learn_features.py", str(tmp_path), "--output", str(output), "--minutes", "0.001", "--batch", "4"]
    monkeypatch.setattr("sys.argv", words)
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    learn_features.main()
    assert len(load_file(output)) == 12
    assert [x.shape[1] for x in VGGFeatures.from_file(output, narrow=True)(torch.rand(1, 3, 32, 32))] == [32, 64, 128]
