"""Our network by onnxruntime gives what it gives by torch."""

from typing import Any

import numpy as np
import pytest

from temperfill import images
from temperfill.config import GeneratorConfig
from temperfill.errors import InputError
from temperfill.inpainter import Inpainter
from temperfill.inpainter.filling import fill_arrays, on_arrays
from temperfill.methods import bundled, engine, ours
from temperfill.methods.contract import ArrayMethod
from temperfill.nets.generator import Generator
from temperfill.systems.atma import ATMAConfig
from temperfill.systems.building import build
from temperfill.weights_files import save_generator

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def both() -> tuple[ArrayMethod, ArrayMethod]:
    return engine.load(), on_arrays(ours.load(), "cpu")


def picture() -> tuple[np.ndarray, np.ndarray]:
    """Soft colours, and two holes, of which one is at a corner."""
    rows, columns = np.mgrid[:76, :92].astype(np.float32)
    image = np.stack([np.sin(rows / 9), np.cos(columns / 7), np.sin((rows + columns) / 5)]) / 2 + 0.5
    mask = np.zeros((1, 1, 76, 92), np.float32)
    mask[..., 30:48, 41:63], mask[..., :9, :13] = 1, 1
    return image[None].astype(np.float32), mask


@pytest.mark.parametrize("asked", ["", "sketch", "start", "avoid", "temperature"])
def test_it_fills_as_torch_does(both: tuple[ArrayMethod, ArrayMethod], asked: str) -> None:
    image, mask = picture()
    plane = np.zeros_like(mask)
    plane[..., 36:38, :] = 1
    given: dict[str, Any] = {"sketch": plane, "start": 1 - image, "avoid": plane * (1 - mask), "temperature": 3.0}
    options = {asked: given[asked]} if asked else {}
    own, expected = (fill_arrays(method, image, mask, **options) for method in both)
    assert np.abs(own - expected).max() < 2e-5
    assert not asked or np.abs(own - fill_arrays(both[0], image, mask)).max() > 1e-3


def test_pictures_of_a_batch_are_filled_each_for_itself(both: tuple[ArrayMethod, ArrayMethod]) -> None:
    image, mask = (np.concatenate([plane, plane[:, :, ::-1], plane]) for plane in picture())
    mask[2] = 0
    own = both[0](image, mask)
    assert np.array_equal(own[:1], both[0](image[:1], mask[:1]))
    assert np.array_equal(own[1:2], both[0](image[1:2], mask[1:2]))
    assert np.array_equal(own[2], image[2])


def test_it_tells_the_sources_that_torch_tells(both: tuple[ArrayMethod, ArrayMethod]) -> None:
    image, mask = picture()
    for options in ({}, {"cells": np.array([200, 201, 31]), "top": 2}, {"start": 1 - image, "temperature": 2.0}):
        found = [method.abilities.sources for method in both]
        own, expected = (find(image, mask, **options) for find in found if find is not None)
        assert np.array_equal(own.cells, expected.cells)
        assert np.array_equal(own.sources, expected.sources)
        assert np.allclose(own.weights, expected.weights, atol=1e-4)
        assert np.allclose(own.temperatures, expected.temperatures)
        assert own[4:] == expected[4:]


def test_many_cells_are_weighed_in_parts(
    both: tuple[ArrayMethod, ArrayMethod], monkeypatch: pytest.MonkeyPatch
) -> None:
    image, mask = picture()
    find = both[0].abilities.sources
    assert find is not None
    whole = find(image, mask)
    monkeypatch.setattr(engine, "WEIGHED", 5000)
    assert np.array_equal(find(image, mask).sources, whole.sources)


def test_it_knows_when_nothing_is_left_to_copy(both: tuple[ArrayMethod, ArrayMethod]) -> None:
    _, mask = picture()
    for shown in ((40, 80, 50), (11, 80, 64), (12, 80, 61), (10, 0, 48), (0, 0, 12)):
        avoid = np.ones_like(mask)
        avoid[..., shown[0] : shown[0] + 12, shown[1] : shown[1] + 12] = 0
        avoid[..., :, shown[2] :] = 1
        looks = [method.abilities.avoid for method in both]
        own, expected = (look(mask, avoid) for look in looks if look is not None)
        assert own == expected


def test_whoever_listens_ends_the_work(both: tuple[ArrayMethod, ArrayMethod]) -> None:
    told: list[int] = []

    def listen() -> None:
        told.append(1)
        if len(told) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), both[0].computing("fp32", listen):
        both[0](*picture())
    assert len(told) == 3
    both[0](*picture())  # nobody listens any more
    assert len(told) == 3


def test_models_of_another_kind_are_for_torch(tmp_path: Any) -> None:
    save_generator(tmp_path / "small.safetensors", Generator(GeneratorConfig(width=4, head_dim=4)))
    save_generator(tmp_path / "other.safetensors", build(ATMAConfig(width=4)))
    for name, what in (("small", "another configuration"), ("other", "of the method atma")):
        with pytest.raises(ValueError, match=rf"{what}.*pip install 'temperfill\[torch\]'"):
            engine.load("cpu", tmp_path / f"{name}.safetensors")


def test_damaged_weights_are_refused(tmp_path: Any) -> None:
    content = bytearray(bundled()["base"].read_bytes())
    content[-1000] ^= 1
    (tmp_path / "base.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match="does not match its SHA-256"):
        engine.load("cpu", tmp_path / "base.safetensors")


def test_pictures_of_both_are_alike(both: tuple[ArrayMethod, ArrayMethod]) -> None:
    """Through all that is done around a method."""
    image, mask = picture()
    pixels, hole = (image[0].transpose(1, 2, 0) * 255).astype(np.uint8), mask[0, 0] > 0
    options: dict[str, Any] = {"output_type": "np", "strategy": "multiscale", "texture": "network"}
    own, expected = (Inpainter(method, "cpu", "fp32")(pixels, hole, **options) for method in both)
    assert np.abs(own.astype(int) - expected).max() <= 1


def test_saving_needs_torch(both: tuple[ArrayMethod, ArrayMethod], tmp_path: Any) -> None:
    with pytest.raises(InputError, match=r"no network that could be saved; torch saves it: pip install"):
        Inpainter(both[0]).save_pretrained(tmp_path)


def test_what_it_fills_is_marked_as_that_of_a_trained_model(both: tuple[ArrayMethod, ArrayMethod]) -> None:
    pixels, hole = np.full((40, 40, 3), 90, np.uint8), np.zeros((40, 40), bool)
    hole[15:25, 15:25] = True
    assert images.is_marked(Inpainter(both[0]).complete(images.open_picture(pixels), hole))
