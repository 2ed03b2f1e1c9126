"""The node for ComfyUI, loaded and called as ComfyUI does, which itself is a stub here: its modules and conventions."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from service.clients import tiny

FILE = Path(__file__).parents[2] / "integrations" / "comfyui" / "temperfill_nodes.py"


class InterruptProcessingException(Exception):
    """What ComfyUI raises in a node when the user stops the queue."""


class ComfyUI:
    """The part of ComfyUI that nodes see: two modules, a progress bar, and how inputs reach a node."""

    def __init__(self) -> None:
        self.bars: list[list[tuple[int, int]]] = []
        self.stops = False
        self.nodes: dict[str, Any] = {}

    def modules(self) -> dict[str, ModuleType]:
        comfy, management, utils = (ModuleType(name) for name in ("comfy", "comfy.model_management", "comfy.utils"))
        outer = self

        class ProgressBar:
            def __init__(self, total: int) -> None:
                self.steps: list[tuple[int, int]] = []
                outer.bars.append(self.steps)

            def update_absolute(self, value: int, total: int | None = None) -> None:
                self.steps.append((value, total or 0))

        def throw_exception_if_processing_interrupted() -> None:
            if self.stops:
                raise InterruptProcessingException

        management.get_torch_device = lambda: torch.device("cpu")  # type: ignore[attr-defined]
        management.throw_exception_if_processing_interrupted = throw_exception_if_processing_interrupted  # type: ignore[attr-defined]
        utils.ProgressBar = ProgressBar  # type: ignore[attr-defined]
        comfy.model_management, comfy.utils = management, utils  # type: ignore[attr-defined]
        return {"comfy": comfy, "comfy.model_management": management, "comfy.utils": utils}

    def load(self) -> Any:
        """As a single file in custom_nodes is loaded."""
        spec = importlib.util.spec_from_file_location("custom_nodes.temperfill_nodes", FILE)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self.nodes.update(module.NODE_CLASS_MAPPINGS)
        assert set(module.NODE_DISPLAY_NAME_MAPPINGS) == set(module.NODE_CLASS_MAPPINGS)
        return module

    def run(self, name: str, **linked: Any) -> Any:
        """Checks inputs by their declared types, fills in the widgets' defaults, and calls the node's function."""
        node = self.nodes[name]
        declared = node.INPUT_TYPES()
        values = {}
        for key, (kind, *rest) in declared["required"].items():
            config = rest[0] if rest else {}
            if kind in ("IMAGE", "MASK"):
                values[key] = linked.pop(key)
                continue
            value = linked.pop(key, config["default"])
            assert value in kind if isinstance(kind, list) else kind in ("INT", "FLOAT", "STRING")
            if kind in ("INT", "FLOAT"):
                assert config["min"] <= value <= config["max"]
            values[key] = value
        assert set(linked) <= set(declared["optional"])
        result = getattr(node(), node.FUNCTION)(**values, **linked)
        assert isinstance(result, tuple)
        assert len(result) == len(node.RETURN_TYPES)
        return result[0]


@pytest.fixture
def comfy(monkeypatch: pytest.MonkeyPatch) -> ComfyUI:
    comfy = ComfyUI()
    for name, module in comfy.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    nodes, inpainter = comfy.load(), tiny()
    monkeypatch.setattr(nodes, "_load", lambda model, device: inpainter)
    return comfy


def images(number: int = 2) -> torch.Tensor:
    return torch.rand(number, 40, 56, 3, generator=torch.Generator().manual_seed(0))


def masks(number: int = 1) -> torch.Tensor:
    planes = torch.zeros(number, 40, 56)
    for at in range(number):
        planes[at, 10:20, 4 + 12 * at : 14 + 12 * at] = 1
    return planes


@pytest.mark.parametrize(("pictures", "holes", "expected"), [(2, 1, 2), (2, 2, 2), (1, 3, 3)])
def test_batches_are_filled_and_known_pixels_keep_every_bit(
    comfy: ComfyUI, pictures: int, holes: int, expected: int
) -> None:
    image, mask = images(pictures), masks(holes)
    filled = comfy.run("TemperfillInpaint", image=image, mask=mask, feather=2)
    assert (filled.shape, filled.dtype) == ((expected, 40, 56, 3), torch.float32)
    assert filled.min() >= 0
    assert filled.max() <= 1
    for at in range(expected):
        before, hole = image[at % pictures], mask[at % holes] > 0.5
        assert (filled[at][~hole] == before[~hole]).all()
        assert (filled[at][hole] != before[hole]).any()
    (steps,) = comfy.bars
    assert steps == sorted(steps)
    assert steps[-1] == (1000, 1000)


def test_masks_without_a_batch_of_another_size_and_of_files_without_any(comfy: ComfyUI) -> None:
    image = images(1)
    plane = masks()[0]
    one = comfy.run("TemperfillInpaint", image=image, mask=plane)
    assert (one == comfy.run("TemperfillInpaint", image=image, mask=masks())).all()
    halved = comfy.run("TemperfillInpaint", image=image, mask=masks()[:, ::2, ::2])
    assert (halved[0][plane == 0] == image[0][plane == 0]).all()
    with pytest.warns(UserWarning, match="mask is empty"):
        same = comfy.run("TemperfillInpaint", image=image, mask=torch.zeros(1, 64, 64))
    assert (same == image).all()


def test_values_a_little_out_of_range_are_clamped_and_soft_masks_cut_at_half(comfy: ComfyUI) -> None:
    image, soft = images(1) * 1.02 - 0.01, masks() * 0.6 + 0.3
    filled = comfy.run("TemperfillInpaint", image=image, mask=soft, avoid=masks(3)[2:], model="telea")
    known = masks()[0] == 0
    assert (filled[0][known] == image.clamp(0, 1)[0][known]).all()


def test_stopping_the_queue_ends_the_fill(comfy: ComfyUI) -> None:
    comfy.stops = True
    with pytest.raises(InterruptProcessingException):
        comfy.run("TemperfillInpaint", image=images(), mask=masks())
