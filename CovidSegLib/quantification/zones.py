"""Upper, middle and lower zone of a lung: thirds of its height, from its lowest to its highest voxel.

This is also the definition of Lung CT Analyzer. Radiologists divide the lungs at the carina and at the inferior
pulmonary veins. These are not segmented here.
"""

from __future__ import annotations

import numpy as np

from ..masks import Box, bounding_box
from ..segmentation import LEFT_LUNG, RIGHT_LUNG
from ..volume import Grid

#: Zones of a lung from top to bottom.
ZONES = ("upper", "middle", "lower")
#: Number of zones of both lungs.
ZONE_COUNT = 6

#: Every n-th row and column is enough to find the height of a lung.
_STEP = 4


def height_of(lung: np.ndarray, grid: Grid) -> tuple[float, float] | None:
    """Return the lowest and the highest position of a lung along the patient's axis from feet to head.

    Args:
        lung: Boolean (z, y, x).
        grid: Grid of the mask. It may be oblique or flipped.

    Returns:
        Both positions in mm, or None if the mask is empty.
    """
    box = bounding_box(lung)
    if box is None:
        return None
    steps = (1, _STEP, _STEP) if min(lung[box].shape[1:]) > 4 * _STEP else (1, 1, 1)
    index = np.argwhere(lung[box][:: steps[0], :: steps[1], :: steps[2]]) * steps
    if index.size == 0:  # the sampled rows and columns miss a thin lung
        index = np.argwhere(lung[box])
    height = superior(index + [part.start for part in box], grid)
    return float(height.min()), float(height.max())


def superior(index: np.ndarray, grid: Grid) -> np.ndarray:
    """Return the positions of voxels along the patient's axis from feet to head, in mm.

    Args:
        index: Indices (n, 3) in the order (z, y, x).
        grid: Grid of the array that the indices belong to.
    """
    row = grid.affine_ras[2]
    return np.asarray(index, float)[:, ::-1] @ row[:3] + row[3]


def zone_of(position: float, height: tuple[float, float]) -> str:
    """Return the zone at a position of a lung.

    >>> [zone_of(position, (0.0, 300.0)) for position in (299, 150, 20)]
    ['upper', 'middle', 'lower']
    """
    low, high = height
    share = (high - position) / (high - low) if high > low else 0.0
    return ZONES[min(max(int(3 * share), 0), 2)]


def heights(grid: Grid, box: Box) -> np.ndarray:
    """Return the height of voxel centres in mm towards the head, in a shape that broadcasts to the box (z, y, x).

    The array is small unless the grid is oblique.
    """
    per_x, per_y, per_z = (0.0 if abs(step) < 1e-6 else float(step) for step in grid.affine_lps[2, :3])
    total = np.full((1, 1, 1), grid.affine_lps[2, 3])
    for axis, step in enumerate((per_z, per_y, per_x)):
        if step:
            along = step * np.arange(box[axis].start, box[axis].stop)
            total = total + along.reshape([-1 if index == axis else 1 for index in range(3)])
    return total


def zone_limits(lungs: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Return the two heights that divide each lung into thirds, (2, 2): the right lung first, the lower height first.

    Args:
        lungs: uint8 (z, y, x): 0 outside, 1 right lung, 2 left lung.
        height: Heights that broadcast to the shape of the lungs, from `heights`.
    """
    limits = np.full((2, 2), np.nan)
    extended = [axis for axis, size in enumerate(height.shape) if size > 1]
    others = tuple(axis for axis in range(3) if axis not in extended)
    for row, label in enumerate((RIGHT_LUNG, LEFT_LUNG)):
        present = np.any(lungs == label, axis=others, keepdims=True)
        if present.any():
            found = np.broadcast_to(height, present.shape)[present]
            bottom, top = found.min(), found.max()
            limits[row] = bottom + (top - bottom) / 3, bottom + 2 * (top - bottom) / 3
    return limits


def zone_codes(lungs: np.ndarray, height: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Return the zone of each voxel: 0 outside, 1 to 3 right upper, middle, lower, 4 to 6 left.

    Args:
        lungs: uint8, any shape.
        height: Heights that broadcast to it.
        limits: From `zone_limits`.
    """
    codes = np.zeros(lungs.shape, np.uint8)
    for row, label in enumerate((RIGHT_LUNG, LEFT_LUNG)):
        zone = np.where(height > limits[row, 1], 1, np.where(height > limits[row, 0], 2, 3)).astype(np.uint8)
        np.copyto(codes, zone + np.uint8(3 * row), where=lungs == label)
    return codes
