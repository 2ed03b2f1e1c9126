"""The boundary check, the paste, and size rules."""

import pytest
import torch

from temperfill.geometry import SizeRule
from temperfill.tensors import Watched, as_plane, check_image_mask, composite


def test_what_keeps_the_conventions_passes() -> None:
    image = torch.rand(2, 3, 4, 5)
    image[0, 0, 0, 0], image[0, 0, 0, 1] = 0, 1
    plane = (torch.rand(2, 1, 4, 5) > 0.5).float()
    check_image_mask(image, plane)
    check_image_mask(image.double(), plane, plane)
    check_image_mask(torch.zeros(1, 3, 1, 1), torch.ones(1, 1, 1, 1))


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (torch.rand(3, 4, 5), r"shape \(B, 3, H, W\), got \(3, 4, 5\).*batch axis"),
        (torch.rand(2, 4, 4, 5), r"got \(2, 4, 4, 5\).*RGB"),
        (torch.rand(2, 3, 0, 5), "not be empty"),
        (
            torch.zeros(2, 3, 4, 5, dtype=torch.uint8),
            r"floating point in \[0, 1\], got torch.uint8; divide bytes by 255",
        ),
        (torch.rand(2, 3, 4, 5) + 1, r"lie in \[0, 1\]"),
        (torch.rand(2, 3, 4, 5) - 1, r"lie in \[0, 1\]"),
        (torch.full((2, 3, 4, 5), float("nan")), r"lie in \[0, 1\]"),
        (torch.full((2, 3, 4, 5), float("inf")), r"lie in \[0, 1\]"),
    ],
)
def test_wrong_images_are_refused(image: torch.Tensor, words: str) -> None:
    with pytest.raises(ValueError, match=f"image must.*{words}"):
        check_image_mask(image, torch.zeros(2, 1, 4, 5))


def test_one_nan_is_enough() -> None:
    image = torch.rand(1, 3, 8, 8)
    image[0, 1, 2, 3] = float("nan")
    with pytest.raises(ValueError, match="nan"):
        check_image_mask(image, torch.zeros(1, 1, 8, 8))


@pytest.mark.parametrize("name", ["mask", "sketch"])
@pytest.mark.parametrize(
    ("plane", "words"),
    [
        (torch.zeros(2, 1, 5, 4), r"shape \(2, 1, 4, 5\) to match the image, got \(2, 1, 5, 4\)"),
        (torch.zeros(1, 1, 4, 5), r"got \(1, 1, 4, 5\)"),
        (torch.zeros(2, 4, 5), r"got \(2, 4, 5\); add the axis of channels: \w+\[:, None\]"),
        (torch.zeros(2, 1, 4, 5, dtype=torch.bool), "floating point 0 or 1, got torch.bool"),
        (torch.full((2, 1, 4, 5), 0.5), "only 0 and 1; threshold"),
        (torch.full((2, 1, 4, 5), 255.0), "only 0 and 1"),
        (torch.full((2, 1, 4, 5), float("nan")), "only 0 and 1"),
    ],
)
def test_wrong_masks_and_sketches_are_refused_by_name(name: str, plane: torch.Tensor, words: str) -> None:
    planes = {"mask": torch.zeros(2, 1, 4, 5), name: plane}
    with pytest.raises(ValueError, match=f"{name} must.*{words}"):
        check_image_mask(torch.rand(2, 3, 4, 5), **planes)


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
