"""Our network without torch: convolutions by onnxruntime, the attention by numpy.

``tools/make_graphs.py`` makes the graphs of operators, into which the weights of a file are put; they serve every model
of one configuration. Each is a part of the network, so that what a hole depends on is computed alone, layer by layer
(:mod:`temperfill.methods.narrowing`). The attention is in :mod:`temperfill.methods.looking_up`.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from types import EllipsisType
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as state

from temperfill import methods, regions
from temperfill.arrays import Array, composite, maximum
from temperfill.config import GeneratorConfig, from_json, to_json
from temperfill.errors import tells_of_shortage
from temperfill.extras import cores, how_to_add
from temperfill.geometry import Box, CellSources, SizeRule
from temperfill.methods.contract import Abilities, Arithmetic, ArrayMethod
from temperfill.methods.looking_up import Memory, look_up, memory_of, spread, weigh
from temperfill.methods.narrowing import Layer, cut, narrow
from temperfill.options import DEFAULT_MODEL
from temperfill.weights_reading import method_in, parsed_config, read_arrays, read_metadata

MARGIN = 160
"""About the pixels around a hole that the convolutions need, by which boxes around holes are joined."""
WEIGHED = 2**24
"""Weights of cells that are held at once, about."""
_FOLDER = Path(__file__).parent / "graphs"


class _Listening(threading.local):
    """Who listens to the work of this thread."""

    on_step: Callable[[], None] | None = None


class Engine(ArrayMethod):
    """Our network as a method on arrays, on the CPU, in float32.

    Args:
        weights: by their names.

    Attributes:
        name: of the method.
        size_rule: sizes it takes.
        abilities: all that our network can do.
    """

    def __init__(self, weights: dict[str, NDArray[np.generic]]) -> None:
        self.name = "ours"
        self._facts = facts()
        self._stride, self._patch = int(self._facts["stride"]), int(self._facts["patch_size"])
        self.size_rule = SizeRule(self._stride, self._stride * self._patch)
        chains = ("coarse", "convolution_branch", "after", "decoder")
        self._layers = {name: [Layer(*layer) for layer in self._facts[name]] for name in chains}
        doubling = set(self._facts["doubling"])
        self._weights = {}
        for name, value in weights.items():
            layer, kind = name.rpartition(".")[::2]
            value = np.ascontiguousarray(doubled(value, kind) if layer in doubling else value, np.float32)
            self._weights[name] = onnxruntime.OrtValue.ortvalue_from_numpy(value)
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}
        self._lock = threading.Lock()
        self._listening = _Listening()
        self.abilities = Abilities(
            sketch=True,
            temperature=True,
            start=True,
            tone_drifts=True,
            colours_stray=True,
            sources=self.sources,
            avoid=self.can_copy,
            trained=True,
        )

    @contextmanager
    def computing(self, precision: Arithmetic, on_step: Callable[[], None] | None = None) -> Iterator[None]:
        """Calls ``on_step`` before every part of the network; the precision is float32."""
        self._listening.on_step = on_step
        try:
            yield
        finally:
            self._listening.on_step = None

    def __call__(
        self,
        image: Array,
        mask: Array,
        sketch: Array | None = None,
        *,
        temperature: float = 1.0,
        start: Array | None = None,
        avoid: Array | None = None,
    ) -> Array:
        """Fills the holes of a batch, as :class:`temperfill.methods.contract.Method`."""
        filled = []
        for at in range(len(image)):
            own = slice(at, at + 1)
            lines, begun, shunned = (None if plane is None else plane[own] for plane in (sketch, start, avoid))
            filled.append(self._fill(image[own], mask[own], lines, temperature, begun, shunned))
        return np.concatenate(filled).astype(image.dtype, copy=False)

    def _fill(
        self,
        image: Array,
        mask: Array,
        sketch: Array | None,
        temperature: float,
        start: Array | None,
        avoid: Array | None,
    ) -> Array:
        holes = regions.hole_boxes(mask[0, 0] > 0.5, MARGIN)
        if not holes:
            return image
        planes = self._paste(image, mask, sketch, holes, start)
        memory, heat = self._memorise(planes, avoid)
        missing, heat = maximum(mask, self._stride)[0, 0] > 0, heat * np.float32(temperature)
        needed, shown = (spread(missing, self._facts[reach]) for reach in ("attended_reach", "carried_reach"))
        attended, carried = look_up(memory, heat, needed, shown, self._listening.on_step)
        refined = np.zeros(image.shape, np.float32)
        for hole in holes:
            refined[_within(hole)] = self._decode(planes, attended, carried, hole)
        return refined

    def sources(
        self,
        image: Array,
        mask: Array,
        sketch: Array | None = None,
        *,
        temperature: float = 1.0,
        cells: NDArray[Any] | None = None,
        top: int = 4,
        start: Array | None = None,
        avoid: Array | None = None,
    ) -> CellSources[Any]:
        """Where the cells of a picture's hole are copied from, as :class:`temperfill.methods.contract.FindSources`.

        Raises:
            ValueError: a batch of several pictures.
        """
        if len(image) != 1:
            raise ValueError("sources are those of one picture")
        planes = self._paste(image, mask, sketch, regions.hole_boxes(mask[0, 0] > 0.5, MARGIN), start)
        memory, heat = self._memorise(planes, avoid)
        heat = heat * np.float32(temperature)
        asked = np.flatnonzero(maximum(mask, self._stride)) if cells is None else np.asarray(cells, np.int64)
        at_once = max(WEIGHED // (len(heat) * memory.usable.size), 1)
        weights, keys = [], []
        for first in range(0, max(len(asked), 1), at_once):
            weighed = weigh(memory, heat, asked[first : first + at_once])
            best = np.argsort(-weighed, -1, kind="stable")[..., :top]
            keys.append(best)
            weights.append(np.take_along_axis(weighed, best, -1))
        found = np.concatenate(weights, 1), np.concatenate(keys, 1)
        return CellSources(asked, *found, heat, self._stride, self._patch)

    def can_copy(self, mask: Array, avoid: Array) -> bool:
        """Whether a patch is left, in every picture, that touches neither the hole nor what is to be avoided."""
        taken = maximum(np.maximum(mask, avoid), self._stride)
        patches = np.lib.stride_tricks.sliding_window_view(taken, (self._patch, self._patch), (2, 3))
        return bool((patches.max((4, 5)) == 0).any((1, 2, 3)).all())

    def _paste(self, image: Array, mask: Array, sketch: Array | None, holes: list[Box], start: Array | None) -> Array:
        """Input of the refinement (1, 5, H, W), the pasted picture in [-1, 1] first."""
        colour = np.array(self._facts["hole_colour"], np.float32).reshape(1, 3, 1, 1)
        known = np.where(mask > 0.5, colour, image).astype(np.float32) * 2 - 1
        lines = np.zeros_like(mask) if sketch is None else sketch * mask
        planes = np.concatenate([known, mask, lines], 1, dtype=np.float32)
        coarse = self._coarse(planes, holes) if start is None else start * 2 - 1
        planes[:, :3] = composite(coarse, known, mask)
        return planes

    def _coarse(self, planes: Array, holes: list[Box]) -> Array:
        """(1, 3, H, W) in [-1, 1], in the boxes of the holes."""
        coarse = np.zeros_like(planes[:, :3])
        for hole in holes:
            narrowed = narrow(self._layers["coarse"], hole, planes.shape[2:])
            (coarse[_within(hole)],) = self._run("coarse", planes=_cut(planes, narrowed.box), pads=narrowed.pads)
        return coarse

    def _memorise(self, planes: Array, avoid: Array | None) -> tuple[Memory, Array]:
        """What is looked up, and the temperatures."""
        taken = planes[:, 3:4] if avoid is None else np.maximum(planes[:, 3:4], avoid)
        embedded, heat, detail = self._run("memorise", planes=planes)
        heads = embedded.reshape(heat.shape[1], -1, *embedded.shape[2:])
        return memory_of(heads, detail[0], maximum(taken, self._stride)[0, 0] > 0, self._patch), heat[0]

    def _decode(self, planes: Array, attended: Array, carried: Array, hole: Box) -> Array:
        """The refined picture (1, 3, h, w) in [0, 1], in the box of a hole."""
        stride, size = self._stride, planes.shape[2:]
        cells = size[0] // stride, size[1] // stride
        decoder = narrow(self._layers["decoder"], hole, cells)
        convolved = narrow(self._layers["convolution_branch"], decoder.box, size)
        after = narrow(self._layers["after"], decoder.box, cells)
        last = decoder.needed[-2]  # gets the carried detail, too
        top, left = (max(side, 0) // stride for side in last[:2])
        bottom, right = (-(-min(side, end) // stride) for side, end in zip(last[2:], size, strict=True))
        known = top * stride, left * stride, bottom * stride, right * stride
        detail = cut(known, last), cut(known, hole)
        rows = [convolved.pads, after.pads, decoder.pads[:-1], detail[0], decoder.pads[-1:], detail[1]]
        (part,) = self._run(
            "decode",
            planes=_cut(planes, convolved.box),
            attended=_cut(attended[None], after.box),
            carried=_cut(carried, (top, left, bottom, right)),
            pads=np.concatenate(rows),
        )
        return part

    def _run(self, name: str, **planes: NDArray[Any]) -> list[Any]:
        """Computes a part of the network; raises MemoryError where that is too large."""
        if self._listening.on_step is not None:
            self._listening.on_step()
        try:
            found: list[Any] = self._session(name).run(None, planes)
        except (state.Fail, state.RuntimeException) as error:
            if tells_of_shortage(error):
                raise MemoryError(str(error).splitlines()[0]) from None
            raise
        return found

    def _session(self, name: str) -> onnxruntime.InferenceSession:
        with self._lock:  # several threads may begin at once
            if name not in self._sessions:
                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads = cores()
                options.add_session_config_entry("session.set_denormal_as_zero", "1")
                share_memory()
                options.add_session_config_entry("session.use_env_allocators", "1")
                # Threads that wait by computing take the time of others.
                options.add_session_config_entry("session.intra_op.allow_spinning", "0")
                names = self._facts["weights"][name]
                options.add_external_initializers(names, [self._weights[weight] for weight in names])
                path = str(_FOLDER / f"{name}.onnx")
                self._sessions[name] = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
            return self._sessions[name]


@cache
def facts() -> dict[str, Any]:
    """What the tool that made the graphs wrote down of them."""
    found: dict[str, Any] = json.loads((_FOLDER / "facts.json").read_text(encoding="utf-8"))
    return found


@cache
def share_memory() -> None:
    """Lets the sessions of this process take memory from one store, so that one part gets what another has freed."""
    store = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    with suppress(RuntimeError):  # a program that this is a part of may have such a store
        onnxruntime.create_and_register_allocator(store, None)


def doubled(value: NDArray[np.generic], kind: str) -> NDArray[np.generic]:
    """Weights, or a bias, of :class:`temperfill.nets.layers.UpGatedConv2d` as those of the convolution in the graph.

    It gives the four results of every two by two of the input as channels: halves of the gate, lower before upper,
    right before left, channels.
    """
    halves = value.reshape(2, 1, 1, -1, *value.shape[1:]).astype(np.float32)
    if kind == "bias":
        return np.tile(halves, (1, 2, 2, 1)).reshape(-1)
    for axis, place in ((5, 1), (6, 2)):
        a, b, c = np.split(halves, 3, axis)
        first, second = np.concatenate([a, b + c], axis), np.concatenate([a + b, c], axis)
        halves = np.concatenate([second, first], place)
    return halves.reshape(-1, *halves.shape[4:])


def load(device: str = "cpu", path: Path | None = None) -> Engine:
    """The method with weights from a file.

    Args:
        device: accepted as for every method; onnxruntime computes on the CPU.
        path: of a .safetensors file; None for the bundled default.

    Raises:
        OSError: no such file, or it cannot be read.
        ValueError: damaged or foreign file, a model that needs torch, or no bundled weights.
    """
    path = methods.bundled().get(DEFAULT_MODEL) if path is None else path
    if path is None:
        raise ValueError(f"this installation has no bundled weights {DEFAULT_MODEL!r}; give a .safetensors file")
    metadata = read_metadata(path)
    found = method_in(path)
    config = None if found != "ours" else from_json(GeneratorConfig, parsed_config(metadata, path), f"{path}: config")
    if config is None or to_json(config) != facts()["config"]:
        what = f"is of the method {found}" if config is None else "has another configuration than the bundled models"
        raise ValueError(f"{path} {what}, which torch computes: {how_to_add('torch')}")
    weights = read_arrays(path, metadata)
    if missing := {name for names in facts()["weights"].values() for name in names} - weights.keys():
        raise ValueError(f"{path} does not fit its configuration: it lacks {', '.join(sorted(missing)[:3])}")
    return Engine(weights)


def _within(box: Box) -> tuple[EllipsisType, slice, slice]:
    top, left, bottom, right = box
    return ..., slice(top, bottom), slice(left, right)


def _cut(plane: Array, box: Box) -> Array:
    return np.ascontiguousarray(plane[_within(box)])
