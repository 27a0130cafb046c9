"""Upper, middle and lower zone of a lung: thirds of its height."""

from __future__ import annotations

import numpy as np

from ..masks import bounding_box
from ..volume import Grid

#: Zones of a lung from top to bottom. Radiologists divide the lungs at the carina and at the inferior pulmonary veins.
#: These are not segmented here, so each lung is divided into three parts of the same height instead.
ZONES = ("upper", "middle", "lower")

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
