"""The contract of every method through ``fill``: any size, any hole, each image for itself, known pixels kept."""

import warnings
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor

from temperfill import methods
from temperfill.config import GeneratorConfig
from temperfill.errors import InputError
from temperfill.geometry import SizeRule
from temperfill.inpainter import Inpainter, fill
from temperfill.methods.contract import Abilities, Method, plain
from temperfill.methods.ours import Ours
from temperfill.methods.ours import load as load_ours
from temperfill.methods.table import METHODS
from temperfill.presets import PRESETS
from temperfill.systems.atma import ATMAConfig
from temperfill.systems.building import build
from temperfill.systems.deepfillv2 import DeepFillV2Config
from temperfill.systems.lama import LamaConfig
from temperfill.systems.partialconv import PartialConvConfig
from temperfill.systems.table import BASELINES, UNTRAINED, generator_class, published
from temperfill.systems.wavefill import WaveFillConfig
from temperfill.weights_files import save_generator

CONFIGS: dict[str, Any] = {
    "ours": GeneratorConfig(width=4, head_dim=4),
    "partialconv": PartialConvConfig(width=4),
    "deepfillv2": DeepFillV2Config(width=4),
    "wavefill": WaveFillConfig(width=4),
    "atma": ATMAConfig(width=4),
    "lama": LamaConfig(width=4, blocks=1),
}
PACKAGES = {"telea": "cv2", "navier-stokes": "cv2", "patchmatch": "patchmatch"}
NAMES = [name for name in METHODS if name != "migan"]  # which needs a file of its authors: test_migan.py


GAINS = {"deepfillv2": 2.5, "atma": 2.5, "lama": 2.5}
"""Factors on the weights of networks whose output hardly depends on the picture before training."""


def lively(name: str) -> Any:
    """A random network whose output depends on the picture."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        network = build(CONFIGS[name])
        for parameter_name, parameter in network.named_parameters():
            if parameter_name.endswith("factor"):  # of attention, zero before training
                parameter.fill_(0.5)
            elif parameter.ndim == 4:
                parameter.mul_(GAINS.get(name, 1.0))
    return network


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """Gives a method, networks tiny, with random weights from a file."""
    folder = tmp_path_factory.mktemp("weights")

    def loaded(name: str) -> Any:
        if name in PACKAGES:
            pytest.importorskip(PACKAGES[name])
        if name not in CONFIGS:
            return methods.load(name)
        path = folder / f"{name}.safetensors"
        if not path.exists():
            save_generator(path, lively(name))
        return methods.load(path)

    return loaded


def pictures(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Four pictures: a hole in the middle, one at a corner, none, and nothing else."""
    noise = torch.Generator().manual_seed(height * 1000 + width)
    image = (torch.rand(4, 3, height, width, generator=noise) * 255).round() / 255
    mask = torch.zeros(4, 1, height, width)
    mask[0, :, height // 4 : height // 2 + 1, width // 3 : width // 2 + 1] = 1
    mask[1, :, : height // 3 + 1, : width // 2] = 1
    mask[3] = 1
    return image, mask


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(9, 5), (37, 50)])
def test_contract(load: Callable[[str], Any], name: str, size: tuple[int, int]) -> None:
    method = load(name)
    assert method.name == name
    image, mask = pictures(*size)
    before = image.clone(), mask.clone()
    filled = fill(method, image, mask)
    assert torch.equal(image, before[0])
    assert torch.equal(mask, before[1])
    assert filled.shape == image.shape
    assert filled.dtype == image.dtype
    assert 0 <= filled.min() <= filled.max() <= 1
    known = (mask == 0).expand_as(image)
    assert torch.equal(filled[known], image[known])
    assert torch.equal(filled[2], image[2])
    assert torch.equal(fill(method, image, mask), filled)
    other = torch.where(known, image, torch.rand_like(image))
    assert torch.equal(fill(method, other, mask)[~known], filled[~known])


@pytest.mark.parametrize("name", NAMES)
def test_each_image_is_filled_for_itself_by_its_own_mask(load: Callable[[str], Any], name: str) -> None:
    method = load(name)
    image, mask = pictures(41, 34)
    filled = fill(method, image, mask)
    singles = torch.cat([fill(method, image[i : i + 1], mask[i : i + 1]) for i in range(4)])
    order = torch.tensor([3, 1, 0, 2])
    permuted = fill(method, image[order], mask[order])
    torch.testing.assert_close(singles, filled, atol=1e-4, rtol=0)
    torch.testing.assert_close(permuted, filled[order], atol=1e-4, rtol=0)
    if name in CONFIGS:  # not a constant, which would be right everywhere above
        change = (fill(method, 1 - image, mask)[:2] - filled[:2]).abs()
        assert change[mask[:2].expand(-1, 3, -1, -1) > 0].max() > 5e-3


NETWORK = {"tone_drifts", "colours_stray", "network"}
OURS = NETWORK | {"sketch", "temperature", "start", "sources", "avoid", "use_less_memory"}
DECLARED = {
    "ours": OURS - {"sketch"},
    "ours with sketches": OURS,
    "ours without attention": NETWORK | {"start"},
}
DECLARED |= dict.fromkeys((*BASELINES, "lama"), NETWORK)
DECLARED |= {name: {"colours_stray"} for name in NAMES if name not in CONFIGS}


def declared(abilities: Abilities) -> set[str]:
    return {field.name for field in fields(abilities) if getattr(abilities, field.name)}


def varied(name: str, load: Callable[[str], Any]) -> Method:
    """A method of the tables, or our network with another configuration."""
    if name not in ("ours with sketches", "ours without attention"):
        return load(name)  # type: ignore[no-any-return]
    options: dict[str, Any] = {"sketch": True} if name == "ours with sketches" else {"attention_branch": False}
    return Ours(build(GeneratorConfig(width=4, head_dim=4, **options)).eval())  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [*NAMES, "ours with sketches", "ours without attention"])
def test_a_method_can_do_what_it_declares_and_no_more(load: Callable[[str], Any], name: str) -> None:
    method = varied(name, load)
    assert isinstance(method, Method)
    abilities = method.abilities
    assert declared(abilities) == DECLARED.get(name, set())
    image, mask = (plane[:1] for plane in pictures(64, 64))
    filled = fill(method, image, mask)
    asked: dict[str, dict[str, Any]] = {
        "sketch": {"sketch": mask},
        "temperature": {"temperature": 3.0},
        "start": {"start": 1 - image},
        "avoid": {"avoid": torch.zeros_like(mask)},
    }
    for ability, given in asked.items():
        if not getattr(abilities, ability):
            with pytest.raises(InputError, match=f"method {method.name} "):
                fill(method, image, mask, **given)
        elif ability == "start":
            assert not torch.equal(fill(method, image, mask, **given), filled)
        else:
            assert fill(method, image, mask, **given).isfinite().all()
    if abilities.sources is not None:
        found = abilities.sources(image, mask, start=1 - image, top=2)
        assert found.sources.shape[1:] == (len(found.cells), 2)
    if abilities.use_less_memory is not None:
        steps = [abilities.use_less_memory() for _ in range(4)]
        assert steps == [True, True, True, False]
        torch.testing.assert_close(fill(method, image, mask), filled, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["telea", "partialconv"])
def test_methods_of_image_and_mask_refuse_more(load: Callable[[str], Any], name: str) -> None:
    image, mask = pictures(64, 64)
    for given in ({"sketch": mask}, {"temperature": 2.0}, {"start": image}, {"avoid": mask}):
        with pytest.raises(ValueError, match=f"method {name} takes an image and a mask alone"):
            load(name)(image, mask, **given)


def half(image: Tensor, mask: Tensor) -> Tensor:
    return torch.full_like(image, 0.5)


class Half:
    def __call__(self, image: Tensor, mask: Tensor) -> Tensor:
        return half(image, mask)


@pytest.mark.parametrize(("function", "name"), [(half, "half"), (Half(), "Half")])
def test_a_plain_function_is_a_method(function: Callable[[Tensor, Tensor], Tensor], name: str) -> None:
    method = plain(function)
    assert isinstance(method, Method)
    assert plain(method) is method
    assert (method.name, method.size_rule, method.abilities) == (name, SizeRule(), Abilities())
    image, mask = pictures(9, 5)
    assert torch.equal(fill(function, image, mask), torch.where(mask > 0, 0.5, image))
    with pytest.raises(InputError, match=f"method {name} takes no sketch"):
        fill(function, image, mask, mask)


def test_an_inpainter_takes_a_plain_function() -> None:
    hole = torch.zeros(400, 500, dtype=torch.bool)
    hole[100:350, 100:400] = True
    filled = Inpainter(half, "cpu")(torch.zeros(400, 500, 3).numpy(), hole.numpy(), strategy="full", output_type="np")
    assert (filled[hole.numpy()] == 0.5).all()
    assert (filled[~hole.numpy()] == 0).all()


@pytest.mark.parametrize("name", CONFIGS)
def test_networks_hide_the_hole_themselves(load: Callable[[str], Any], name: str) -> None:
    """Not only because ``fill`` greys it."""
    method = load(name)
    side = max(method.size_rule.minimum, 24)
    image, mask = pictures(side, side)
    other = torch.where(mask > 0, torch.rand_like(image), image)
    hole = mask.expand_as(image) > 0
    assert torch.equal(method(other, mask)[hole], method(image, mask)[hole])


@pytest.mark.parametrize("name", BASELINES)
def test_trained_methods_without_weights_say_how_to_get_them(name: str) -> None:
    with pytest.raises(ValueError, match=f"temperfill train {name} --run-dir DIR"):
        methods.load(name)


def test_weights_of_another_method_are_refused(load: Callable[[str], Any], tmp_path: Path) -> None:
    load("deepfillv2")
    path = tmp_path / "weights.safetensors"
    save_generator(path, build(CONFIGS["deepfillv2"]))
    with pytest.raises(ValueError, match="holds a generator of the method deepfillv2, not of ours"):
        load_ours("cpu", path)


def test_table_knows_every_method_and_its_size() -> None:
    whole = {"ours": PRESETS["base"].generator} | {name: published(name).generator for name in BASELINES}
    whole |= {name: generator_class(name)() for name in UNTRAINED}
    assert set(whole) == set(CONFIGS) < set(METHODS)
    for name, row in METHODS.items():
        assert all((row.paper, row.terms, row.needs))
        assert callable(resolve_name(row.loader))  # without the packages that it needs
        assert ("train" in row.needs) == (name in BASELINES)
        if name not in whole:
            assert row.parameters_text == "none"
            continue
        with torch.device("meta"):
            network = build(whole[name])
        assert row.parameters == sum(parameter.numel() for parameter in network.parameters())
    for name, millions in (("partialconv", 25.8), ("deepfillv2", 4.05), ("wavefill", 49.3)):  # as published
        assert METHODS[name].parameters / 1e6 == pytest.approx(millions, rel=0.003)


STRATEGIES = ("auto", "full", "crop", "multiscale")


def _hole(kind: str, height: int, width: int, seed: int) -> np.ndarray:
    """A hole that leaves something known, if the picture has more than one pixel."""
    rng, hole = np.random.default_rng(seed), np.zeros((height, width), bool)
    if kind == "rim":
        depth = int(rng.integers(1, 9))
        hole[:depth], hole[-depth:], hole[:, :depth], hole[:, -depth:] = True, True, True, True
    elif kind == "end":
        part = rng.uniform(0.1, 0.95)
        if rng.random() < 0.5:
            hole[:, : int(part * width)] = True
        else:
            hole[-max(int(part * height), 1) :] = True
    elif kind == "middle":
        hole[height // 4 : height - height // 4, width // 4 : width - width // 4] = True
    else:
        hole = rng.random((height, width)) < 0.9
    hole.flat[int(rng.integers(hole.size))] = hole.size == 1
    return hole


def _check_plain(method: Method, height: int, width: int, kind: str, strategy: Any, seed: int) -> None:
    colour = np.random.default_rng(seed + 1).integers(0, 256, 3, np.uint8)
    image = np.broadcast_to(colour, (height, width, 3)).copy()
    hole = _hole(kind, height, width, seed)
    shown = np.where(hole[..., None], np.uint8(77), image)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of empty masks and of those that hold almost all
        result = Inpainter(method, "cpu", "fp32")(shown, hole, strategy=strategy, output_type="np")
    assert np.array_equal(result[~hole], image[~hole])
    if not hole.all():
        assert np.abs(result.astype(int) - image).max() <= 3


KINDS = st.sampled_from(["rim", "end", "middle", "most"])
SIDES = st.sampled_from([1, 2, 3, 5, 9, 12, 17, 40])


@pytest.mark.parametrize("name", NAMES)
def test_a_plain_picture_stays_plain(name: str, load: Callable[[str], Any]) -> None:
    method = load(name)

    @hypothesis.settings(max_examples=6)
    @hypothesis.given(SIDES, SIDES, KINDS, st.sampled_from(STRATEGIES), st.integers(0, 99))
    def check(height: int, width: int, kind: str, strategy: str, seed: int) -> None:
        _check_plain(method, height, width, kind, strategy, seed)

    check()


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("biharmonic", "patchmatch")])
def test_a_large_plain_picture_stays_plain(name: str, load: Callable[[str], Any]) -> None:
    """Without the two methods that take minutes for such holes, and none for others."""
    method = load(name)
    for number, (height, width) in enumerate([(1, 3000), (64, 4000), (300, 200), (900, 700), (4000, 11)]):
        for kind in ("rim", "end", "middle", "most"):
            for strategy in STRATEGIES:
                _check_plain(method, height, width, kind, strategy, number)
    _check_plain(method, 3000, 3000, "rim", "auto", 0)
    _check_plain(method, 3000, 3000, "end", "auto", 1)
