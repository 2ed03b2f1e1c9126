"""Texture copied into thick holes: when, what of, and what stays as it was."""

from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits
from torch import Tensor

from temperfill.geometry import SizeRule
from temperfill.inpainter import Inpainter, texture
from temperfill.inpainter.plan import copies, divide
from temperfill.methods.contract import Abilities
from temperfill.options import FillOptions


class Mean:
    """Fills holes with the mean of what is known, as a network does that knows nothing."""

    name = "mean"
    size_rule = SizeRule(4, 4)
    abilities = Abilities(start=True)
    sources = None
    use_less_memory = None

    def __call__(self, image: Tensor, mask: Tensor, *_: Any, start: Tensor | None = None, **__: Any) -> Tensor:
        known = 1 - mask
        mean = (image * known).sum((2, 3), keepdim=True) / known.sum((2, 3), keepdim=True).clamp_min(1)
        return mean.expand_as(image).clone()


class Plain(Mean):
    """The same, as a method that cannot refine."""

    abilities = Abilities()


def grains(height: int = 660, width: int = 680) -> Any:
    return np.random.default_rng(0).integers(60, 200, (height, width, 3), np.uint8)


def hole(image: Any, across: int = 60) -> Any:
    mask = np.zeros(image.shape[:2], bool)
    mask[200 : 200 + across, 240 : 240 + across] = True
    return mask


def filled(image: Any, mask: Any, method: Any = None, **options: Any) -> Any:
    return Inpainter(method or Mean(), "cpu")(image, mask, output_type="np", **options)


def test_a_thick_hole_has_the_grain_of_the_picture() -> None:
    image = grains()
    mask = hole(image)
    result, drawn = filled(image, mask), filled(image, mask, texture="network")
    assert drawn[mask].std() < 3
    assert 0.8 < result[mask].std() / image.std() < 1.1
    for one in (result, drawn):
        assert np.array_equal(one[~mask], image[~mask])


def test_small_pictures_and_thin_holes_are_left_to_the_network() -> None:
    small = grains(256, 256)
    mask = np.zeros((256, 256), bool)
    mask[60:160, 80:180] = True
    assert np.array_equal(filled(small, mask), filled(small, mask, texture="network"))
    large = grains()
    thin = hole(large, 36)
    assert np.array_equal(filled(large, thin), filled(large, thin, texture="network"))
    assert not np.array_equal(filled(large, thin, texture="copy"), filled(large, thin, texture="network"))


@pytest.mark.parametrize(("bulge", "is_copied"), [(36, False), (46, True)])
def test_pieces_of_one_long_hole_are_treated_alike(bulge: int, is_copied: bool) -> None:
    mask = np.zeros((900, 1400), bool)
    mask[300:336, 60:1300] = True
    mask[300 : 300 + bulge, 700:800] = True
    pieces = divide(mask, FillOptions())
    assert len(pieces) > 3
    assert {copies(piece, mask.shape, FillOptions()) for piece in pieces} == {is_copied}


def test_a_method_that_cannot_refine_is_left_alone_unless_asked() -> None:
    image = grains()
    mask = hole(image)
    alone = filled(image, mask, Plain())
    assert np.array_equal(alone, filled(image, mask, Plain(), texture="network"))
    assert filled(image, mask, Plain(), texture="copy")[mask].std() > 3 * alone[mask].std()


def test_a_seed_gives_one_result_and_another_another() -> None:
    image = grains()
    mask = hole(image)
    first, again, other = (filled(image, mask, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first[mask], other[mask])
    assert abs(float(first[mask].std()) - float(other[mask].std())) < 3


@pytest.mark.parametrize("seed", [3.0, np.int64(3)])
def test_a_seed_may_be_any_whole_number(seed: Any) -> None:
    image = grains(120, 130)
    mask = np.zeros((120, 130), bool)
    mask[40:70, 50:90] = True
    first, other = (filled(image, mask, texture="copy", seed=one) for one in (3, seed))
    assert np.array_equal(first, other)


def test_a_shaded_sky_stays_smooth() -> None:
    """Within a level of the shading, where the network alone is many levels off."""
    image = shaded().round().astype(np.uint8)
    mask = hole(image)
    off = np.abs(filled(image, mask).astype(int) - image)[mask]
    assert off.mean() < 0.5
    assert off.max() <= 2


class Smooth(Mean):
    """Draws a thin hole as a network does, without grain."""

    abilities = Abilities(start=True, tone_drifts=True)


def shaded() -> Any:
    rows, columns = np.mgrid[0:660, 0:680]
    return np.stack([90 + rows / 12 + columns / 40, 120 + rows / 9, 200 - columns / 30], -1)


def fine(image: Any, mask: Any) -> float:
    """Deviation of differences of neighbours in a hole."""
    steps = np.diff(image.astype(float), axis=1)
    return float(steps[mask[:, 1:] & mask[:, :-1]].std())


def test_grain_goes_on_in_holes_that_the_network_fills_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    grainy = shaded() + np.random.default_rng(0).normal(0, 5, (660, 680, 3))
    image = grainy.clip(0, 255).round().astype(np.uint8)
    mask = hole(image, 30)
    result = filled(image, mask, Smooth())
    assert 0.85 < fine(result, mask) / fine(image, mask) < 1.15
    assert np.array_equal(result[~mask], image[~mask])
    assert np.array_equal(result, filled(image, mask, Smooth()))
    clean = shaded().round().astype(np.uint8)
    without = filled(clean, mask, Smooth())
    monkeypatch.setattr(texture, "continue_grain", None)
    monkeypatch.setattr(texture, "continue_noise", lambda *_: None)
    assert np.array_equal(without, filled(clean, mask, Smooth()))
    assert fine(filled(image, mask, Smooth()), mask) < 2


class Light(Mean):
    """Invents a lamp in the dark."""

    def __call__(self, image: Tensor, mask: Tensor, *rest: Any, start: Tensor | None = None, **options: Any) -> Tensor:
        drawn = super().__call__(image, mask)
        height, width = drawn.shape[2:]
        drawn[..., height * 2 // 5 : height * 9 // 20, width * 9 // 20 : width // 2] = 0.9
        return drawn


def test_no_light_is_invented_in_a_dark_corner() -> None:
    image = (grains() // 8).astype(np.uint8)
    mask = hole(image)
    assert filled(image, mask, Light(), texture="network")[mask].max() > 200
    assert filled(image, mask, Light())[mask].max() <= image[~mask].max() + 10


def test_what_other_holes_hide_is_not_copied() -> None:
    image = grains()
    mask = hole(image)
    mask[420:500, 260:420] = True
    other = image.copy()
    other[mask] = 255 - other[mask]
    assert np.array_equal(filled(image, mask)[mask], filled(other, mask)[mask])


def test_progress_rises_to_its_end_and_what_it_raises_ends_the_work() -> None:
    image = grains()
    mask = hole(image)
    told: list[tuple[int, int]] = []
    filled(image, mask, on_progress=lambda *step: told.append(step))
    assert told == sorted(told)
    assert {total for _, total in told} == {told[-1][0]}
    assert told[-1][0] > texture.STEPS

    def stop(done: int, total: int) -> None:
        if done == total - 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        filled(image, mask, on_progress=stop)


def test_what_was_drawn_stays_where_memory_does_not_suffice(monkeypatch: pytest.MonkeyPatch) -> None:
    image = grains()
    mask = hole(image)

    def fail(*_: Any) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(texture, "synthesise", fail)
    assert np.array_equal(filled(image, mask)[mask].std(0) < 3, [True] * 3)


def test_after_a_shortage_of_memory_something_smaller_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texture, "synthesise", lambda *_: None)  # takes seconds
    image, tried = grains(1100, 1100), []

    class Short(Mean):
        def __call__(
            self, image: Tensor, mask: Tensor, *rest: Any, start: Tensor | None = None, **options: Any
        ) -> Tensor:
            tried.append((tuple(image.shape[2:]), start is not None))
            if start is not None:
                raise MemoryError
            return super().__call__(image, mask)

    mask = np.zeros((1100, 1100), bool)
    mask[100:1000, 100:1000] = True
    filled(image, mask, Short())
    refined = [size for size, begun in tried if begun]
    assert refined == sorted(set(refined), reverse=True)


@pytest.mark.parametrize("size", [(5, 7), (1, 700), (900, 1), (64, 64)])
@pytest.mark.parametrize("share", [0.5, 1.0])
def test_any_size_and_share(size: tuple[int, int], share: float) -> None:
    image = grains(*size)
    mask = np.zeros(size, bool)
    mask[: int(np.ceil(size[0] * share)), : int(np.ceil(size[1] * share))] = True
    result = Inpainter(Mean(), "cpu")(image, mask, texture="copy", output_type="np")
    assert np.array_equal(result[~mask], image[~mask])


def test_copies_have_the_depth_and_opacity_of_the_picture() -> None:
    """Sixteen bits are copied as such, and opacity is none of it."""
    shown = grains(120, 130)
    mask = np.zeros((120, 130), bool)
    mask[40:70, 50:90] = True
    wide = shown.astype(np.uint16) * 257 + np.random.default_rng(1).integers(-90, 90, shown.shape).astype(np.uint16)
    found = filled(wide, mask, texture="copy")
    assert found.dtype == np.uint16
    assert np.array_equal(found[~mask], wide[~mask])
    assert len(np.unique(found[mask] % 257)) > 200
    opacity = np.random.default_rng(2).integers(0, 256, (120, 130, 1), np.uint8)
    found = filled(np.concatenate([shown, opacity], 2), mask, texture="copy")
    assert np.array_equal(found[..., 3:], opacity)
    assert np.array_equal(found[..., :3], filled(shown, mask, texture="copy"))


@pytest.mark.parametrize("mask_at", [np.s_[6:114, 6:124], np.s_[:, 20:], np.s_[:90, :90]])
def test_holes_with_little_around_them(mask_at: Any) -> None:
    """Fewer known pixels than the hole has, in the middle, along a side and in a corner."""
    image = grains(120, 130)
    mask = np.zeros((120, 130), bool)
    mask[mask_at] = True
    found = filled(image, mask, texture="copy")
    assert np.array_equal(found[~mask], image[~mask])
    assert image.min() - 10 <= found[mask].min() <= found[mask].max() <= image.max() + 10


def test_blas_has_one_thread_while_texture_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several, most would spin."""
    threads = []

    def looked_at(*arguments: Any) -> None:
        threads.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")

    monkeypatch.setattr(texture, "synthesise", looked_at)
    image = grains()
    with threadpool_limits(2, "blas"):
        filled(image, hole(image))
        after = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    assert threads
    assert set(threads) == {1}
    assert set(after) == {2}
