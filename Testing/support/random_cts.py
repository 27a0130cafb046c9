"""Random grids and Hounsfield units, to be written to files and read back."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from CovidSegLib.volume import Grid


def noise(shape: tuple[int, int, int] = (12, 16, 20), seed: int = 0) -> np.ndarray:
    """Return random int16 HU (z, y, x) from air to soft tissue."""
    return np.random.default_rng(seed).integers(-1024, 400, shape).astype(np.int16)


@st.composite
def oblique_grids(draw: st.DrawFn) -> Grid:
    """Small grids with arbitrary rotations and flips and anisotropic voxels."""
    shape = draw(st.tuples(*[st.integers(2, 6)] * 3))
    spacing = draw(st.tuples(*[st.floats(0.3, 8)] * 3))
    origin = draw(st.tuples(*[st.floats(-600, 600)] * 3))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    axes = np.linalg.qr(random.normal(size=(3, 3)))[0] if draw(st.booleans()) else np.eye(3)
    axes = axes[:, draw(st.permutations(range(3)))] * draw(st.tuples(*[st.sampled_from((-1, 1))] * 3))
    return Grid(shape, spacing, origin, tuple(map(float, axes.ravel())))


def corners(grid: Grid) -> np.ndarray:
    """Return the LPS positions (8, 3) in mm of the outermost voxel centres, in the order of their indices (z, y, x)."""
    index = np.indices((2, 2, 2)).reshape(3, -1)[::-1] * (np.array(grid.shape[::-1]) - 1)[:, None]
    return (grid.affine_lps @ np.vstack([index, np.ones(8)]))[:3].T
