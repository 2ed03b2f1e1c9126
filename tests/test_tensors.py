"""The paste, planes, and size rules."""

import pytest
import torch

from temperfill.geometry import SizeRule
from temperfill.tensors import Watched, as_plane, composite


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_composite_keeps_the_bits_of_known_pixels_and_takes_all_others(dtype: torch.dtype) -> None:
    image, refined = torch.rand(2, 3, 9, 7), torch.rand(2, 3, 9, 7, dtype=dtype)
    mask = (torch.rand(2, 1, 9, 7) > 0.5).float()
    hole = mask.bool().expand_as(image)
    pasted = composite(refined, image, mask)
    assert pasted.dtype == image.dtype
    assert torch.equal(pasted[~hole].view(torch.int32), image[~hole].view(torch.int32))
    assert torch.equal(pasted[hole], refined.float()[hole])


def test_composite_is_immune_to_what_lies_on_the_other_side() -> None:
    mask = (torch.rand(1, 1, 6, 6) > 0.5).float()
    hole = mask.bool().expand(1, 3, 6, 6)
    image, refined = torch.rand(1, 3, 6, 6), torch.rand(1, 3, 6, 6)
    image[hole], refined[~hole] = float("nan"), float("inf")
    assert composite(refined, image, mask).isfinite().all()


def test_size_rules_start_at_one() -> None:
    assert SizeRule() == SizeRule(1, 1)
    for bad in [{"multiple": 0}, {"minimum": 0}, {"multiple": -4}]:
        with pytest.raises(ValueError, match="at least 1"):
            SizeRule(**bad)


def test_planes_of_any_type_and_without_an_axis_become_the_convention() -> None:
    plane = (torch.rand(2, 1, 4, 5) > 0.5).float()
    assert as_plane(plane, torch.float64) is plane
    for given in (plane.bool(), plane[:, 0].bool(), plane.long(), plane[:, 0].byte() * 255):
        assert torch.equal(as_plane(given, torch.float64), plane.double())
    for shape in ((4, 5), (2, 3, 4, 5), (1, 2, 1, 4, 5)):
        with pytest.raises(ValueError, match=r"sketch must have shape \(B, 1, H, W\) or \(B, H, W\)"):
            as_plane(torch.zeros(shape), torch.float32, "sketch")


def test_watched_work_ends_before_its_next_operation() -> None:
    done = []

    def stop() -> None:
        if done:
            raise KeyboardInterrupt

    def work() -> None:
        for _ in range(2):
            done.append(torch.ones(2) + 1)

    with pytest.raises(KeyboardInterrupt), Watched(stop):
        work()
    assert len(done) == 1
