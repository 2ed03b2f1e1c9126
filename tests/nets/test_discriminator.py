"""The global-local discriminator: spectral norm, any crop size, and patches that hold their centre."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from temperfill.config import DiscriminatorConfig
from temperfill.nets.discriminator import Discriminator, local_patches

TINY = DiscriminatorConfig(width=4, feature_dim=12)


def build(normalised: bool = True) -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(TINY, normalised)


def layers(discriminator: Discriminator) -> dict[str, nn.Conv2d | nn.Linear]:
    return {n: m for n, m in discriminator.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}


def largest_singular_values(discriminator: Discriminator) -> dict[str, float]:
    found = layers(discriminator).items()
    return {n: torch.linalg.matrix_norm(m.weight.detach().flatten(1), 2).item() for n, m in found}


def centres(batch: int, size: tuple[int, int]) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.stack([torch.randint(side, (batch,), generator=generator) for side in size], 1)


def test_layers_and_widths() -> None:
    discriminator = build()
    for branch, widths in [
        (discriminator.global_branch, [4, 8, 16, 32, 32, 32]),
        (discriminator.local_branch, [4, 8, 16, 32, 32]),
    ]:
        convolutions = [m for m in branch.modules() if isinstance(m, nn.Conv2d)]
        assert [c.out_channels for c in convolutions] == widths
        assert all(c.kernel_size == (5, 5) and c.stride == (2, 2) and c.padding == (2, 2) for c in convolutions)
        assert branch.linear.weight.shape == (12, 32 * 16)
    assert discriminator.linear.weight.shape == (1, 24)


def test_every_effective_weight_has_spectral_norm_one() -> None:
    discriminator = build().train()
    image, where = torch.rand(1, 3, 32, 32), centres(1, (32, 32))
    with torch.no_grad():
        for parameter in discriminator.parameters():
            parameter.mul_(5)
        for _ in range(60):
            discriminator(image, where)
    values = largest_singular_values(discriminator.eval())
    assert len(values) == 6 + 5 + 2 + 1
    assert all(parametrize.is_parametrized(m, "weight") for m in layers(discriminator).values())
    for name, value in values.items():
        assert value == pytest.approx(1, abs=0.03), name


def test_without_normalisation_the_weights_are_what_they_are() -> None:
    discriminator = build(normalised=False)
    with torch.no_grad():
        for parameter in discriminator.parameters():
            parameter.mul_(5)
    discriminator(torch.rand(1, 3, 32, 32), centres(1, (32, 32)))
    assert not any(parametrize.is_parametrized(m) for m in discriminator.modules())
    assert not list(discriminator.buffers())
    assert min(largest_singular_values(discriminator).values()) > 1.5


def test_evaluation_leaves_the_power_iteration_alone() -> None:
    discriminator = build().eval()
    before = {n: b.clone() for n, b in discriminator.named_buffers()}
    discriminator(torch.rand(1, 3, 32, 32), centres(1, (32, 32)))
    assert before
    assert all(torch.equal(b, before[n]) for n, b in discriminator.named_buffers())


@pytest.mark.parametrize("size", [(8, 8), (32, 32), (64, 48), (100, 100), (256, 256)])
@pytest.mark.parametrize("normalised", [True, False])
def test_the_same_weights_judge_any_crop_size(size: tuple[int, int], normalised: bool) -> None:
    values = build(normalised)(torch.rand(2, 3, *size), centres(2, size))
    assert values.shape == (2, 1)
    assert values.isfinite().all()


@pytest.mark.parametrize("normalised", [True, False])
def test_gradient_reaches_every_parameter_and_the_image(normalised: bool) -> None:
    discriminator = build(normalised)
    image = torch.rand(2, 3, 64, 64, requires_grad=True)
    discriminator(image, centres(2, (64, 64))).square().sum().backward()
    for name, parameter in discriminator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name
    assert image.grad is not None
    assert image.grad.abs().amax((1, 2, 3)).min() > 0


def test_permuting_the_batch_permutes_the_values() -> None:
    discriminator = build().eval()
    image, where = torch.rand(4, 3, 48, 48), centres(4, (48, 48))
    order = torch.tensor([2, 0, 3, 1])
    expected = discriminator(image, where)[order]
    torch.testing.assert_close(discriminator(image[order], where[order]), expected, rtol=0, atol=1e-6)
    assert expected.unique().numel() == 4


def test_the_local_branch_sees_its_patch_and_the_global_one_everything() -> None:
    discriminator = build().eval()
    image, where = torch.rand(1, 3, 64, 64), torch.tensor([[20, 20]])
    far, near = image.clone(), image.clone()
    far[..., 60, 60], near[..., 20, 20] = 0, 0
    local, whole = discriminator.local_branch, discriminator.global_branch
    patch = local_patches(image, where)
    assert torch.equal(local(patch), local(local_patches(far, where)))
    assert not torch.equal(local(patch), local(local_patches(near, where)))
    assert not torch.equal(whole(image), whole(far))
    assert not torch.equal(discriminator(image, where), discriminator(image, torch.tensor([[50, 50]])))


@pytest.mark.parametrize("size", [(8, 8), (9, 14), (13, 13), (4, 30)])
def test_local_patches_stay_inside_and_hold_their_centre(size: tuple[int, int]) -> None:
    """Every pixel of the picture as centre; the picture holds its own coordinates."""
    rows, columns = torch.meshgrid(*(torch.arange(side) for side in size), indexing="ij")
    image = torch.stack([rows, columns, torch.ones_like(rows)]).float()
    every = torch.stack([rows, columns], -1).reshape(-1, 2)
    patches = local_patches(image.expand(len(every), -1, -1, -1), every)
    assert patches.shape == (len(every), 3, size[0] // 2, size[1] // 2)
    for patch, centre in zip(patches, every, strict=True):
        top, left = patch[0, 0, 0], patch[1, 0, 0]
        assert torch.equal(patch[0], (top + torch.arange(size[0] // 2))[:, None].expand_as(patch[0]))
        assert torch.equal(patch[1], (left + torch.arange(size[1] // 2))[None].expand_as(patch[1]))
        assert (patch[:2] == centre[:, None, None]).all(0).any()
        middle = torch.stack([top + size[0] // 4, left + size[1] // 4])
        inside = (middle - centre).abs() <= 1
        last = torch.tensor(size) - torch.tensor(size) // 2
        corner = torch.stack([top, left])
        assert (inside | (corner == 0) | (corner == last)).all()
