"""One window: the way from a picture to the network is short, and whoever listens can end the work within it."""

import traceback
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import temperfill
from temperfill import images
from temperfill.config import GeneratorConfig
from temperfill.inpainter import Inpainter
from temperfill.methods.ours import Ours
from temperfill.nets.generator import Generator
from temperfill.options import FillOptions

PACKAGE = str(Path(temperfill.__file__).parent)
FRAMES = 9


class Recorded(Generator):
    """Remembers which functions of the package were on the stack when it was called."""

    def forward(self, image: Tensor, *others: object) -> object:  # type: ignore[override]
        stack = [frame.name for frame in traceback.extract_stack() if frame.filename.startswith(PACKAGE)]
        self.stacks = [*getattr(self, "stacks", []), stack]
        return super().forward(image, *others)  # type: ignore[arg-type]


def thick_hole() -> tuple[np.ndarray, np.ndarray]:
    picture = np.random.default_rng(0).integers(0, 256, (400, 420, 3), np.uint8)
    hole = np.zeros((400, 420), bool)
    hole[100:300, 100:300] = True
    return picture, hole


def test_few_frames_lie_between_a_picture_and_the_network() -> None:
    torch.manual_seed(0)
    network = Recorded(GeneratorConfig(width=4, head_dim=4)).eval()
    picture, hole = thick_hole()
    Inpainter(Ours(network), "cpu", "fp32").complete(images.open_picture(picture), hole)
    assert len(network.stacks) > 1  # small, and refined
    for stack in network.stacks:
        frames = stack[stack.index("complete") :]
        assert len(frames) + 1 <= FRAMES, frames  # and the network itself, which a subclass stands for here


def test_whoever_listens_ends_the_work_between_the_sizes_of_a_window() -> None:
    class Enough(Exception):
        pass

    def listen(done: int, total: int) -> None:
        if done == 1:
            raise Enough

    torch.manual_seed(0)
    network = Recorded(GeneratorConfig(width=4, head_dim=4)).eval()
    picture, hole = thick_hole()
    with pytest.raises(Enough):
        Inpainter(Ours(network), "cpu", "fp32").complete(images.open_picture(picture), hole, on_progress=listen)
    assert len(network.stacks) == 1


def test_another_seed_draws_nothing_anew_and_another_picture_does() -> None:
    """What is copied over the drawing alone depends on the seed."""
    torch.manual_seed(0)
    network = Recorded(GeneratorConfig(width=4, head_dim=4)).eval()
    picture = np.random.default_rng(0).integers(0, 256, (120, 130, 3), np.uint8)
    hole = np.zeros((120, 130), bool)
    hole[40:64, 50:76] = True
    inpainter = Inpainter(Ours(network), "cpu", "fp32")

    def filled(image: np.ndarray, seed: int, temperature: float = 1.0) -> np.ndarray:
        options = FillOptions(texture="copy", seed=seed, temperature=temperature)
        return inpainter.complete(images.open_picture(image), hole, None, options).pixels

    first, calls = filled(picture, 0), len(network.stacks)
    second = filled(picture, 1)
    assert len(network.stacks) == calls
    assert not np.array_equal(first, second)
    fresh = Inpainter(Ours(network), "cpu", "fp32")
    options = FillOptions(texture="copy", seed=1)
    assert np.array_equal(fresh.complete(images.open_picture(picture), hole, None, options).pixels, second)
    calls = len(network.stacks)
    other = picture.copy()
    other[0, 0] ^= 1
    filled(other, 1)
    filled(picture, 1, 2.0)
    assert len(network.stacks) == calls + 2
