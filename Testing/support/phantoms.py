"""The phantom on coarse grids, on which the networks take seconds. Each phantom is made once."""

from __future__ import annotations

from functools import cache

import numpy as np

from CovidSegLib.phantom import Phantom, default_grid, make_phantom, oblique_grid
from CovidSegLib.volume import Grid

#: 31 thick slices.
COARSE = Grid((31, 163, 163), (2.2, 2.2, 10.0), default_grid().origin)
#: The upper half of this grid, which ends in the middle of the lungs.
UPPER = Grid((16, 163, 163), COARSE.spacing, (*COARSE.origin[:2], COARSE.origin[2] + 15 * COARSE.spacing[2]))
#: LPS position in mm of the centre of the body, which all grids contain.
CENTRE = np.array([0.0, 5.0, -45.0])


def flipped_oblique_grid() -> Grid:
    """Return an oblique grid with slices of 5 mm, in which columns and slices run in the opposite direction."""
    direction = np.reshape(oblique_grid().direction, (3, 3)) @ np.diag([-1.0, 1.0, -1.0])
    shape, spacing = (66, 158, 172), (2.2, 2.3, 5.0)
    x, y, z = map(float, CENTRE - direction @ (np.asarray(shape[::-1]) * spacing / 2))
    return Grid(shape, spacing, (x, y, z), tuple(map(float, direction.ravel())))


@cache
def phantom_on(grid: Grid, infected: bool = True) -> Phantom:
    """Return the phantom on a grid."""
    return make_phantom(grid, infected=infected)


def dice(prediction: np.ndarray, target: np.ndarray) -> float:
    """Return the Dice coefficient of two boolean masks, computed from its definition."""
    return 2 * float((prediction & target).sum()) / float(prediction.sum() + target.sum())
