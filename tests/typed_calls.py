"""What the type checker makes of public calls: mypy checks this file, and nothing runs it."""

from pathlib import Path
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

import temperfill
from temperfill import Inpainter


def results_have_the_kind_of_what_came(
    inpainter: Inpainter, picture: Image.Image, array: NDArray[np.uint8], tensor: Tensor, paths: list[Path]
) -> None:
    assert_type(inpainter("photo.jpg", "mask.png"), Image.Image)
    assert_type(inpainter(picture, array, feather=3, sketch=tensor), Image.Image)
    assert_type(inpainter(Path("photo.jpg"), tensor, output_type="pt"), Tensor)
    assert_type(inpainter(array, array, output_type="np"), NDArray[Any])
    assert_type(inpainter(tensor, tensor), Tensor)
    assert_type(inpainter(tensor, array, output_type="pil"), Image.Image | list[Image.Image])
    assert_type(inpainter(paths, "mask.png"), list[Image.Image])
    assert_type(
        inpainter([picture, "photo.jpg", tensor], [array, tensor, paths[0]], output_type="np"), list[NDArray[Any]]
    )
    assert_type(inpainter((tensor, tensor), "mask.png"), list[Tensor])
    assert_type(inpainter([array, picture], "mask.png", output_type="pt"), list[Tensor])
    seeds = [0, 1]
    assert_type(inpainter("photo.jpg", "mask.png", seed=3), Image.Image)
    assert_type(inpainter("photo.jpg", "mask.png", seed=(3,)), list[Image.Image])
    assert_type(inpainter(array, array, seed=range(4), output_type="np"), list[NDArray[Any]])
    assert_type(inpainter(tensor, tensor, seed=seeds, feather=2), list[Tensor])
    assert_type(inpainter(tensor, tensor, seed=seeds, output_type="pil"), list[Image.Image])
    assert_type(inpainter(picture, "mask.png", seed=seeds, output_type="pt"), list[Tensor])


def the_module_gives_what_an_inpainter_gives(picture: Image.Image, tensor: Tensor) -> None:
    assert_type(temperfill.load("base"), Inpainter)
    assert_type(temperfill.inpaint(picture, "mask.png", model="base", feather=2), Image.Image)
    assert_type(temperfill.inpaint(picture, "mask.png", output_type="np"), NDArray[Any])
    assert_type(temperfill.inpaint(tensor, tensor, device="cpu"), Tensor)
    assert_type(temperfill.inpaint([tensor], tensor, output_type="pil"), list[Image.Image])
    assert_type(temperfill.inpaint([picture], tensor), list[Image.Image])
    assert_type(temperfill.inpaint(picture, tensor, seed=(0, 1), model="open"), list[Image.Image])
    assert_type(temperfill.inpaint(picture, tensor, seed=1, output_type="np"), NDArray[Any])
    assert_type(temperfill.inpaint(tensor, tensor, seed=(0, 1)), list[Tensor])
