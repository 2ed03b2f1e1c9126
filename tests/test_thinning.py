"""Lines one pixel wide, compared with scikit-image's."""

import numpy as np
from scipy import ndimage
from skimage.morphology import skeletonize

from temperfill.thinning import thin


def test_lines_are_thinned_as_scikit_image_does_it() -> None:
    rng = np.random.default_rng(0)
    for blur in (0, 0.7, 1, 2):
        for _ in range(40):
            values = ndimage.gaussian_filter(rng.random(rng.integers(1, 60, 2)), blur)
            lines = values > np.quantile(values, rng.choice([0.3, 0.5]))
            kept = lines.copy()
            assert np.array_equal(thin(lines), skeletonize(lines))
            assert np.array_equal(lines, kept)
