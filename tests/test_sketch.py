"""Sketches: each step, agreement within a tolerance, detectors at any size, files of edge networks."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load, save_file

from temperfill import sketch
from temperfill.nets.pidinet import PiDiNet, published_names
from temperfill.sketch import Agreement, Canny, Comparison, EdgeNetwork, agreement, sketch_steps, to_sketch
from temperfill.weights_reading import read_metadata


def tiny(seed: int = 0) -> PiDiNet:
    torch.manual_seed(seed)
    return PiDiNet(20).eval().requires_grad_(False)


def lines(width: int, *columns: int) -> np.ndarray:
    result = np.zeros((40, width), bool)
    result[:, list(columns)] = True
    return result


def smooth(seed: int) -> np.ndarray:
    """(48, 40) made-up edges with parts of all sizes."""
    rng = np.random.default_rng(seed)
    return np.kron(rng.random((12, 10)), np.ones((4, 4))).astype(np.float32)


@given(st.integers(0, 1000), st.floats(0.05, 1, exclude_max=True), st.integers(0, 200))
def test_each_step_only_takes_away(seed: int, threshold: float, smallest: int) -> None:
    edges = smooth(seed)
    steps = sketch_steps(edges, threshold, smallest)
    assert steps.edges is edges
    assert not (steps.thresholded & (edges <= threshold)).any()
    assert not (steps.cleaned & ~steps.thresholded).any()
    assert not (steps.skeleton & ~steps.cleaned).any()
    assert steps.skeleton.any() == steps.cleaned.any()
    assert (to_sketch(edges, threshold, smallest) == steps.skeleton).all()


def test_edges_lie_above_the_threshold() -> None:
    edges = np.full((20, 20), np.nextafter(np.float32(0.65), np.float32(1)), np.float32)
    edges[10:] = 0.65
    steps = sketch_steps(edges, 0.65, 0)
    assert steps.thresholded[:10].all()
    assert not steps.thresholded[10:].any()


def test_parts_below_the_smallest_are_removed() -> None:
    edges = np.zeros((40, 40), np.float32)
    edges[0:10, 0:10] = 1  # 100 pixels
    edges[20:30, 0:10] = 1
    edges[20, 0] = 0  # 99 pixels
    cleaned = sketch_steps(edges, min_component=100).cleaned
    assert cleaned[:10, :10].all()
    assert cleaned.sum() == 100


def test_pixels_that_touch_at_a_corner_are_connected() -> None:
    diagonal = np.eye(100, dtype=np.float32)
    assert sketch_steps(diagonal, min_component=100).cleaned.sum() == 100
    assert not sketch_steps(diagonal, min_component=101).cleaned.any()


def test_a_bar_becomes_a_line_in_its_middle() -> None:
    edges = np.zeros((60, 60), np.float32)
    edges[5:55, 28:33] = 0.9
    skeleton = to_sketch(edges)
    assert (skeleton.sum(1) <= 1).all()
    assert skeleton[10:50, 30].all()


@pytest.mark.parametrize(
    ("edges", "options", "said"),
    [
        (np.zeros((3, 4, 5), np.float32), {}, "edges must be"),
        (np.zeros((0, 4), np.float32), {}, "edges must be"),
        (np.full((4, 4), 255, np.float32), {}, "edges must be"),
        (np.full((4, 4), np.nan, np.float32), {}, "edges must be"),
        (np.zeros((4, 4), np.float32), {"threshold": 1.0}, "threshold must"),
        (np.zeros((4, 4), np.float32), {"threshold": 1.5}, "threshold must"),
        (np.zeros((4, 4), np.float32), {"min_component": -1}, "smallest part must"),
    ],
)
def test_wrong_edges_and_options_are_refused(edges: np.ndarray, options: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        sketch_steps(edges, **options)


def test_agreement_ends_at_the_tolerance() -> None:
    a = lines(60, 20)
    assert agreement(a, a, 0) == Agreement(1, 1, 1)
    assert agreement(a, lines(60, 22)) == Agreement(1, 1, 1)
    assert agreement(a, lines(60, 23)) == Agreement(0, 0, 0)
    assert agreement(a, lines(60, 23), 3).f1 == 1


def test_agreement_counts_what_was_missed_and_what_was_made_up() -> None:
    one, two = lines(60, 20), lines(60, 20, 40)
    assert agreement(one, two) == Agreement(1, 0.5, pytest.approx(2 / 3))
    assert agreement(two, one) == Agreement(0.5, 1, pytest.approx(2 / 3))


def test_agreement_with_nothing() -> None:
    nothing, one = lines(60), lines(60, 20)
    assert agreement(nothing, nothing) == Agreement(1, 1, 1)
    assert agreement(one, nothing) == agreement(nothing, one) == Agreement(0, 0, 0)


def test_agreement_counts_the_region_alone_but_finds_partners_outside() -> None:
    region = np.zeros((40, 60), bool)
    region[:, :21] = True
    assert agreement(lines(60, 20), lines(60, 22, 40), region=region) == Agreement(1, 1, 1)
    assert agreement(lines(60, 20, 50), lines(60, 19), region=region) == Agreement(1, 1, 1)
    assert agreement(lines(60, 10), lines(60, 20), region=region) == Agreement(0, 0, 0)


def test_agreement_refuses_other_arrays() -> None:
    with pytest.raises(ValueError, match="of one size"):
        agreement(lines(60, 20), lines(50, 20))
    with pytest.raises(ValueError, match="of one size"):
        agreement(lines(60, 20), lines(60, 20).astype(float))
    with pytest.raises(ValueError, match="must be bool"):
        agreement(*[np.zeros((4, 4))] * 2, region=np.zeros((4, 4)))
    with pytest.raises(ValueError, match="tolerance"):
        agreement(lines(60, 20), lines(60, 20), -1)


def test_comparison_with_itself_is_perfect() -> None:
    comparison = Comparison(0.5, 0.5, 20)
    for seed in range(3):
        found = comparison.add(smooth(seed), smooth(seed))
        assert found == {"difference": 0, "precision": 1, "recall": 1, "f1": 1}
    assert comparison.matching_threshold() == pytest.approx(0.5, abs=0.02)


def test_the_matching_threshold_undoes_another_calibration() -> None:
    comparison = Comparison(0.5, 0.5)
    for seed in range(20):
        comparison.add(smooth(seed) ** 2, smooth(seed))
    assert comparison.matching_threshold() == pytest.approx(0.25, abs=0.01)


def test_canny_finds_a_border_and_nothing_in_a_plain_picture() -> None:
    rgb = np.full((64, 64, 3), 0.2, np.float32)
    assert not Canny()(rgb).any()
    rgb[:, 32:] = 0.9
    skeleton = to_sketch(Canny()(rgb))
    rows, columns = np.nonzero(skeleton)
    assert len(rows) >= 50
    assert ((columns >= 30) & (columns <= 33)).all()


@pytest.mark.parametrize("size", [(1, 1), (7, 30), (40, 24)])
def test_networks_take_any_size(size: tuple[int, int]) -> None:
    rgb = np.random.default_rng(0).random((*size, 3), np.float32)
    edges = EdgeNetwork(tiny())(rgb)
    assert edges.shape == size
    assert edges.dtype == np.float32
    assert edges.min() >= 0
    assert edges.max() <= 1


def test_tiles_leave_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    rgb = np.random.default_rng(0).random((21, 500, 3), np.float32)
    detector = EdgeNetwork(tiny())
    whole = detector(rgb)
    monkeypatch.setattr(sketch, "TILE", 64)
    np.testing.assert_allclose(detector(rgb), whole, atol=1e-6)


def test_saved_networks_load(tmp_path: Path) -> None:
    network, path = tiny(), tmp_path / "e.safetensors"
    sketch.save_network(path, network, {"steps": "7"}, torch.float32)
    loaded, image = sketch.load_network(path), torch.rand(1, 3, 16, 16)
    assert torch.equal(loaded(image), network(image))
    assert read_metadata(path)["steps"] == "7"
    sketch.save_network(path, network)
    assert path.stat().st_size < 200_000
    loaded = sketch.load_network(path)
    assert next(loaded.parameters()).dtype == torch.float32
    assert (loaded(image) - network(image)).abs().max() < 0.01


def test_published_networks_load_too(tmp_path: Path) -> None:
    network, path = tiny(), tmp_path / "table5.safetensors"
    save_file({theirs: network.state_dict()[ours].clone() for ours, theirs in published_names().items()}, path)
    image = torch.rand(1, 3, 16, 16)
    assert torch.equal(sketch.load_network(path)(image), network(image))
    detector = sketch.load_detector(path)
    assert isinstance(detector, EdgeNetwork)
    assert detector.name == "table5"


def test_damaged_and_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "e.safetensors"
    sketch.save_network(path, tiny())
    content, metadata = path.read_bytes(), read_metadata(path)
    tensors = load(content)  # not mapped to the file, which is written anew below
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ValueError, match="does not match its SHA-256"):
        sketch.load_network(path)
    path.write_bytes(content[:100])
    with pytest.raises(ValueError, match="not a safetensors file or is damaged"):
        sketch.load_network(path)
    save_file(tensors, path, metadata | {"format": "temperfill-generator-1"})
    with pytest.raises(ValueError, match="is not an edge network"):
        sketch.load_network(path)
    config = json.dumps({"channels": 21})
    save_file(tensors, path, metadata | {"config": config, "sha256": sketch.digest(config, tensors)})
    with pytest.raises(ValueError, match="does not fit its configuration"):
        sketch.load_network(path)
    with pytest.raises(OSError, match="no edge network"):
        sketch.load_network(tmp_path / "absent.safetensors")


def test_networks_that_are_not_finite_are_not_written(tmp_path: Path) -> None:
    network = tiny()
    network.fusion.bias.fill_(torch.inf)
    with pytest.raises(ValueError, match=r"fusion\.bias"):
        sketch.save_network(tmp_path / "e.safetensors", network)
    assert not list(tmp_path.iterdir())


def test_auto_takes_the_bundled_network_or_canny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sketch, "bundled", lambda: None)
    assert sketch.load_detector().name == sketch.load_detector("canny").name == "canny"
    sketch.save_network(tmp_path / "e.safetensors", tiny())
    monkeypatch.setattr(sketch, "bundled", lambda: tmp_path / "e.safetensors")
    assert sketch.load_detector().name == "e"
    assert sketch.load_detector("canny").name == "canny"
