"""The phantom on coarse grids, on which the networks take seconds. Each is made once."""

from __future__ import annotations

from functools import cache

import numpy as np

from CovidSegLib.phantom import Phantom, default_grid, make_phantom, oblique_grid
from CovidSegLib.volume import Grid

#: Thick slices: thirty go through the networks.
COARSE = Grid((31, 163, 163), (2.2, 2.2, 10.0), default_grid().origin)
#: Of these, the upper half: cut off in the middle of the lungs.
UPPER = Grid((16, 163, 163), COARSE.spacing, (*COARSE.origin[:2], COARSE.origin[2] + 15 * COARSE.spacing[2]))
#: The middle of the body that all grids show.
CENTRE = np.array([0.0, 5.0, -45.0])


def turned_back_to_front() -> Grid:
    """An oblique grid with slices of 5 mm, whose columns and slices run the other way."""
    direction = np.reshape(oblique_grid().direction, (3, 3)) @ np.diag([-1.0, 1.0, -1.0])
    shape, spacing = (66, 158, 172), (2.2, 2.3, 5.0)
    x, y, z = map(float, CENTRE - direction @ (np.asarray(shape[::-1]) * spacing / 2))
    return Grid(shape, spacing, (x, y, z), tuple(map(float, direction.ravel())))


@cache
def phantom_on(grid: Grid, infected: bool = True) -> Phantom:
    """The phantom on a grid."""
    return make_phantom(grid, infected=infected)


def dice(found: np.ndarray, true: np.ndarray) -> float:
    """Dice of two boolean masks, from its definition."""
    return 2 * float((found & true).sum()) / float(found.sum() + true.sum())
