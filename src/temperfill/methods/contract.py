"""What a method of inpainting is: a call on batches, and what it declares that it can do besides.

A method takes tensors of torch (:class:`Method`) or arrays of numpy (:class:`ArrayMethod`), of the same shapes and
values. Whoever fills pictures speaks to all by arrays: :mod:`temperfill.methods.on_tensors` stands between arrays and a
method on tensors. So nothing here needs torch.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Generic, Literal, NamedTuple, Protocol, runtime_checkable

from temperfill.arrays import Array
from temperfill.geometry import CellSources, P, SizeRule

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from temperfill.nets.network import Network

    Plain = Callable[[Tensor, Tensor], Tensor]
    """A function of image (B, 3, H, W) in [0, 1] and mask (B, 1, H, W), 1 = missing, that gives (B, 3, H, W)."""

ArrayFunction = Callable[[Array, Array], Array]
"""The same of arrays."""
Arithmetic = Literal["fp32", "bf16", "fp16"]
"""In which a network computes; what comes and goes is float32."""

ANY_SIZE = SizeRule()
"""Of methods that take every size."""


class Cpu(NamedTuple):
    """The device of methods that torch does not compute; named as its devices are."""

    type: str = "cpu"

    def __str__(self) -> str:
        """Its name."""
        return self.type


class FindSources(Protocol[P]):
    """Tells where a method's attention copies from."""

    def __call__(
        self,
        image: P,
        mask: P,
        sketch: P | None = None,
        *,
        temperature: float = 1.0,
        cells: P | None = None,
        top: int = 4,
        start: P | None = None,
        avoid: P | None = None,
    ) -> CellSources[P]:
        """Where the cells of a hole of one picture are copied from.

        Args:
            image: (1, 3, H, W) in [0, 1].
            mask: (1, 1, H, W), 1 = missing.
            sketch: (1, 1, H, W), 1 = line, or None.
            temperature: factor on the learned temperatures.
            cells: (N,) cells asked for, numbered row by row; None for those of the hole.
            top: sources of each.
            start: (1, 3, H, W) in [0, 1], the picture from which the method was to begin, or None.
            avoid: (1, 1, H, W), 1 = known, but nothing is copied from here; None for nowhere.
        """


@dataclass(frozen=True)
class Abilities(Generic[P]):
    """What a method can do besides filling holes.

    Attributes:
        sketch: follows a sketch of lines in the hole.
        temperature: has learned temperatures, which can be scaled.
        start: can begin from a given picture and refine it.
        tone_drifts: what it fills may be a little lighter or darker than its surroundings.
        colours_stray: what it fills may have colours that are nowhere around.
        sources: tells where its attention copies from; None if it cannot.
        avoid: copies nothing from what is to be avoided. The function takes mask and avoid, each (B, 1, H, W), and
            tells whether anything is left to copy from; None for a method that cannot avoid.
        use_less_memory: takes less memory from now on, and is False if nothing is left to do; None if it never can.
        network: that computes it, in evaluation mode; it can be moved and saved. None for a method without.
        trained: was trained on photographs, by which its pictures are marked; so is every method with a network.
    """

    sketch: bool = False
    temperature: bool = False
    start: bool = False
    tone_drifts: bool = False
    colours_stray: bool = False
    sources: FindSources[P] | None = None
    avoid: Callable[[P, P], bool] | None = None
    use_less_memory: Callable[[], bool] | None = None
    network: "Network | None" = None
    trained: bool = False

    @property
    def is_learned(self) -> bool:
        """Whether what it fills comes from a trained model."""
        return self.trained or self.network is not None


@runtime_checkable
class Method(Protocol):
    """A method of inpainting on tensors; torch computes it."""

    @property
    def name(self) -> str:
        """Short name."""

    @property
    def size_rule(self) -> SizeRule:
        """Sizes that calls must have."""

    @property
    def abilities(self) -> "Abilities[Tensor]":
        """What it can do; a call is given only what is declared here."""

    def __call__(
        self,
        image: "Tensor",
        mask: "Tensor",
        sketch: "Tensor | None" = None,
        *,
        temperature: float = 1.0,
        start: "Tensor | None" = None,
        avoid: "Tensor | None" = None,
    ) -> "Tensor":
        """Fills the holes of a batch.

        Args:
            image: (B, 3, H, W) in [0, 1]; content of the hole does not matter.
            mask: (B, 1, H, W), 1 = missing; each picture has its own.
            sketch: (B, 1, H, W), 1 = line, or None.
            temperature: factor on the learned temperatures.
            start: (B, 3, H, W) in [0, 1], the picture from which to begin, or None.
            avoid: (B, 1, H, W), 1 = known, but nothing is copied from here; None for nowhere.

        Returns:
            (B, 3, H, W) in [0, 1], not pasted, in dtype and on the device of ``image``.
        """


class ArrayMethod(ABC):
    """A method of inpainting on arrays.

    Attributes:
        name: short name.
        size_rule: sizes that calls must have.
        abilities: what it can do; a call is given only what is declared here.
        device: where it is computed.
    """

    name: str
    size_rule: SizeRule = ANY_SIZE
    abilities: Abilities[Array] = Abilities()
    device: "torch.device | Cpu" = Cpu()

    @abstractmethod
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
        """Fills the holes of a batch; arguments and result as :class:`Method`."""

    @contextmanager
    def computing(self, precision: Arithmetic, on_step: Callable[[], None] | None = None) -> Iterator[None]:
        """How it computes what is called meanwhile in this thread.

        Args:
            precision: of its network, where it can choose.
            on_step: is called now and then, as far as the method can; what it raises ends the work.
        """
        yield


class PlainMethod:
    """A function of image and mask, tensors, as a method.

    Args:
        function: does the work.
        name: of the method.
        size_rule: sizes that the function takes.
        tone_drifts: as in its abilities.
        colours_stray: likewise.
        network: that the function calls, if it calls one.

    Attributes:
        name: of the method.
        size_rule: sizes it takes.
        abilities: none that comes with a call.
    """

    def __init__(
        self,
        function: "Plain",
        name: str,
        size_rule: SizeRule = ANY_SIZE,
        tone_drifts: bool = False,
        colours_stray: bool = False,
        network: "Network | None" = None,
    ) -> None:
        self.name = name
        self.size_rule = size_rule
        self.abilities: Abilities[Tensor] = Abilities(
            tone_drifts=tone_drifts, colours_stray=colours_stray, network=network
        )
        self._function = function

    def __call__(
        self,
        image: "Tensor",
        mask: "Tensor",
        sketch: "Tensor | None" = None,
        *,
        temperature: float = 1.0,
        start: "Tensor | None" = None,
        avoid: "Tensor | None" = None,
    ) -> "Tensor":
        """Fills the holes of a batch, as :class:`Method`.

        Raises:
            ValueError: a sketch, a temperature, a start picture or something to avoid, of which the function knows
                nothing.
        """
        _refuse_more(self.name, temperature, sketch, start, avoid)
        return self._function(image, mask)


class PlainArrayMethod(ArrayMethod):
    """A function of image and mask, arrays, as a method.

    Args:
        function: does the work.
        name: of the method.
        tone_drifts: as in its abilities.
        colours_stray: likewise.
        trained: likewise.
    """

    def __init__(
        self,
        function: ArrayFunction,
        name: str,
        tone_drifts: bool = False,
        colours_stray: bool = False,
        trained: bool = False,
    ) -> None:
        self.name = name
        self.abilities = Abilities(tone_drifts=tone_drifts, colours_stray=colours_stray, trained=trained)
        self._function = function

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
        """Fills the holes of a batch; raises as :class:`PlainMethod`."""
        _refuse_more(self.name, temperature, sketch, start, avoid)
        return self._function(image, mask)


def _refuse_more(name: str, temperature: float, *planes: object) -> None:
    if temperature != 1 or any(plane is not None for plane in planes):
        raise ValueError(f"method {name} takes an image and a mask alone")


def plain(method: "Method | ArrayMethod | Plain") -> "Method | ArrayMethod":
    """A method as it is; a plain function of tensors as a method for any size, called by its name."""
    if isinstance(method, ArrayMethod | Method):
        return method
    return PlainMethod(method, method.__name__ if isinstance(method, FunctionType) else type(method).__name__)
