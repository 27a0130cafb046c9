"""Work at a lower resolution, with every n-th voxel of an array."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .volume import AxialSpacing


def coarse_steps(spacing: AxialSpacing, resolution_mm: float) -> tuple[int, int, int]:
    """Return the steps in voxels along each axis that come nearest to a resolution.

    >>> coarse_steps(AxialSpacing(5.0, 0.7, 0.7), 3.0)
    (1, 4, 4)
    """
    slices, rows, columns = (max(1, round(resolution_mm / mm)) for mm in spacing)
    return slices, rows, columns


def repeat_to(coarse: np.ndarray, steps: Sequence[int], shape: tuple[int, ...]) -> np.ndarray:
    """Repeat the voxels of a coarse array to obtain the full shape.

    Args:
        coarse: The array, of every n-th voxel.
        steps: The number n along each axis.
        shape: Shape of the result.
    """
    for axis, step in enumerate(steps):
        coarse = np.repeat(coarse, step, axis=axis)
    return coarse[tuple(slice(length) for length in shape)]
