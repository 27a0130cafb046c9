"""Bring a mask onto the grid of the CT, where both have the same voxels in another order.

Programs that convert or load DICOM may reverse or permute axes, and may crop: Slicer crops segments, NIfTI converters
flip rows. No value is interpolated.
"""

from __future__ import annotations

import numpy as np

from .errors import InputError
from .volume import Grid

#: Voxel centres that differ by no more than this fraction of a voxel are the same.
TOLERANCE = 0.02


def onto_grid(array: np.ndarray, grid: Grid, target: Grid) -> np.ndarray:
    """Return an array on another grid with the same voxels: reversed, permuted, cropped or padded with zeros.

    Args:
        array: (z, y, x) on `grid`.
        grid: Grid of the array.
        target: The grid that is wanted.

    Raises:
        InputError: The voxels of the two grids do not coincide, or something non-zero lies outside the target.
    """
    # Column k of `step` is how far an index on the target moves when index k of the array grows by one, in (x, y, z).
    to_target = np.linalg.inv(target.affine_lps) @ grid.affine_lps
    step, start = np.rint(to_target[:3, :3]), np.rint(to_target[:3, 3])
    corners = np.array(
        [[x, y, z, 1] for z in (0, grid.shape[0]) for y in (0, grid.shape[1]) for x in (0, grid.shape[2])]
    )
    exact = corners @ to_target[:3].T
    rounded = corners @ np.column_stack([step, start]).T
    is_permutation = np.array_equal(np.abs(step) @ np.ones(3), np.ones(3)) and abs(round(np.linalg.det(step))) == 1
    if not is_permutation or np.abs(exact - rounded).max() > TOLERANCE:
        raise InputError(
            "The masks do not lie on the voxels of the CT: this is not the CT that was segmented, or it was resampled. "
            "Give the CT that was segmented."
        )
    axes = [int(np.flatnonzero(row)[0]) for row in step]  # axis of the array for x, y and z of the target
    moved = array.transpose(*(2 - axes[k] for k in (2, 1, 0)))
    result = np.zeros(target.shape, array.dtype)
    source, destination = [], []
    for axis, k in enumerate((2, 1, 0)):
        size, sign = moved.shape[axis], int(step[k, axes[k]])
        first = int(start[k]) if sign > 0 else int(start[k]) - size + 1
        low, high = max(0, first), min(target.shape[axis], first + size)
        source.append(slice(low - first, max(low, high) - first))
        destination.append(slice(low, max(low, high)))
        moved = moved if sign > 0 else np.flip(moved, axis)
    result[tuple(destination)] = moved[tuple(source)]
    if np.count_nonzero(result) != np.count_nonzero(array):
        raise InputError(
            "The masks reach beyond the CT: this is not the CT that was segmented, or it is not complete. Give the CT "
            "that was segmented."
        )
    return result
