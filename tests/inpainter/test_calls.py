"""Calls with pictures of any kind: tensors in and out, batches, masks without the axis of channels."""

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from temperfill.inpainter import Inpainter


def white(image: Tensor, mask: Tensor) -> Tensor:
    return torch.ones_like(image)


@pytest.fixture(scope="module")
def inpainter() -> Inpainter:
    """Fills with white, which every type and number of channels holds."""
    return Inpainter(white, "cpu", "fp32")


def holed(*shape: int) -> Tensor:
    mask = torch.zeros(shape, dtype=torch.bool)
    mask[..., 3:6, 2:7] = True
    return mask


def picture(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    values = torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 0.9
    return (values * 255).byte() if dtype == torch.uint8 else values.to(dtype)


TYPES = [torch.uint8, torch.float16, torch.bfloat16, torch.float32, torch.float64]


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("shape", [(3, 9, 11), (1, 9, 11), (2, 3, 9, 11), (2, 1, 9, 11)], ids=str)
def test_a_tensor_comes_back_as_it_came_with_its_hole_filled(
    inpainter: Inpainter, shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    image, mask = picture(*shape, dtype=dtype), holed(9, 11)
    before = image.clone()
    result = inpainter(image, mask)
    assert (result.shape, result.dtype, result.device) == (image.shape, dtype, image.device)
    assert torch.equal(result, torch.where(mask, 255 if dtype == torch.uint8 else 1, image).to(dtype))
    assert torch.equal(image, before)


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("shape", [(9, 11), (1, 9, 11), (1, 1, 9, 11), (2, 9, 11), (2, 1, 9, 11)], ids=str)
def test_masks_of_a_batch_have_any_type_and_may_lack_axes(
    inpainter: Inpainter, shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    image, mask = picture(2, 3, 9, 11), holed(*shape)
    if len(mask) == 2:  # each its own
        mask[1] = mask[1].flip(-1)
    white_is = 255 if dtype == torch.uint8 else 1
    expected = torch.where(mask.reshape(-1, 1, 9, 11), 1, image)
    assert torch.equal(inpainter(image, mask.to(dtype) * white_is), expected)


def test_a_batch_is_filled_as_its_pictures_are(inpainter: Inpainter) -> None:
    batch, masks = picture(2, 3, 9, 11), torch.stack([holed(9, 11), holed(9, 11).flip(0)])
    together = inpainter(batch, masks)
    for image, mask, result in zip(batch, masks, together, strict=True):
        assert torch.equal(result, inpainter(image, mask))
    arrays = inpainter(batch, masks, output_type="np")
    assert np.array_equal(arrays, together.permute(0, 2, 3, 1).numpy())
    pictures = inpainter(batch, masks, output_type="pil")
    assert isinstance(pictures, list)
    assert [p.size for p in pictures] == [(11, 9)] * 2
    listed = inpainter(list(batch), list(masks))
    assert torch.equal(torch.stack(listed), together)


def test_tensors_and_other_kinds_mix(inpainter: Inpainter) -> None:
    array, mask = picture(9, 11, 3, dtype=torch.uint8).numpy(), holed(9, 11)
    image = Image.fromarray(array)
    expected = np.where(mask.numpy()[..., None], 255, array)
    assert np.array_equal(np.asarray(inpainter(image, mask)), expected)
    tensor = torch.from_numpy(array).permute(2, 0, 1)
    for kind in (mask.numpy(), Image.fromarray(mask.numpy())):
        assert np.array_equal(inpainter(tensor, kind).permute(1, 2, 0).numpy(), expected)
    first, second = inpainter([image, tensor], [mask, mask.numpy()])
    assert isinstance(first, Image.Image)
    assert np.array_equal(second.permute(1, 2, 0), expected)


def test_gradients_views_and_empty_holes(inpainter: Inpainter) -> None:
    """The result is a tensor of its own, whatever came."""
    image = picture(3, 9, 22)[:, :, ::2].requires_grad_()
    result = inpainter(image, holed(9, 11))
    assert not result.requires_grad
    with pytest.warns(UserWarning, match="nothing to fill"):
        same = inpainter(image, torch.zeros(9, 11))
    assert torch.equal(same, image)
    assert same.data_ptr() != image.data_ptr()


@pytest.mark.parametrize(
    ("image", "mask", "words"),
    [
        (picture(9, 11, 3), holed(9, 11), r"\(C, H, W\).*got \(9, 11, 3\); permute\(2, 0, 1\)"),
        (picture(9, 11), holed(9, 11), r"got \(9, 11\)"),
        (picture(2, 5, 9, 11), holed(9, 11), r"C of 1, 3 or 4.*got \(5, 9, 11\)"),
        (picture(3, 9, 11) * 255, holed(9, 11), "divide bytes by 255"),
        (picture(3, 9, 11) - 0.5, holed(9, 11), r"\(x \+ 1\) / 2"),
        (torch.full((3, 9, 11), float("nan")), holed(9, 11), r"in \[0, 1\]"),
        (picture(3, 9, 11), holed(2, 9, 11), r"mask must be .*\(1, H, W\), got \(2, 9, 11\)"),
        (picture(2, 3, 9, 11), holed(3, 1, 9, 11), r"\(2, 1, H, W\), got \(3, 1, 9, 11\)"),
        (picture(3, 9, 11), holed(9, 12), "12x9 but the image is 11x9"),
        (picture(3, 9, 11), holed(9, 11).long() * 7, "0 and 1 as torch.int64"),
        (picture(3, 9, 11, dtype=torch.uint8).long(), holed(9, 11), "int64; convert it"),
    ],
    ids=lambda value: str(tuple(value.shape)) if isinstance(value, Tensor) else "",
)
def test_tensors_that_do_not_fit_are_refused_with_what_to_do(
    inpainter: Inpainter, image: Tensor, mask: Tensor, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        inpainter(image, mask)


@pytest.mark.gpu
def test_a_batch_comes_back_on_its_device(inpainter: Inpainter) -> None:
    image, mask = picture(2, 3, 9, 11).cuda(), holed(2, 9, 11).cuda()
    assert torch.equal(inpainter(image, mask), torch.where(mask[:, None], 1, image))


ODD: dict[str, Any] = {
    "bool": lambda a: a[..., 0] > 100,
    "one channel": lambda a: a[..., :1],
    "turned": lambda a: a[::-1, ::-1],
    "channels reversed": lambda a: a[..., ::-1],
    "Fortran": np.asfortranarray,
    "every other column": lambda a: a[:, ::2],
    "broadcast": lambda a: np.broadcast_to(a[:1], a.shape),
}


@pytest.mark.parametrize("kind", ODD)
def test_odd_arrays_work(inpainter: Inpainter, kind: str) -> None:
    array = ODD[kind](picture(9, 22, 3, dtype=torch.uint8).numpy().copy())
    array.flags.writeable = False
    hole = np.zeros(array.shape[:2], bool)
    hole[2:5, 3:6] = True
    hole = hole[::-1]
    result = inpainter(array, hole, output_type="np")
    flat = array.reshape(*array.shape[:2], -1)
    assert np.array_equal(result.reshape(flat.shape)[~hole], flat[~hole])
    assert (result[hole] == (True if array.dtype == bool else 255)).all()


@pytest.mark.parametrize("seeds", [[3, 0], (3, 0), range(2), np.array([3, 0])], ids=str)
def test_several_seeds_give_a_list_in_their_order(seeds: Any) -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    mask = np.zeros((40, 50), bool)
    mask[14:26, 16:30] = True
    inpainter = Inpainter(white, "cpu", "fp32")

    def call(seed: Any) -> Any:
        return inpainter(image, mask, texture="copy", seed=seed, output_type="np")

    found = call(seeds)
    assert isinstance(found, list)
    for seed, result in zip(seeds, found, strict=True):
        assert np.array_equal(result, call(int(seed)))
    assert not np.array_equal(found[0], found[1])


def test_results_of_several_seeds_are_of_the_kind_asked_for(inpainter: Inpainter) -> None:
    image, mask = picture(3, 9, 11), holed(9, 11)
    found = inpainter(image, mask, seed=(0, 1))
    assert [(one.shape, one.dtype) for one in found] == [((3, 9, 11), torch.float32)] * 2
    assert [one.size for one in inpainter(image, mask, seed=[5], output_type="pil")] == [(11, 9)]


def test_several_seeds_are_for_one_image(inpainter: Inpainter) -> None:
    batch: Any
    for batch in (picture(2, 3, 9, 11), [picture(3, 9, 11)]):
        with pytest.raises(ValueError, match="one image"):
            inpainter(batch, holed(9, 11), seed=[0, 1])
    with pytest.raises(ValueError, match="seed must"):
        inpainter(picture(3, 9, 11), holed(9, 11), seed=[])


def test_a_warning_names_the_place_of_the_call(inpainter: Inpainter) -> None:
    with pytest.warns(UserWarning, match="empty") as caught:
        inpainter(picture(3, 9, 11), torch.zeros(9, 11), seed=[0, 1])
    assert [warning.filename for warning in caught] == [__file__]
