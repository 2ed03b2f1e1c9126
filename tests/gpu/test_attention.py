"""MHTMA on a device: its fused kernels equal the formulas, hold no matrix, and keep the pictures of a batch apart."""

from typing import Literal

import pytest
import torch

from temperfill.attention import MHTMA


def attended(device: str, implementation: Literal["fused", "reference"], bf16: bool = False) -> list[torch.Tensor]:
    """Refined features, and gradients of features and parameters, on the CPU."""
    torch.manual_seed(0)
    module = MHTMA(channels=16, heads=2, head_dim=8, implementation=implementation).to(device)
    features = torch.randn(2, 16, 24, 20).to(device).requires_grad_(True)
    mask = torch.zeros(2, 1, 24, 20, device=device)
    mask[0, :, 4:13, 5:12], mask[1, :, 10:, :8] = 1, 1
    with torch.autocast(device, torch.bfloat16, enabled=bf16):
        refined = module(features, mask)
    (refined.float() * torch.linspace(-1, 1, refined.numel(), device=device).view_as(refined)).sum().backward()
    found = [refined, features.grad, *(p.grad for p in module.parameters())]
    return [x.detach().float().cpu() for x in found if x is not None]


def test_fused_attention_equals_the_reference(device: str) -> None:
    for fused, reference in zip(attended(device, "fused"), attended(device, "reference"), strict=True):
        bound = 1e-4 * max(1, float(reference.abs().max()))
        assert float((fused - reference).abs().max()) <= bound


def test_it_is_that_of_the_cpu(device: str) -> None:
    for found, expected in zip(attended(device, "fused"), attended("cpu", "reference"), strict=True):
        # Projections may be products in TF32, of ten bits.
        assert float((found - expected).norm()) <= 5e-3 * float(expected.norm()) + 1e-5


def test_bf16_is_near_full_precision(device: str) -> None:
    found, expected = attended(device, "fused", bf16=True), attended(device, "reference")
    assert all(x.isfinite().all() for x in found)
    assert float((found[0] - expected[0]).norm()) < 0.05 * float(expected[0].norm())


def test_pictures_of_a_batch_do_not_mix(device: str) -> None:
    torch.manual_seed(0)
    module = MHTMA(channels=16, heads=2, head_dim=8).to(device)
    features, mask = torch.randn(4, 16, 16, 16, device=device), torch.zeros(4, 1, 16, 16, device=device)
    for number in range(4):
        mask[number, :, number : number + 6, 2 * number : 2 * number + 5] = 1
    with torch.inference_mode():
        together = module(features, mask)
        alone = torch.cat([module(f[None], m[None]) for f, m in zip(features, mask, strict=True)])
    assert float((together - alone).abs().max()) < 1e-3


@pytest.mark.gpu
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_attention_holds_no_matrix(precision: torch.dtype) -> None:
    """Of 16,384 queries and keys it would take 2.1 GB for two heads in float32, and more with its gradient."""
    module = MHTMA(channels=96, heads=2, head_dim=24).to("cuda")
    features = torch.randn(1, 96, 128, 128, device="cuda", requires_grad=True)
    mask = torch.zeros(1, 1, 128, 128, device="cuda")
    mask[:, :, 40:90, 40:90] = 1
    torch.cuda.reset_peak_memory_stats()
    with torch.autocast("cuda", precision, enabled=precision != torch.float32):
        module(features, mask).float().sum().backward()
    assert torch.cuda.max_memory_allocated() < 1.5e9
