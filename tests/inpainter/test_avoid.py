"""What is to be avoided, through the whole way: no weight of the attention and no source of the copies lies in it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from temperfill import images
from temperfill.attention import MHTMA
from temperfill.config import GeneratorConfig
from temperfill.inpainter import Inpainter
from temperfill.methods.ours import Ours
from temperfill.nets.generator import Generator
from temperfill.options import FillOptions


@pytest.fixture(scope="module")
def network() -> Generator:
    torch.manual_seed(0)
    return Generator(GeneratorConfig(width=4, head_dim=4, sketch=True)).eval()


@pytest.fixture(scope="module")
def inpainter(network: Generator) -> Inpainter:
    return Inpainter(Ours(network), "cpu", "fp32")


def grains(height: int, width: int) -> Any:
    return np.random.default_rng(0).integers(60, 200, (height, width, 3), np.uint8)


def case(height: int = 660, width: int = 680, across: int = 60) -> tuple[Any, Any, Any]:
    """A picture, a hole, and something to avoid on its right side."""
    mask, avoid = np.zeros((2, height, width), bool)
    mask[200 : 200 + across, 140 : 140 + across] = True
    avoid[:, 150 + across :] = True
    return grains(height, width), mask, avoid


def filled(inpainter: Inpainter, image: Any, mask: Any, **options: Any) -> Any:
    return inpainter(image, mask, output_type="np", **options)


WAYS: dict[str, dict[str, Any]] = {
    "windows": {"texture": "network"},
    "copies": {},
    "whole": {"strategy": "full", "texture": "network"},
    "scales": {"strategy": "multiscale"},
    "all of the picture seen": {"context": "full"},
}


@pytest.mark.parametrize("way", WAYS)
def test_nothing_to_avoid_changes_no_bit(inpainter: Inpainter, way: str) -> None:
    image, mask, _ = case(300, 320)
    plain = filled(inpainter, image, mask, **WAYS[way])
    for nothing in (np.zeros_like(mask), mask):  # what lies in the hole is never copied
        assert np.array_equal(filled(inpainter, image, mask, avoid=nothing, **WAYS[way]), plain)


@pytest.mark.parametrize("across", [36, 200])
@pytest.mark.parametrize("way", ["windows", "whole", "scales", "all of the picture seen"])
def test_every_call_of_the_network_leaves_it_out(
    inpainter: Inpainter, monkeypatch: pytest.MonkeyPatch, way: str, across: int
) -> None:
    """Coarse picture, refinement and detail: each key that touches it, at the size of the call, is masked."""
    seen: list[int] = []
    memorise = MHTMA.memorise

    def recorded(self: MHTMA, features: Tensor, mask: Tensor, *rest: Any, **options: Any) -> Any:
        avoid = options.get("avoid", rest[1] if len(rest) > 1 else None)
        memory = memorise(self, features, mask, avoid=avoid)  # all keys, with or without weight
        # The right side of the picture is avoided, so the last column of every window that reaches there is.
        columns = features.shape[3] - 2
        masked = memory.masked[0].view(-1, columns)
        assert avoid is not None
        touched = F.max_pool2d(avoid, 3, 1)[0, 0] > 0
        assert touched[:, -1].all()
        assert masked[touched].all()
        assert not masked.all()
        seen.append(features.shape[3])
        return memorise(self, features, mask, *rest, **options)

    monkeypatch.setattr(MHTMA, "memorise", recorded)
    image, mask, avoid = case(660, 680, across)
    filled(inpainter, image, mask, avoid=avoid, **{"texture": "network", **WAYS[way]})
    assert len(seen) >= (2 if across == 200 and way != "whole" else 1)


@pytest.mark.parametrize("options", [FillOptions(), FillOptions(texture="copy", seed=3), FillOptions(strategy="crop")])
def test_no_source_lies_in_it(inpainter: Inpainter, options: FillOptions) -> None:
    image, mask, avoid = case()
    picture = images.open_picture(image)
    _, copies = next(inpainter.tries(picture, mask, None, options, avoid=avoid))
    copied = 0
    for row in range(200, 260, 7):
        for column in range(140, 200, 7):
            copy = copies.at(row, column)
            copied += copy is not None
            assert copy is None or not (avoid | mask)[copy.row, copy.column]
    assert (copied > 0) == (options.strategy == "auto")
    warm = FillOptions(temperature=10.0, texture=options.texture, strategy=options.strategy)
    for head in inpainter.sources(picture, mask, 230, 190, None, warm, 5, avoid, copies).heads:
        for match in head.matches:
            top, left, bottom, right = match.box
            assert match.weight > 0
            assert not avoid[top:bottom, left:right].any()


def test_what_is_avoided_and_far_away_does_not_show(inpainter: Inpainter) -> None:
    """Where no convolution reaches, its content has no influence at all."""
    image, mask, avoid = case(300, 1500)
    avoid[:, :600] = False
    other = np.where(avoid[..., None], 255 - image, image)
    for options in ({"texture": "copy"}, {"strategy": "full", "texture": "network"}):
        one, two = (filled(inpainter, each, mask, avoid=avoid, **options) for each in (image, other))
        assert np.array_equal(one[mask], two[mask])
    assert not np.array_equal(*(filled(inpainter, each, mask, strategy="full")[mask] for each in (image, other)))


def test_a_feathered_rim_does_not_fade_from_it(inpainter: Inpainter) -> None:
    image, mask, avoid = case(120, 130, 40)
    mask = np.zeros_like(mask)
    mask[40:80, 50:90] = True
    avoid = np.zeros_like(mask)
    avoid[:, 90:] = True
    plain, faded = (filled(inpainter, image, mask, avoid=avoid, feather=n, texture="network") for n in (0, 6))
    assert np.array_equal(plain[60, 84:90], faded[60, 84:90])
    assert not np.array_equal(plain[60, 50:56], faded[60, 50:56])


def test_lines_and_copies_go_together(inpainter: Inpainter) -> None:
    """The network follows the lines, and the texture what the network drew."""
    image, mask, avoid = case()
    lines = np.zeros_like(mask)
    lines[200:260, 168:172] = True
    with_lines, without = (filled(inpainter, image, mask, avoid=avoid, sketch=drawn) for drawn in (lines, None))
    assert not np.array_equal(with_lines[mask], without[mask])
    assert with_lines[mask].std() > 0.7 * image.std()
    assert np.array_equal(with_lines[~mask], image[~mask])


def test_too_much_to_avoid_is_said_in_one_line(inpainter: Inpainter) -> None:
    image, mask, _ = case(300, 320)
    with pytest.raises(ValueError, match="avoid leaves nothing to copy from around the hole; avoid less"):
        filled(inpainter, image, mask, avoid=~mask)
    with pytest.raises(ValueError, match="the image is 320x300"):
        filled(inpainter, image, mask, avoid=np.ones((10, 10), bool))


def test_a_part_that_is_left_far_away_is_enough(inpainter: Inpainter) -> None:
    """Refinement, which sees less of the picture, is left out where it would have to copy from what is avoided."""
    image, mask, _ = case(1400, 1400, 400)
    avoid = np.ones_like(mask)
    avoid[1000:1300, 300:700] = False
    result = filled(inpainter, image, mask, avoid=avoid, texture="network")
    assert np.array_equal(result[~mask], image[~mask])


def test_a_method_that_cannot_avoid_refuses(tmp_path: Path) -> None:
    image, mask, avoid = case(40, 300, 20)
    mask[10:20, 10:20] = True
    with pytest.raises(ValueError, match="method telea cannot avoid a part of the picture"):
        Inpainter.from_pretrained("telea", "cpu")(image, mask, avoid=avoid)
