"""Random holes: seeded, of any size, in their ratio bins, and never from the global generator."""

import hashlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from temperfill.config import DataConfig
from temperfill.masks import (
    Mask,
    border,
    by_ratio,
    default_scale,
    for_training,
    free_form,
    free_form_square,
    square,
    thick,
)

Draw = Callable[[int, int, np.random.Generator], Mask]
KINDS: dict[str, Draw] = {
    "free_form": free_form,
    "square": square,
    "free_form_square": free_form_square,
    "thick": thick,
    "border": border,
    "by_ratio": lambda height, width, rng: by_ratio(height, width, 0.2, 1.0, rng),
}
SIZES = [(1, 1), (1, 50), (2, 3), (16, 16), (37, 1000), (1000, 37), (256, 256)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", SIZES)
def test_any_size_gives_a_boolean_mask_that_the_seed_determines(kind: str, size: tuple[int, int]) -> None:
    masks = [KINDS[kind](*size, np.random.default_rng(seed)) for seed in (5, 5, 6, 7, 8)]
    assert all(mask.shape == size and mask.dtype == np.bool_ for mask in masks)
    assert np.array_equal(masks[0], masks[1])
    if size[0] * size[1] > 100:
        assert len({mask.tobytes() for mask in masks}) == 4


@pytest.mark.parametrize("kind", KINDS)
def test_the_global_generator_is_neither_read_nor_moved(kind: str) -> None:
    masks = []
    for seed in (1, 2):
        np.random.seed(seed)
        before = np.random.get_state()[1].copy()  # type: ignore[index, union-attr]
        masks.append(KINDS[kind](64, 64, np.random.default_rng(3)))
        assert np.array_equal(np.random.get_state()[1], before)  # type: ignore[index]
    assert np.array_equal(*masks)


def sides(mask: Mask) -> tuple[int, int, int]:
    """Height and width of the hole's bounding box, and its pixels."""
    return int(mask.any(1).sum()), int(mask.any(0).sum()), int(mask.sum())


@pytest.mark.parametrize("seed", range(20))
def test_the_square_is_96_pixels_wide_at_256_and_whole(seed: int) -> None:
    rng = np.random.default_rng(seed)
    assert sides(square(256, 256, rng)) == (96, 96, 96**2)
    assert sides(square(512, 768, rng)) == (192, 192, 192**2)
    assert sides(square(64, 64, rng)) == (24, 24, 24**2)
    assert sides(square(256, 256, rng, scale=0.5)) == (48, 48, 48**2)
    assert sides(square(30, 500, rng, scale=1.0)) == (30, 96, 30 * 96)
    assert sides(square(1, 1, rng)) == (1, 1, 1)


def test_the_square_reaches_every_border() -> None:
    rng = np.random.default_rng(0)
    union = np.any([square(10, 12, rng) for _ in range(600)], 0)
    assert union.all()


def test_the_training_mask_is_the_union_of_strokes_and_square() -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        expected = free_form(128, 128, rng) | square(128, 128, rng)
        assert np.array_equal(free_form_square(128, 128, np.random.default_rng(seed)), expected)


def test_hole_ratios_of_training_masks() -> None:
    rng = np.random.default_rng(0)
    strokes = np.array([free_form(256, 256, rng).mean() for _ in range(300)])
    union = np.array([free_form_square(256, 256, rng).mean() for _ in range(300)])
    assert 0.1 < strokes.mean() < 0.25
    assert strokes.min() > 0
    assert strokes.std() > 0.04  # not all alike
    assert union.min() >= 96**2 / 256**2
    assert union.max() < 0.7
    assert strokes.mean() < union.mean() < strokes.mean() + 96**2 / 256**2


def test_ratios_do_not_depend_on_the_size() -> None:
    means = [
        np.mean([free_form(side, side, np.random.default_rng(seed)).mean() for seed in range(150)])
        for side in (64, 128, 256)
    ]
    assert max(means) - min(means) < 0.03


def test_strokes_are_as_thick_as_their_scale_says() -> None:
    """The thickest stroke is 40 pixels wide at 256: eroding a mask of one stroke by more leaves nothing."""
    thin = np.mean([free_form(256, 256, np.random.default_rng(s), scale=0.25).mean() for s in range(50)])
    thick = np.mean([free_form(256, 256, np.random.default_rng(s), scale=1.0).mean() for s in range(50)])
    assert 6 < thick / thin < 24  # length and thickness both grow four times, overlap and border take some back


def mean_run(masks: list[Mask]) -> float:
    """Mean length of the runs of missing pixels in the rows."""
    starts = sum(int((mask & ~np.pad(mask, ((0, 0), (1, 0)))[:, :-1]).sum()) for mask in masks)
    return sum(int(mask.sum()) for mask in masks) / starts


def across_and_down(draw: Callable[[np.random.Generator], Mask], count: int) -> tuple[float, float]:
    masks = [draw(np.random.default_rng(seed)) for seed in range(count)]
    return mean_run(masks), mean_run([mask.T for mask in masks])


def test_strokes_run_up_and_down_as_those_of_deepfillv2() -> None:
    """600 masks of an implementation after its code: 36.3 across, 59.1 down."""
    across, down = across_and_down(lambda rng: free_form(256, 256, rng), 150)
    assert across == pytest.approx(36.3, abs=2.5)
    assert down == pytest.approx(59.1, abs=4)
    across, down = across_and_down(lambda rng: by_ratio(128, 128, 0.3, 0.4, rng), 30)
    assert 1.3 * across < down


def test_strokes_go_on_to_the_right() -> None:
    """Both angles of the zig-zag have a positive cosine; the first segment goes up."""
    masks = np.mean([free_form(256, 256, np.random.default_rng(seed)) for seed in range(150)], 0)
    assert masks[:, 192:].mean() > 1.5 * masks[:, :64].mean()
    assert 1.1 < masks[:64].mean() / masks[192:].mean() < 1.4


def test_turned_strokes_are_those_of_earlier_runs() -> None:
    """Bit for bit what was drawn before strokes had a direction to choose, on pictures of any shape."""
    total = hashlib.sha256()
    for seed, size in enumerate([(64, 64), (256, 256), (37, 100), (192, 192)]):
        mask = free_form_square(*size, np.random.default_rng(seed), strokes="turned")
        total.update(np.packbits(mask).tobytes())
    assert total.hexdigest() == "755eec29b6aa9ce5a7ed7c73e143061ea7b1603f7878b13b76d26550fbe1ce7d"
    upright = free_form(50, 90, np.random.default_rng(1))
    assert np.array_equal(upright, free_form(90, 50, np.random.default_rng(1), strokes="turned").T)


def test_default_scale_is_the_shorter_side() -> None:
    assert default_scale(256, 1000) == 1
    assert default_scale(1000, 64) == 0.25


@pytest.mark.parametrize("low", [0.0, 0.1, 0.2, 0.3, 0.4])
@pytest.mark.parametrize("size", [(256, 256), (97, 203)])
def test_the_papers_bins_are_met(low: float, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    shares = np.array([by_ratio(*size, low, low + 0.1, rng).mean() for _ in range(12)])
    assert ((shares > low) & (shares <= low + 0.1)).all()
    assert np.ptp(shares) > 0.02  # spread over the bin


SHARES = st.floats(0, 1, allow_subnormal=False)  # the tests flush denormals


@settings(deadline=None, max_examples=80)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    bounds=st.tuples(SHARES, SHARES).map(sorted),
    seed=st.integers(0, 2**32),
)
@example(height=2, width=5, bounds=[0.65, float(np.nextafter(0.7, 0))], seed=0)
@example(height=10, width=10, bounds=[0.28, 0.29], seed=0)
@example(height=6, width=6, bounds=[0.99, 1.0], seed=0)
@example(height=7, width=3, bounds=[0.0, 1 / 21], seed=0)
def test_a_bin_is_met_exactly_or_refused_as_empty(height: int, width: int, bounds: list[float], seed: int) -> None:
    low, high = bounds
    possible = low < high and any(low < count / (height * width) <= high for count in range(height * width + 1))
    if possible:
        assert low < by_ratio(height, width, low, high, np.random.default_rng(seed)).mean() <= high
    else:
        with pytest.raises(ValueError, match="ratio"):
            by_ratio(height, width, low, high, np.random.default_rng(seed))


@pytest.mark.parametrize(("low", "high"), [(0.3, 0.3), (0.4, 0.3), (-0.1, 0.2), (0.5, 1.1), (float("nan"), 0.5)])
def test_bounds_that_are_no_bin_are_refused(low: float, high: float) -> None:
    with pytest.raises(ValueError, match=r"0 <= low < high <= 1"):
        by_ratio(64, 64, low, high, np.random.default_rng(0))


def test_a_bin_without_a_pixel_count_is_refused_instead_of_searched_for_ever() -> None:
    with pytest.raises(ValueError, match=r"no hole of a 2x2 picture has a ratio in \(0\.3, 0\.4\]"):
        by_ratio(2, 2, 0.3, 0.4, np.random.default_rng(0))


@pytest.mark.parametrize("size", SIZES)
def test_thick_holes_and_borders_leave_something_known_and_something_missing(size: tuple[int, int]) -> None:
    for seed in range(5):
        for mask in (thick(*size, np.random.default_rng(seed)), border(*size, np.random.default_rng(seed))):
            assert mask.any()
            assert not mask.all() or mask.size == 1


def test_thick_holes_are_as_deep_as_removed_objects() -> None:
    depths = [ndimage.distance_transform_edt(thick(512, 512, np.random.default_rng(seed))).max() for seed in range(30)]
    assert 40 < np.median(depths) < 128  # twice 32 to 64 pixels from the middle to the outline, less where it is uneven


def test_borders_are_whole_strips() -> None:
    for seed in range(20):
        mask = border(64, 80, np.random.default_rng(seed))
        rows, columns = mask.all(1), mask.all(0)
        assert np.array_equal(mask, rows[:, None] | columns[None, :])
        assert (~rows).sum() >= 64 - 2 * 24
        assert (~columns).sum() >= 80 - 2 * 30


def test_training_draws_the_kinds_in_their_shares_and_plain_runs_as_before() -> None:
    def draw(seed: int, **fields: float) -> Mask:
        return for_training(DataConfig(**fields), 64, np.random.default_rng(seed))  # type: ignore[arg-type]

    for seed in range(5):
        assert np.array_equal(draw(seed), free_form_square(64, 64, np.random.default_rng(seed)))
    known = {
        mask.tobytes()
        for seed in range(40)
        for mask in [draw(seed, thick_share=0.25, border_share=0.25)]
        if (mask.all(0) | mask.all(1)[:, None])[mask].all()
    }
    assert 3 <= len(known) <= 20
    with pytest.raises(ValueError, match="at most 1 together"):
        DataConfig(thick_share=0.6, border_share=0.6)
