"""The guide measured by itself: the truth stays hidden, and every kind of fill comes back to its place."""

import argparse
from pathlib import Path

import pytest
import torch

from temperfill.methods.contract import PlainMethod

with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")  # where a script that is run finds its neighbours
    from benchmarks.guide import Case, Part, guide, measure, paste, shrunk, small_fill


@pytest.fixture(scope="module")
def case() -> Case:
    rows = torch.linspace(0, 1, 256)[:, None].expand(256, 256)
    truth = (torch.stack([rows, rows.T, 1 - rows])[None] * 255).round() / 255
    mask = torch.zeros(1, 1, 256, 256)
    mask[:, :, 75:128, 50:225] = 1
    return Case(truth, mask)


def test_the_hole_is_shrunk_to_its_thickness_and_hides_the_truth(case: Case) -> None:
    image, hole = shrunk(case, 16)
    assert image.shape[2:] == hole.shape[2:] == (76, 76)  # 256 * 16 / 54, in whole cells
    other, _ = shrunk(Case(torch.where(case.mask > 0.5, 0.9, case.truth), case.mask), 16)
    assert torch.equal(image, other)
    assert (image[hole.expand_as(image) > 0.5] == 0.5).all()
    assert 16 <= hole[0, 0, :, 38].sum() <= 17
    near = torch.nn.functional.interpolate(case.truth, (76, 76), mode="area")
    torch.testing.assert_close(image * (1 - hole), near * (1 - hole))


def test_fills_of_all_kinds_lie_at_their_place(case: Case) -> None:
    small = torch.nn.functional.interpolate(case.truth, (76, 76), mode="area")
    straight = PlainMethod(lambda image, mask: small, "straight")
    mirrored = PlainMethod(lambda image, mask: small.flip(3), "mirrored")
    for method, word in ((straight, "16r"), (straight, "16gr"), (straight, "16"), (mirrored, "16mr")):
        drawn = small_fill(method, case, guide(word)[0])
        assert float((paste(drawn, case) - case.truth).abs().max()) < 0.03, word
    wrong = small_fill(straight, case, Part(16, "mr"))
    assert float((paste(wrong, case) - case.truth).abs().max()) > 0.3


def test_a_guide_is_the_mean_of_its_fills(case: Case) -> None:
    calls = []

    def grey(image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        calls.append(image.shape[3])
        return torch.full_like(image, 0.25 if len(calls) == 1 else 0.75)

    one, both = guide("16r"), guide("16r+8r")
    found = measure(PlainMethod(grey, "grey"), [case], [one, both])
    assert calls == [76, 36]
    half = paste(torch.full_like(case.truth, 0.5), case)
    expected = -10 * torch.log10((half - case.truth.double()).square().mean())
    assert found[both]["psnr"] == pytest.approx([float(expected)], abs=0.2)
    with pytest.raises(argparse.ArgumentTypeError, match="64x"):
        guide("48+64x")
