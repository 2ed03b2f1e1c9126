"""The network: its convolutions, the views it takes, and files that are not its weights."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from scipy import ndimage

from temperfill.dust.candidates import FEATURES, Candidate
from temperfill.dust.network import CHANNELS, FORMAT, SHAPES, SIDE, DustNetwork, Views, digest, halved, load_network


def tensors(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    made = {name: rng.normal(size=shape).astype(np.float32) / 9 for name, shape in SHAPES.items()}
    return made | {f"{name}.deviation": np.ones(FEATURES, np.float32) for name in ("glance", "look")}


def test_convolutions_are_those_of_the_books() -> None:
    network, weights = DustNetwork(tensors()), tensors()
    maps = np.random.default_rng(1).normal(size=(2, 8, 6, CHANNELS)).astype(np.float32)
    found = network._convolve(maps, "look1")
    kernels = weights["look1.weight"].reshape(3, 3, CHANNELS, 16)
    for output in (0, 15):
        parts = [
            ndimage.correlate(maps[1, ..., channel], kernels[..., channel, output], mode="constant")
            for channel in range(CHANNELS)
        ]
        wanted = np.maximum(sum(parts) + weights["look1.bias"][output], 0)
        assert np.allclose(found[1, ..., output], wanted, atol=1e-5)


def test_many_candidates_are_judged_as_each_alone() -> None:
    rng = np.random.default_rng(2)
    network = DustNetwork(tensors())
    views = list(rng.integers(0, 256, (300, SIDE, SIDE, CHANNELS), np.uint8))
    figures = rng.normal(size=(300, FEATURES)).astype(np.float32)
    together = network.look(views, figures)
    assert np.allclose(together[299], network.look(views[299:], figures[299:])[0], atol=1e-4)
    assert network.look([], figures[:0]).shape == (0,)


@pytest.mark.parametrize(("odds", "is_mirrored"), [(2.0, True), (9.0, False), (-4.0, False)])
def test_doubtful_candidates_are_looked_at_mirrored_as_well(odds: float, is_mirrored: bool) -> None:
    rng = np.random.default_rng(4)
    views = rng.integers(0, 256, (1, SIDE, SIDE, CHANNELS), np.uint8)
    figures = np.zeros((1, FEATURES), np.float32)
    weights = tensors()
    weights["look6.weight"] *= 0.3
    weights["look6.bias"] += odds - DustNetwork(weights)._look_once(views, figures)
    network = DustNetwork(weights)
    looks = [network._look_once(turned, figures)[0] for turned in _mirrored(views)]
    assert np.ptp(looks) > 1e-3
    assert network.look(list(views), figures)[0] == pytest.approx(np.mean(looks) if is_mirrored else odds, abs=1e-4)


def _mirrored(views: np.ndarray) -> list[np.ndarray]:
    return [views, views[:, ::-1], views[:, :, ::-1], views[:, ::-1, ::-1]]


def test_a_view_shows_the_candidate_and_its_surroundings_at_the_border_too() -> None:
    picture = np.random.default_rng(3).integers(0, 256, (21, 30, 3), np.uint8)  # smaller than what is mirrored
    part = np.ones((2, 4), bool)
    view = Views(picture).of(Candidate(0, 26, part))
    assert view.shape == (SIDE, SIDE, CHANNELS)
    assert (view[..., 6] == 255).sum() == part.sum()
    rows, columns = np.nonzero(view[..., 6])
    assert np.array_equal(view[rows, columns, :3], picture[0:2, 26:30].reshape(-1, 3))
    assert int(view[..., 7].astype(int).sum()) == pytest.approx(part.sum() / 4 * 255, abs=4)


def test_halving_takes_means() -> None:
    picture = np.zeros((5, 4, 3), np.uint8)
    picture[0, 0] = 200
    assert halved(picture).shape == (2, 2, 3)
    assert halved(picture)[0, 0, 0] == 50


def test_other_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    with pytest.raises(FileNotFoundError, match="no weights file"):
        load_network(path)
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="not a safetensors file"):
        load_network(path)
    save_file(tensors(), path, {"format": "other"})
    with pytest.raises(ValueError, match="no weights for dust"):
        load_network(path)
    save_file(tensors(), path, {"format": FORMAT, "sha256": digest(tensors(1))})
    with pytest.raises(ValueError, match="damaged"):
        load_network(path)
    few = {name: tensor for name, tensor in tensors().items() if name != "worth"}
    save_file(few, path, {"format": FORMAT, "sha256": digest(few)})
    with pytest.raises(ValueError, match="worth of shape None"):
        load_network(path)
    save_file(tensors(), path, {"format": FORMAT, "sha256": digest(tensors())})
    assert isinstance(load_network(path), DustNetwork)
