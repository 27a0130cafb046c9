"""Pairs of masks, prediction and target, for tests of metrics."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from CovidSegLib.volume import AxialSpacing

#: mm along (z, y, x).
SPACING = AxialSpacing(5.0, 0.7, 0.9)
EMPTY = np.zeros((3, 4, 5), dtype=bool)
#: A block of six voxels in the middle slice.
BLOCK = EMPTY.copy()
BLOCK[1, 1:3, 1:4] = True


def random_pair(seed: int, shape: tuple[int, int, int] = (9, 20, 24)) -> tuple[np.ndarray, np.ndarray]:
    """Two partly overlapping masks of several components, some of which touch the border of the array."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=shape)
    prediction, target = (gaussian_filter(shared + rng.normal(size=shape), (0.8, 2, 2)) > 0.15 for _ in range(2))
    assert (prediction & target).any()
    assert (prediction & ~target).any()
    assert (~prediction & target).any()
    return prediction, target
