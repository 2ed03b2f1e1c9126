"""MHTMA: fused equals reference, reference equals the formulas, masked keys get no weight, memory is linear."""

import itertools
import math
import os
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.export import Dim, export
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode

from temperfill.attention import MHTMA, fused_attention, reference_attention
from temperfill.attention.patches import key_mask, reduce_mask
from temperfill.attention.scores import attention_weights

CHANNELS, HEADS, HEAD_DIM, EXTRA = 5, 3, 4, 2
SIZE = (7, 6)
FACTOR = 4  # pixels of the mask per feature cell
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}
TEMPERATURES = (0.05, 0.07, 0.1, 0.3, 1.0, 2.0, 5.0, 10.0)
WITHOUT_MATRIX = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION]


def masks(size: tuple[int, int] = SIZE, factor: int = FACTOR) -> Tensor:
    """One of each kind: empty, full, one pixel, a block, scattered."""
    generator = torch.Generator().manual_seed(1)
    mask = torch.zeros(5, 1, size[0] * factor, size[1] * factor)
    mask[1] = 1
    mask[2, :, 2 * factor + 1, factor + 2 if factor > 2 else 1] = 1
    mask[3, :, : mask.shape[2] // 3, mask.shape[3] // 3 :] = 1
    mask[4] = (torch.rand(mask.shape[1:], generator=generator) < 0.01).float()
    return mask


def temperatures(batch: int, heads: int = HEADS) -> Tensor:
    values = itertools.islice(itertools.cycle(TEMPERATURES), batch * heads)
    return torch.tensor(list(values), dtype=torch.float64).reshape(batch, heads)


def module(dtype: torch.dtype, implementation: str, **options: Any) -> MHTMA:
    torch.manual_seed(0)
    return MHTMA(CHANNELS, HEADS, HEAD_DIM, implementation=implementation, **options).to(dtype)  # type: ignore[arg-type]


def run(
    attention: MHTMA, mask: Tensor, given_temperatures: bool, with_extra: bool, size: tuple[int, int] = SIZE
) -> dict[str, Tensor]:
    """Outputs, and gradients of a random linear function of them for everything that has one."""
    dtype = attention.project_in.weight.dtype
    generator = torch.Generator().manual_seed(2)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    inputs = {"features": draw(len(mask), CHANNELS, *size)}
    inputs["extra"] = draw(len(mask), EXTRA, *size)
    inputs["temperatures"] = temperatures(len(mask)).to(dtype)
    for tensor in inputs.values():
        tensor.requires_grad_(True)
    refined, carried = attention.attend(
        inputs["features"],
        mask.to(dtype),
        inputs["temperatures"] if given_temperatures else None,
        inputs["extra"] if with_extra else None,
    )
    results = {"refined": refined}
    if with_extra:
        assert carried is not None
        results["carried"] = carried
    loss = torch.stack([(value * draw(*value.shape)).sum() for value in results.values()]).sum()
    loss.backward()
    with torch.no_grad():  # lays queries and keys out in another way
        options = [inputs["temperatures"] if given_temperatures else None, inputs["extra"] if with_extra else None]
        again = attention.attend(inputs["features"], mask.to(dtype), *options)
        named = zip(("refined", "carried"), again, strict=True)
        results |= {f"{name} without gradient": value for name, value in named if value is not None}
    assert inputs["features"].grad is not None
    assert (inputs["extra"].grad is not None) == with_extra
    leaves = [*inputs.items(), *attention.named_parameters()]
    gradients = {f"gradient of {name}": p.grad for name, p in leaves if p.grad is not None}
    learned = [name for name in gradients if "temperature." in name]
    assert len(learned) == (0 if given_temperatures else 10)
    return {name: value.detach() for name, value in (results | gradients).items()}


def assert_equal(got: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float, absolute: bool = False) -> None:
    assert got.keys() == expected.keys()
    for name, b in expected.items():
        assert b.isfinite().all(), name
        bound = tolerance * (1 if absolute else max(1, b.abs().max().item()))
        assert (got[name] - b).abs().max().item() <= bound, name


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("masked_score_scaled", [False, True])
@pytest.mark.parametrize("given_temperatures", [True, False])
@pytest.mark.parametrize("key_stride", [1, 2])
@pytest.mark.parametrize("patch_size", range(1, 6))
def test_fused_equals_reference(
    patch_size: int, key_stride: int, given_temperatures: bool, masked_score_scaled: bool, dtype: torch.dtype
) -> None:
    options = {"patch_size": patch_size, "key_stride": key_stride, "masked_score_scaled": masked_score_scaled}
    for with_extra in (False, True):
        expected = run(module(dtype, "reference", **options), masks(), given_temperatures, with_extra)
        with sdpa_kernel(WITHOUT_MATRIX):
            got = run(module(dtype, "fused", **options), masks(), given_temperatures, with_extra)
        assert_equal(got, expected, TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("initial", TEMPERATURES)
def test_fused_equals_reference_at_any_learned_temperature(initial: float, dtype: torch.dtype) -> None:
    expected = run(module(dtype, "reference", temperature_init=initial), masks(), False, True)
    got = run(module(dtype, "fused", temperature_init=initial), masks(), False, True)
    assert_equal(got, expected, TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("masked_score_scaled", [False, True])
@pytest.mark.parametrize("key_stride", [1, 2])
@pytest.mark.parametrize("patch_size", range(1, 6))
def test_fused_equals_reference_absolutely_on_a_full_mask(
    patch_size: int, key_stride: int, masked_score_scaled: bool, dtype: torch.dtype
) -> None:
    options = {"patch_size": patch_size, "key_stride": key_stride, "masked_score_scaled": masked_score_scaled}
    mask = torch.ones(3, 1, *SIZE)
    for given_temperatures in (False, True):
        expected = run(module(dtype, "reference", **options), mask, given_temperatures, True)
        got = run(module(dtype, "fused", **options), mask, given_temperatures, True)
        assert_equal(got, expected, TOLERANCE[dtype], absolute=True)


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (2, 4), (3, 2)])
@pytest.mark.parametrize("patch_size", [3, 4, 5])
def test_fused_equals_reference_on_maps_smaller_than_the_patch(size: tuple[int, int], patch_size: int) -> None:
    mask = torch.zeros(3, 1, *size)
    mask[1], mask[2, :, 0, 0] = 1, 1
    expected = run(module(torch.float64, "reference", patch_size=patch_size), mask, True, True, size)
    got = run(module(torch.float64, "fused", patch_size=patch_size), mask, True, True, size)
    assert expected["refined"].shape == (3, CHANNELS, *size)
    assert_equal(got, expected, 1e-9)


class Looped:
    """Eqs. 7-12 for one image, number by number: features (C, h, w), mask (h, w), temperatures (heads,)."""

    def __init__(self, attention: MHTMA, features: Tensor, mask: Tensor, temperature: Tensor) -> None:
        self.attention, self.features = attention, features
        self.missing, self.temperature = mask.tolist(), temperature.tolist()
        self.height, self.width = features.shape[1:]
        self.patch_size = attention.patch_size
        self.before = (self.patch_size - 1) // 2

    def patch(self, head: int, top: int, left: int) -> list[float]:
        """The projected patch, cell by cell, zero outside the map."""
        channels = slice(head * HEAD_DIM, (head + 1) * HEAD_DIM)
        weight, bias = self.attention.project_in.weight[channels, :, 0, 0], self.attention.project_in.bias[channels]  # type: ignore[index]
        values: list[float] = []
        for y, x in itertools.product(range(top, top + self.patch_size), range(left, left + self.patch_size)):
            inside = 0 <= y < self.height and 0 <= x < self.width
            values += (weight @ self.features[:, y, x] + bias).tolist() if inside else [0.0] * HEAD_DIM
        return values

    def corners(self) -> list[tuple[int, int]]:
        """Of the key patches; a map smaller than the patch is padded to it."""
        last = [max(length, self.patch_size) - self.patch_size for length in (self.height, self.width)]
        steps = [range(0, end + 1, self.attention.key_stride) for end in last]
        return list(itertools.product(*steps))

    def touches(self, top: int, left: int) -> bool:
        rows = self.missing[top : top + self.patch_size]
        return any(value for row in rows for value in row[left : left + self.patch_size])

    def weights(self, head: int, query: list[float]) -> list[float]:
        """Of all keys, which sum to one."""
        temperature, scores = self.temperature[head], []
        for corner in self.corners():
            if self.touches(*corner):
                scores.append(self.attention.masked_score / (temperature if self.attention.masked_score_scaled else 1))
            else:
                scores.append(cosine(query, self.patch(head, *corner)) / temperature)
        powers = [math.exp(score - max(scores)) for score in scores]
        return [power / sum(powers) for power in powers]

    def head(self, head: int) -> Tensor:
        """The refined patches, rolled back and averaged by their actual count."""
        keys = torch.tensor([self.patch(head, *corner) for corner in self.corners()], dtype=torch.float64)
        total = torch.zeros(HEAD_DIM, self.height, self.width, dtype=torch.float64)
        count = torch.zeros(self.height, self.width)
        for y, x in itertools.product(range(self.height), range(self.width)):
            top, left = y - self.before, x - self.before
            weights = torch.tensor(self.weights(head, self.patch(head, top, left)), dtype=torch.float64)
            refined = (weights @ keys).reshape(self.patch_size, self.patch_size, HEAD_DIM)
            for i, j in itertools.product(range(self.patch_size), repeat=2):
                if 0 <= top + i < self.height and 0 <= left + j < self.width:
                    total[:, top + i, left + j] += refined[i, j]
                    count[top + i, left + j] += 1
        return total / count

    def output(self) -> Tensor:
        heads = torch.cat([self.head(head) for head in range(HEADS)])
        projection = self.attention.project_out
        return torch.einsum("oc,chw->ohw", projection.weight[:, :, 0, 0], heads) + projection.bias[:, None, None]  # type: ignore[index]


def cosine(a: list[float], b: list[float]) -> float:
    lengths = math.hypot(*a) * math.hypot(*b)
    return sum(x * y for x, y in zip(a, b, strict=True)) / lengths if lengths > 0 else 0.0


@pytest.mark.parametrize(
    ("patch_size", "key_stride", "size"),
    [
        (1, 1, (3, 4)),
        (1, 2, (3, 4)),
        (2, 1, (3, 4)),
        (2, 2, (4, 3)),
        (3, 1, (4, 3)),
        (3, 2, (5, 3)),
        (4, 1, (4, 5)),
        (3, 1, (2, 4)),
        (4, 1, (1, 1)),
    ],
)
@pytest.mark.parametrize(("masked_score", "scaled"), [(-10000.0, False), (-2.0, False), (-2.0, True)])
def test_reference_equals_the_formulas_in_loops(
    patch_size: int, key_stride: int, size: tuple[int, int], masked_score: float, scaled: bool
) -> None:
    options = {"masked_score": masked_score, "masked_score_scaled": scaled}
    attention = module(torch.float64, "reference", patch_size=patch_size, key_stride=key_stride, **options)
    features = torch.randn(3, CHANNELS, *size, dtype=torch.float64) * 3
    mask = torch.zeros(3, 1, *size, dtype=torch.float64)
    mask[1], mask[2, 0, 0, 0] = 1, 1
    temperature = torch.tensor([[0.05, 0.5, 10.0], [0.1, 1.0, 2.0], [3.0, 0.2, 0.7]], dtype=torch.float64)
    with torch.no_grad():
        got = attention(features, mask, temperature)
        expected = torch.stack(
            [Looped(attention, *x).output() for x in zip(features, mask[:, 0], temperature, strict=True)]
        )
    # The constant under the root of the normalisation is the only difference.
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("implementation", ["fused", "reference"])
@pytest.mark.parametrize("masked_score_scaled", [False, True])
def test_a_full_mask_gives_uniform_weights(implementation: str, masked_score_scaled: bool) -> None:
    attention = module(torch.float32, implementation, masked_score_scaled=masked_score_scaled)
    features, extra = torch.randn(2, CHANNELS, *SIZE), torch.randn(2, EXTRA, *SIZE)
    for temperature in (0.01, 0.05, 1.0, 10.0):
        given = torch.full((2, HEADS), temperature)
        refined, carried = attention.attend(features, torch.ones(2, 1, *SIZE), given, extra)
        assert carried is not None
        assert refined.isfinite().all()
        mean = extra[:, :, 1:-1, 1:-1].mean((2, 3))  # of the centres of all key patches
        torch.testing.assert_close(carried, mean[:, None, :, None, None].expand_as(carried), rtol=0, atol=1e-5)


@pytest.mark.parametrize("implementation", ["fused", "reference"])
@pytest.mark.parametrize("patch_size", [1, 2, 3, 4])
@pytest.mark.parametrize("masked_score_scaled", [False, True])
@pytest.mark.parametrize("temperature", [0.01, 0.05, 1.0, 10.0])
def test_masked_keys_get_no_weight_at_any_temperature(
    temperature: float, masked_score_scaled: bool, patch_size: int, implementation: str
) -> None:
    """What masked keys carry is changed beyond measure, and not one bit of what arrives changes."""
    attention = module(torch.float32, implementation, patch_size=patch_size, masked_score_scaled=masked_score_scaled)
    mask = masks()[[0, 2, 3]]
    features, extra = torch.randn(3, CHANNELS, *SIZE), torch.randn(3, EXTRA, *SIZE)
    touching = key_mask(reduce_mask(mask, SIZE), patch_size, 1).bool()
    assert touching.any(1).tolist() == [False, True, True]
    assert not touching.all(1).any()
    before, after = (patch_size - 1) // 2, patch_size // 2
    centre = torch.zeros(3, 1, *SIZE, dtype=torch.bool)
    inner = (slice(None), slice(None), slice(before, SIZE[0] - after), slice(before, SIZE[1] - after))
    centre[inner] = touching.reshape(centre[inner].shape)
    given = torch.full((3, HEADS), temperature)
    expected = attention.attend(features, mask, given, extra)[1]
    got = attention.attend(features, mask, given, torch.where(centre, 1e20, extra))[1]
    assert got is not None
    assert expected is not None
    assert torch.equal(got, expected)
    # The same change at keys that are valid does arrive.
    assert not torch.equal(attention.attend(features, mask, given, torch.where(centre, extra, 1e20))[1], expected)


@pytest.mark.parametrize("temperature", [1e-2, 2e-4, 1e-4, 5e-5, 1e-8, -1e-8, -1e-4])
def test_masked_keys_get_no_weight_where_all_known_ones_are_opposite(temperature: float) -> None:
    """The score of a known key is then -1 / T (1 / T where T is negative and all are equal): below lambda when cold."""
    queries = torch.ones(1, 1, 3, 4)
    known = torch.full((1, 1, 2, 4), -1.0 if temperature > 0 else 1.0)
    keys = torch.cat([known, torch.rand(1, 1, 2, 4)], 2)
    masked = torch.tensor([[0.0, 0, 1, 1]])
    values = torch.tensor([1.0, 2, 1e6, 1e6]).view(1, 1, 4, 1)
    for attend in (reference_attention, fused_attention):
        for scaled in (False, True) if temperature > 0 else (False,):
            got = attend(queries, keys, values, masked, torch.full((1, 1), temperature), masked_score_scaled=scaled)
            torch.testing.assert_close(got, torch.full_like(got, 1.5))


def test_lambda_divided_by_the_temperature_leaks_where_it_is_small() -> None:
    """Why the default is large and undivided: at T = 5 divided -10 gives keys of the hole 8 % of the weight."""
    queries, keys = torch.zeros(1, 1, 1, 3), torch.zeros(1, 1, 10, 3)
    masked = (torch.arange(10) < 4).float()[None]
    values = masked[:, None, :, None]
    for attend in (reference_attention, fused_attention):
        leaked = [
            attend(queries, keys, values, masked, torch.full((1, 1), 5.0), masked_score, scaled).item()
            for masked_score, scaled in [(-10.0, True), (-10000.0, False)]
        ]
        assert leaked[0] == pytest.approx(0.0827, abs=1e-3)
        assert leaked[1] == 0


@pytest.mark.parametrize("patch_size", [1, 2, 3])
def test_known_cells_far_from_the_hole_do_not_depend_on_its_features(patch_size: int) -> None:
    """A cell is the average of the queries whose patch covers it, and those see no further than a patch."""
    attention = module(torch.float64, "fused", patch_size=patch_size)
    size = (12, 12)
    mask = torch.zeros(1, 1, *size, dtype=torch.float64)
    mask[..., 5:7, 4:6] = 1
    features = torch.randn(1, CHANNELS, *size, dtype=torch.float64)
    changed = torch.where(mask > 0, torch.randn_like(features) * 10, features)
    given = torch.full((1, HEADS), 0.1, dtype=torch.float64)
    difference = (attention(changed, mask, given) - attention(features, mask, given)).abs().amax(1)[0]
    reach = 2 * (patch_size - 1) + 1
    near = torch.nn.functional.max_pool2d(mask, 2 * (reach // 2) + 1, 1, reach // 2)[0, 0] > 0
    assert difference[~near].max() < 1e-12
    assert difference[mask[0, 0] > 0].min() > 1e-6


@pytest.mark.parametrize("given_temperatures", [True, False])
def test_permuting_the_batch_permutes_the_output(given_temperatures: bool) -> None:
    attention = module(torch.float64, "fused")
    features, mask = torch.randn(5, CHANNELS, *SIZE, dtype=torch.float64), masks().double()
    given = temperatures(5) if given_temperatures else None
    order = torch.tensor([3, 0, 4, 1, 2])
    expected = attention(features, mask, given)[order]
    got = attention(features[order], mask[order], None if given is None else given[order])
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-12)
    alone = torch.cat([attention(*x) for x in zip(features.split(1), mask.split(1), strict=True)])
    torch.testing.assert_close(alone, attention(features, mask), rtol=0, atol=1e-12)


def test_cold_temperatures_copy_the_best_match_and_hot_ones_average() -> None:
    """A known texture that repeats: at low temperature the carried map of the hole is that of its twin."""
    attention = module(torch.float64, "fused", patch_size=1)
    features = torch.randn(1, CHANNELS, 6, 6, dtype=torch.float64)
    features[..., 4, 4] = features[..., 1, 2]
    mask, extra = torch.zeros(1, 1, 6, 6, dtype=torch.float64), torch.randn(1, 1, 6, 6, dtype=torch.float64)
    mask[..., 4, 4] = 1
    for temperature, expected in [(1e-4, extra[0, 0, 1, 2]), (1e6, extra[mask == 0].mean())]:
        given = torch.full((1, HEADS), temperature, dtype=torch.float64)
        carried = attention.attend(features, mask, given, extra)[1]
        assert carried is not None
        torch.testing.assert_close(carried[0, :, 0, 4, 4], expected.expand(HEADS), rtol=0, atol=1e-5)


def test_features_of_constant_zero_have_finite_gradients() -> None:
    for implementation in ("fused", "reference"):
        attention = module(torch.float32, implementation)
        torch.nn.init.zeros_(attention.project_in.bias)  # type: ignore[arg-type]
        features = torch.zeros(1, CHANNELS, *SIZE, requires_grad=True)
        attention(features, masks()[3:4]).square().sum().backward()
        assert features.grad is not None
        assert features.grad.isfinite().all()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in attention.parameters())


class LargestTensor(TorchDispatchMode):
    """Remembers the largest number of elements that any operation gave."""

    def __init__(self) -> None:
        super().__init__()
        self.numel = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for item in result if isinstance(result, tuple | list) else [result]:
            if isinstance(item, Tensor):
                self.numel = max(self.numel, item.untyped_storage().nbytes() // item.element_size())
        return result


@pytest.mark.parametrize("with_extra", [False, True])
def test_no_matrix_of_queries_by_keys_is_ever_allocated(with_extra: bool) -> None:
    """The same watch over the reference sees it."""
    size, numel = (48, 48), {}
    mask = torch.zeros(1, 1, *size)
    mask[..., 10:20, 10:20] = 1
    for implementation in ("fused", "reference"):
        torch.manual_seed(0)
        attention = MHTMA(6, heads=2, head_dim=4, implementation=implementation)  # type: ignore[arg-type]
        features = torch.randn(1, 6, *size, requires_grad=True)
        extra = torch.randn(1, 3, *size, requires_grad=True) if with_extra else None
        with LargestTensor() as largest:
            refined, carried = attention.attend(features, mask, extra=extra)
            (refined.sum() if carried is None else refined.sum() + carried.sum()).backward()
        numel[implementation] = largest.numel
    matrix = 48 * 48 * 46 * 46
    assert numel["reference"] >= matrix
    assert numel["fused"] < matrix / 10


PEAK_MEMORY = """
import resource, torch
from temperfill.attention import MHTMA
torch.manual_seed(0)
attention = MHTMA(16, heads=2, head_dim=4, patch_size=3)
features = torch.randn(1, 16, 128, 128, requires_grad=True)
mask = torch.zeros(1, 1, 512, 512)
mask[..., 100:300, 200:350] = 1
attention(features, mask).square().mean().backward()
assert features.grad.isfinite().all()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_peak_memory_of_forward_and_backward_at_128_by_128() -> None:
    done = subprocess.run([sys.executable, "-c", PEAK_MEMORY], capture_output=True, text=True, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) * 1024 < 1.5e9


def avoided(mask: Tensor) -> Tensor:
    """Cells to avoid besides the hole: of each image others, some of which touch the hole."""
    avoid = torch.zeros_like(mask)
    avoid[:, :, 1 : mask.shape[2] // 2, : mask.shape[3] // 2] = 1
    return avoid


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("implementation", ["fused", "reference"])
def test_what_is_avoided_gets_no_weight(implementation: str, gradient: bool, bf16: bool) -> None:
    """What avoided keys carry is changed beyond measure, and not one bit of what arrives changes."""
    attention = module(torch.float32, implementation)
    mask = masks()[[0, 2, 3]]
    avoid = avoided(mask)
    features, extra = torch.randn(3, CHANNELS, *SIZE), torch.randn(3, EXTRA, *SIZE)
    touching = key_mask(reduce_mask(torch.maximum(mask, avoid), SIZE), 3, 1).bool()
    assert not touching.all(1).any()
    assert touching.any(1).all()
    centre = torch.zeros(3, 1, *SIZE, dtype=torch.bool)
    centre[:, :, 1:-1, 1:-1] = touching.reshape(3, 1, SIZE[0] - 2, SIZE[1] - 2)
    changed = torch.where(centre, 1e20, extra)
    with torch.set_grad_enabled(gradient), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        for temperature in (0.01, 0.05, 10.0):
            given = torch.full((3, HEADS), temperature)
            expected, got = (attention.attend(features, mask, given, x, avoid)[1] for x in (extra, changed))
            assert got is not None
            assert expected is not None
            assert torch.equal(got, expected)
            without = attention.attend(features, mask, given, changed)[1]
            assert without is not None
            assert not torch.equal(without, expected)


@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("implementation", ["fused", "reference"])
def test_an_empty_avoid_changes_no_bit_and_a_full_one_is_as_a_full_hole(implementation: str, gradient: bool) -> None:
    attention = module(torch.float32, implementation)
    mask = masks()
    features, extra = torch.randn(5, CHANNELS, *SIZE), torch.randn(5, EXTRA, *SIZE)
    with torch.set_grad_enabled(gradient):
        pairs = [(mask, torch.zeros_like(mask), mask), (mask, 1 - mask, torch.ones_like(mask))]
        for hole, avoid, same in pairs:
            got = attention.attend(features, hole, None, extra, avoid)
            expected = attention.attend(features, same, None, extra)
            for a, b in zip(got, expected, strict=True):
                assert a is not None
                assert b is not None
                assert a.isfinite().all()
                assert torch.equal(a, b)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("bias", [-2.0, 0.0, 0.5])
def test_temperatures_of_either_sign_keep_masked_keys_without_weight(bias: float, dtype: torch.dtype) -> None:
    """With LeakyReLU a temperature may be negative, but never so near to zero that lambda is no low score."""
    mask = masks()[2:4]
    found = []
    for implementation in ("reference", "fused"):
        attention = module(dtype, implementation, temperature="leaky_relu")
        torch.nn.init.constant_(attention.temperature.linear.bias, bias)  # type: ignore[arg-type, union-attr]
        found.append(run(attention, mask, False, False))
        features = torch.randn(2, CHANNELS, *SIZE, dtype=dtype, generator=torch.Generator().manual_seed(3))
        temperatures = attention.temperatures(features)
        assert (temperatures.abs() >= 1e-3).all()
        assert bool((temperatures < 0).all()) == (bias < -1)
        memory = attention.memorise(features, mask.to(dtype))
        weights = attention_weights(memory.keys, memory.keys, memory.masked, temperatures)
        assert 0 < memory.masked.mean() < 1
        assert (weights * memory.masked[:, None, None]).max() == 0
    assert_equal(found[1], found[0], 1e-3 if dtype is torch.float32 else TOLERANCE[dtype])


@pytest.mark.slow
def test_torch_exports_it_for_free_sizes() -> None:
    attention = MHTMA(8, head_dim=4).eval()
    rows, columns = Dim("rows", min=18), Dim("columns", min=18)  # its temperature network halves them four times
    sizes = {2: rows, 3: columns}
    features, mask = torch.rand(1, 8, 24, 28), torch.zeros(1, 1, 24, 28)
    with torch.no_grad():
        program = export(attention, (features, mask), dynamic_shapes={"features": sizes, "mask": sizes})
        other, hole = torch.rand(1, 8, 31, 19), torch.zeros(1, 1, 31, 19)
        hole[:, :, 4:12, 5:9] = 1
        torch.testing.assert_close(program.module()(other, hole), attention(other, hole), atol=1e-5, rtol=0)
