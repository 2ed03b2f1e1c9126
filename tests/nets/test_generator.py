"""The generator: its table of layers, its switches, and that the hole's content never leaks."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from temperfill.config import GeneratorConfig
from temperfill.nets.generator import Generator
from temperfill.nets.layers import GatedConv2d, UpGatedConv2d
from temperfill.nets.refinement import high_frequencies
from temperfill.tensors import composite

TINY = GeneratorConfig(width=4, head_dim=4)
VARIANTS: dict[str, GeneratorConfig] = {
    "mhtma": TINY,
    "four heads, even patches, stride 2": replace(TINY, heads=4, patch_size=2, key_stride=2),
    "atma": replace(TINY, attention="atma"),
    "contextual": replace(TINY, attention="contextual"),
    "none": replace(TINY, attention="none"),
    "no convolution branch": replace(TINY, convolution_branch=False),
    "no attention branch": replace(TINY, attention_branch=False),
    "sketch": replace(TINY, sketch=True),
    "detail": replace(TINY, detail=True),
    "detail and sketch, no convolution branch": replace(TINY, detail=True, sketch=True, convolution_branch=False),
}


def build(config: GeneratorConfig) -> Generator:
    torch.manual_seed(0)
    return Generator(config)


def inputs(config: GeneratorConfig, batch: int = 3, size: tuple[int, int] = (24, 32)) -> tuple[Tensor, ...]:
    """Image, mask of another kind for each (block, full, one pixel, empty), and the sketch if the config takes one."""
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(batch, 3, *size, generator=generator)
    mask = torch.zeros(batch, 1, *size)
    mask[0, :, : size[0] // 3, size[1] // 3 :] = 1
    mask[1:2] = 1
    mask[2:3, :, size[0] // 2 + 1, 3] = 1
    sketch = (torch.rand(batch, 1, *size, generator=generator) > 0.8).float()
    return (image, mask, sketch) if config.sketch else (image, mask)


Row = tuple[int, int, int, float, int]


def table(network: nn.Module, call: Any) -> list[Row]:
    """Kernel, stride, dilation, channels that go on, and height of the result, of every convolution that runs."""
    rows: list[Row] = []

    def note(layer: nn.Module, _: Any, result: Tensor) -> None:
        convolution = layer.convolution if isinstance(layer, GatedConv2d) else layer
        assert isinstance(convolution, nn.Conv2d)
        rows.append(
            (
                convolution.kernel_size[0],
                convolution.stride[0],
                convolution.dilation[0],
                result.shape[1],
                result.shape[2],
            )
        )

    gated = [m for m in network.modules() if isinstance(m, GatedConv2d)]
    inner = {id(m.convolution) for m in gated}
    plain = [m for m in network.modules() if type(m) is nn.Conv2d and id(m) not in inner]
    handles = [layer.register_forward_hook(note) for layer in [*gated, *plain]]
    with torch.no_grad():
        call()
    for handle in handles:
        handle.remove()
    return rows


W, SIDE = 4, 64
ENCODER = [
    (5, 1, 1, W, SIDE),
    (3, 2, 1, 2 * W, SIDE // 2),
    (3, 1, 1, 2 * W, SIDE // 2),
    (3, 2, 1, 4 * W, SIDE // 4),
    *[(3, 1, 1, 4 * W, SIDE // 4)] * 2,
    *[(3, 1, rate, 4 * W, SIDE // 4) for rate in (2, 4, 8, 16)],
]
COARSE = [
    *ENCODER,
    *[(3, 1, 1, 4 * W, SIDE // 4)] * 2,
    *[(3, 1, 1, 2 * W, SIDE // 2)] * 2,
    (3, 1, 1, W, SIDE),
    (3, 1, 1, W // 2, SIDE),
    (3, 1, 1, 3, SIDE),
]
ATTENTION_BRANCH = [
    (5, 1, 1, W, SIDE),
    (3, 2, 1, W, SIDE // 2),
    (3, 1, 1, 2 * W, SIDE // 2),
    (3, 2, 1, 4 * W, SIDE // 4),
    *[(3, 1, 1, 4 * W, SIDE // 4)] * 4,
]
DECODER = [
    *[(3, 1, 1, 4 * W, SIDE // 4)] * 2,
    (3, 1, 1, 2 * W, SIDE // 2),
    (3, 1, 1, W, SIDE),
    (3, 1, 1, W // 2, SIDE),
    (3, 1, 1, 3, SIDE),
]


@pytest.mark.parametrize(
    ("name", "refinement"),
    [
        ("none", [*ATTENTION_BRANCH[:6], *ENCODER, *ATTENTION_BRANCH[6:], *DECODER]),
        ("contextual", [*ATTENTION_BRANCH[:6], *ENCODER, *ATTENTION_BRANCH[6:], *DECODER]),
        ("no convolution branch", None),
        ("no attention branch", [*ENCODER, *DECODER]),
    ],
)
def test_the_table_of_layers(name: str, refinement: list[Row] | None) -> None:
    generator = build(VARIANTS[name])
    image, mask = inputs(TINY, 1, (SIDE, SIDE))
    rows = table(generator, lambda: generator(image, mask))
    assert rows[: len(COARSE)] == COARSE
    if refinement is not None:
        assert rows[len(COARSE) :] == refinement
    else:  # the attention's own convolutions stand between
        assert rows[len(COARSE) : len(COARSE) + 6] == ATTENTION_BRANCH[:6]
        assert rows[-len(DECODER) - 2 :] == [*ATTENTION_BRANCH[6:], *DECODER]


@pytest.mark.parametrize("width", [4, 24])
def test_parameters_are_those_of_the_table_and_nothing_else(width: int) -> None:
    def gated(row: Row, channels_in: int) -> int:
        kernel, _, _, out, _ = row
        return 2 * (out * width // W) * (channels_in * kernel**2 + 1)

    def chain(rows: list[Row], channels_in: int, last_plain: bool) -> int:
        total = 0
        for i, row in enumerate(rows):
            if last_plain and i == len(rows) - 1:
                return total + 3 * (channels_in * 9 + 1)
            total += gated(row, channels_in)
            channels_in = row[3] * width // W
        return total

    expected = chain(COARSE, 4, True) + chain(ENCODER, 4, False) + chain(ATTENTION_BRANCH, 4, False)
    expected += chain(DECODER, 8 * width, True)
    generator = Generator(GeneratorConfig(width=width, attention="none"))
    assert sum(p.numel() for p in generator.parameters()) == expected
    assert not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in generator.modules())
    assert sum(isinstance(m, UpGatedConv2d) for m in generator.modules()) == 4


@pytest.mark.parametrize("name", VARIANTS)
def test_trains_one_step_with_a_gradient_for_every_parameter(name: str) -> None:
    config = VARIANTS[name]
    generator = build(config).train()
    optimizer = torch.optim.Adam(generator.parameters(), 1e-3)
    batch = inputs(config)
    losses = []
    for _ in range(2):
        output = generator(*batch)
        loss = (output.coarse - batch[0]).abs().mean() + (output.refined - batch[0]).abs().mean()
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        for parameter_name, parameter in generator.named_parameters():
            assert parameter.grad is not None, parameter_name
            assert parameter.grad.isfinite().all(), parameter_name
            assert parameter.grad.abs().max() > 0, parameter_name
        optimizer.step()
    assert losses[1] < losses[0]


@pytest.mark.parametrize("name", VARIANTS)
def test_outputs_have_their_shapes_and_ranges(name: str) -> None:
    config = VARIANTS[name]
    generator = build(config).eval()
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.mul_(3)  # far from the grey start
    batch = inputs(config)
    output = generator(*batch)
    heads = {"none": 0, "contextual": 1}.get(config.attention, config.heads) if config.attention_branch else 0
    assert output.temperatures.shape == (3, heads)
    for image in (output.coarse, output.refined):
        assert image.shape == batch[0].shape
        assert image.min() >= 0
        assert image.max() <= 1
        assert image.std() > 0.05


def same_bits(a: Tensor, b: Tensor) -> bool:
    return torch.equal(a.view(torch.int32), b.view(torch.int32))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", VARIANTS)
def test_the_content_of_the_hole_never_leaks(name: str, training: bool) -> None:
    config = VARIANTS[name]
    generator = build(config).train(training)
    image, mask, *sketch = inputs(config)
    expected = generator(image, mask, *sketch)
    for content in (torch.rand_like(image), torch.full_like(image, float("nan")), torch.full_like(image, 1e30)):
        got = generator(torch.where(mask > 0, content, image), mask, *sketch)
        assert all(same_bits(a, b) for a, b in zip(got, expected, strict=True))
    changed = torch.where(mask > 0, image, 1 - image)  # and what is known does matter
    assert not torch.equal(generator(changed, mask, *sketch).refined, expected.refined)


@pytest.mark.parametrize("name", VARIANTS)
def test_no_gradient_reaches_the_content_of_the_hole(name: str) -> None:
    image, mask, *sketch = inputs(VARIANTS[name])
    image.requires_grad_(True)
    output = build(VARIANTS[name])(image, mask, *sketch)
    (output.coarse.sum() + output.refined.square().sum() + output.temperatures.sum()).backward()
    assert image.grad is not None
    assert not image.grad[mask.bool().expand_as(image)].any()
    assert image.grad[0].any()


@pytest.mark.parametrize("name", VARIANTS)
def test_known_pixels_of_the_composite_keep_their_bits(name: str) -> None:
    image, mask, *sketch = inputs(VARIANTS[name], batch=4)
    pasted = composite(build(VARIANTS[name])(image, mask, *sketch).refined, image, mask)
    known = ~mask.bool().expand_as(image)
    assert same_bits(pasted[known], image[known])
    assert not torch.equal(pasted[~known], image[~known])


@pytest.mark.parametrize("name", VARIANTS)
def test_permuting_the_batch_permutes_the_output(name: str) -> None:
    generator = build(VARIANTS[name]).eval()
    batch = inputs(VARIANTS[name], batch=4)
    order = torch.tensor([2, 0, 3, 1])
    expected = [x[order] for x in generator(*batch)]
    permuted = generator(*(x[order] for x in batch))
    alone = [torch.cat(x) for x in zip(*(generator(*(x[i : i + 1] for x in batch)) for i in order), strict=True)]
    for a, b, c in zip(permuted, alone, expected, strict=True):
        torch.testing.assert_close(a, c, rtol=0, atol=1e-6)
        torch.testing.assert_close(b, c, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["sketch", "detail and sketch, no convolution branch"])
def test_the_sketch_counts_inside_the_hole_only(name: str) -> None:
    generator = build(VARIANTS[name]).eval()
    image, mask, sketch = inputs(VARIANTS[name])
    expected = generator(image, mask, sketch)
    outside = generator(image, mask, torch.where(mask > 0, sketch, 1 - sketch))
    assert all(same_bits(a, b) for a, b in zip(outside, expected, strict=True))
    inside = generator(image, mask, torch.where(mask > 0, 1 - sketch, sketch))
    assert all((a - b).abs().amax((1, 2, 3)).min() > 0 for a, b in zip(inside[:2], expected[:2], strict=True))
    without, empty = generator(image, mask), generator(image, mask, torch.zeros_like(mask))
    assert all(same_bits(a, b) for a, b in zip(without, empty, strict=True))


def test_a_sketch_for_a_generator_without_one_is_refused() -> None:
    image, mask = inputs(TINY)
    with pytest.raises(ValueError, match=r"takes no sketch.*sketch=True"):
        build(TINY)(image, mask, mask)


@pytest.mark.parametrize("size", [(4, 4), (4, 64), (20, 4), (12, 52)])
@pytest.mark.parametrize("name", VARIANTS)
def test_every_multiple_of_four_works(name: str, size: tuple[int, int]) -> None:
    image, mask, *sketch = inputs(VARIANTS[name], 3, size)
    output = build(VARIANTS[name])(image, mask, *sketch)
    assert output.refined.shape == image.shape
    assert all(x.isfinite().all() for x in output)


@pytest.mark.parametrize("size", [(30, 32), (32, 30), (1, 1), (5, 7), (63, 64)])
def test_other_sizes_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=rf"multiples of 4, got \({size[0]}, {size[1]}\)"):
        build(TINY)(torch.rand(1, 3, *size), torch.zeros(1, 1, *size))
    assert Generator.SIZE_MULTIPLE == 4


def test_a_scratch_of_one_pixel_reaches_the_attention() -> None:
    generator = build(TINY)
    seen: list[Tensor] = []
    generator.refinement.register_forward_pre_hook(lambda _, given: seen.append(given[1]))
    mask = torch.zeros(1, 1, 24, 24)
    mask[..., 13, 5] = 1
    generator(torch.rand(1, 3, 24, 24), mask)
    assert seen[0].shape == (1, 1, 6, 6)
    assert seen[0].nonzero().tolist() == [[0, 0, 3, 1]]


@pytest.mark.parametrize("name", ["mhtma", "atma", "contextual"])
def test_scaled_temperatures_change_the_picture_but_not_the_report(name: str) -> None:
    generator = build(VARIANTS[name]).eval()
    image, mask = inputs(TINY)
    plain, warm = generator(image, mask), generator(image, mask, temperature_scale=20.0)
    assert torch.equal(plain.temperatures, warm.temperatures)
    assert torch.equal(plain.coarse, warm.coarse)
    assert not torch.equal(plain.refined[0], warm.refined[0])


def test_temperatures_start_near_a_tenth() -> None:
    for name in ("mhtma", "atma", "contextual"):
        generator = build(replace(VARIANTS[name], width=24))
        assert (generator(*inputs(TINY)).temperatures - 0.1).abs().max() < 0.02


def test_training_starts_from_a_grey_image() -> None:
    output = build(replace(TINY, width=24))(*inputs(TINY))
    for image in (output.coarse, output.refined):
        assert (image - 0.5).abs().mean() < 0.1


def test_bf16_autocast_gives_the_dtype_of_the_image_and_about_the_same_picture() -> None:
    for config in VARIANTS.values():
        generator, batch = build(config).eval(), inputs(config)
        expected = generator(*batch)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            got = generator(*batch)
        assert got.refined.dtype == got.temperatures.dtype == torch.float32
        assert (got.refined - expected.refined).abs().max() < 0.05


def test_high_frequencies_of_a_constant_are_nothing_and_cells_average_out() -> None:
    assert high_frequencies(torch.full((1, 3, 16, 16), 0.3)).abs().max() < 1e-6
    noise = torch.rand(1, 3, 16, 16)
    torch.testing.assert_close(high_frequencies(noise + 5), high_frequencies(noise), rtol=0, atol=1e-5)
    assert high_frequencies(noise).std() > 0.2


def test_weights_are_all_that_the_state_holds() -> None:
    """The hole's colour is a constant: a weights file need not carry it."""
    generator = build(TINY)
    assert set(generator.state_dict()) == {name for name, _ in generator.named_parameters()}


HOLES = {
    "compact": [(104, 88, 125, 119)],
    "corner": [(0, 0, 30, 17), (2, 188, 9, 224)],
    "two far apart": [(8, 5, 20, 31), (198, 208, 227, 221)],
    "across": [(0, 110, 228, 113)],
}
FAR = {
    "mhtma": {},
    "patches of 1": {"patch_size": 1},
    "even patches": {"patch_size": 4},
    "detail": {"detail": True},
    "atma": {"attention": "atma"},
    "one branch": {"convolution_branch": False},
    "convolutions alone": {"attention_branch": False},
}


@pytest.mark.parametrize(
    ("name", "case"),
    [*(("detail", case) for case in HOLES), *((name, "two far apart") for name in FAR if name != "detail")],
)
def test_holes_alone_give_the_same_composite(name: str, case: str) -> None:
    """Cut out with what they depend on, holes are filled as in the whole picture, and less is computed elsewhere."""
    torch.manual_seed(0)
    changes: dict[str, Any] = FAR[name]
    attention = replace(GeneratorConfig(width=2, head_dim=2, temperature_init=0.5, key_stride=2), **changes)
    generator = Generator(attention).double().eval()
    image = torch.rand(2, 3, 228, 224, dtype=torch.float64)
    mask = torch.zeros(2, 1, 228, 224, dtype=torch.float64)
    for top, left, bottom, right in HOLES[case]:
        mask[0, :, top:bottom, left:right] = 1
        mask[1, :, top + 2 : bottom - 1, left : right - 2] = 1
    with torch.inference_mode():
        whole, part = (generator(image, mask, holes=holes).refined for holes in (None, HOLES[case]))
    inside = mask.bool().expand_as(whole)
    torch.testing.assert_close(part[inside], whole[inside], rtol=0, atol=1e-12)
    assert (part - whole).abs().max() > 1e-6  # elsewhere nothing was computed


def test_a_given_coarse_image_takes_the_place_of_the_coarse_networks() -> None:
    torch.manual_seed(0)
    generator = Generator(GeneratorConfig(width=4, head_dim=4)).eval()
    image, mask = torch.rand(2, 3, 32, 24), torch.zeros(2, 1, 32, 24)
    mask[:, :, 6:20, 5:17] = 1
    with torch.inference_mode():
        own = generator(image, mask)
        again = generator(image, mask, start=own.coarse)
        noise = torch.rand_like(image)
        other = generator(image, mask, start=noise)
        outside = generator(image, mask, start=torch.where(mask > 0, noise, 1 - noise))
        holes = generator(image, mask, start=noise, holes=[(6, 5, 20, 17)]).refined
    torch.testing.assert_close(again.refined, own.refined, rtol=0, atol=1e-5)
    assert (other.refined - own.refined).abs().max() > 1e-3
    assert same_bits(other.coarse, (noise * 2 - 1 + 1) / 2)
    assert same_bits(outside.refined, other.refined)  # what is known counts outside the hole
    inside = mask.bool().expand_as(image)
    torch.testing.assert_close(holes[inside], other.refined[inside], rtol=0, atol=1e-5)
    one = [plane[:1] for plane in (image, mask)]
    plain, given = generator.sources(*one), generator.sources(*one, start=noise[:1])
    assert torch.equal(plain.cells, given.cells)
    assert not torch.equal(plain.weights, given.weights)


def test_holes_take_empty_and_full_masks() -> None:
    generator = Generator(GeneratorConfig(width=4, head_dim=4)).eval()
    for value, holes in ((0.0, []), (1.0, [(0, 0, 32, 32)])):
        refined = generator(torch.rand(1, 3, 32, 32), torch.full((1, 1, 32, 32), value), holes=holes).refined
        assert refined.isfinite().all()


@pytest.mark.parametrize("name", ["mhtma", "detail"])
def test_what_is_avoided_is_no_source_and_an_empty_avoid_changes_no_bit(name: str) -> None:
    generator = build(VARIANTS[name]).eval()
    image, mask, avoid = torch.rand(1, 3, 48, 40), torch.zeros(1, 1, 48, 40), torch.zeros(1, 1, 48, 40)
    mask[..., 8:16, 8:20] = 1
    holes = [(8, 8, 16, 20)]
    with torch.inference_mode():
        for given in (None, holes):
            plain = generator(image, mask, holes=given)
            empty = generator(image, mask, holes=given, avoid=avoid)
            assert all(same_bits(a, b) for a, b in zip(empty, plain, strict=True))
        avoid[..., 24:, 5:] = 1
        whole, part = (generator(image, mask, holes=given, avoid=avoid).refined for given in (None, holes))
        torch.testing.assert_close(part[..., 8:16, 8:20], whole[..., 8:16, 8:20], rtol=0, atol=1e-5)
        assert not torch.equal(whole[..., 8:16, 8:20], generator(image, mask).refined[..., 8:16, 8:20])
        found = generator.sources(image, mask, top=1000, avoid=avoid)
        assert torch.equal(found.cells, generator.sources(image, mask).cells)
        small = nn.functional.max_pool2d(torch.maximum(mask, avoid), 4)
        touching = nn.functional.max_pool2d(small, 3, 1, 1).flatten()[found.sources] > 0
        assert touching.any()
        assert not found.weights[touching].any()
        with torch.autocast("cpu", torch.bfloat16):
            found = generator.sources(image, mask, top=1000, avoid=avoid)
        touching = nn.functional.max_pool2d(small, 3, 1, 1).flatten()[found.sources] > 0
        assert not found.weights[touching].any()
        nothing_left = generator(image, mask, holes=holes, avoid=1 - mask)
        assert all(x.isfinite().all() for x in nothing_left)


@pytest.mark.parametrize("name", ["atma", "contextual", "none", "no attention branch"])
def test_other_generators_refuse_to_avoid(name: str) -> None:
    image, mask = inputs(VARIANTS[name])
    with pytest.raises(ValueError, match="only a generator with the attention mhtma can avoid"):
        build(VARIANTS[name])(image, mask, avoid=1 - mask)
