"""Grids as produced by scanners and exporters, and a small chest on one of them."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from CovidSegLib.segmentation import Segmentation
from CovidSegLib.volume import Grid, Volume


def rotation(a: float, b: float, c: float) -> np.ndarray:
    """Return the rotation matrix for three angles in degrees about x, y and z."""
    (ca, sa), (cb, sb), (cc, sc) = ((math.cos(math.radians(v)), math.sin(math.radians(v))) for v in (a, b, c))
    about_x = np.array([[1, 0, 0], [0, ca, -sa], [0, sa, ca]])
    about_y = np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]])
    about_z = np.array([[cc, -sc, 0], [sc, cc, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def grid_of(shape, spacing=(1.0, 1.0, 1.0), origin=(0.0, 0.0, 0.0), angles=(0, 0, 0), flips=(1, 1, 1)) -> Grid:
    """Return a grid with rotated axes. Flips of -1 reverse an axis, which can make the grid left-handed."""
    direction = rotation(*angles) @ np.diag(flips)
    return Grid(tuple(shape), tuple(spacing), tuple(origin), tuple(float(part) for part in direction.ravel()))


SMALL = st.tuples(*[st.integers(3, 9)] * 3)
SPACINGS = st.floats(0.3, 6.0)


@st.composite
def grids(draw, shapes=SMALL, spacings=SPACINGS):
    """Arbitrary grids: oblique, flipped, anisotropic, far from the origin."""
    return grid_of(
        draw(shapes),
        [draw(spacings) for _ in range(3)],
        [draw(st.floats(-800, 800)) for _ in range(3)],
        [draw(st.floats(-180, 180)) for _ in range(3)],
        [draw(st.sampled_from([1, -1])) for _ in range(3)],
    )


def positions(grid: Grid) -> np.ndarray:
    """Return the LPS positions (z, y, x, 3) of all voxels in mm, computed from the definition of the grid."""
    z, y, x = np.indices(grid.shape)
    axes = np.reshape(grid.direction, (3, 3))
    steps = [
        index[..., None] * spacing * axes[:, axis]
        for axis, (index, spacing) in enumerate(zip((x, y, z), grid.spacing, strict=True))
    ]
    return np.asarray(grid.origin) + sum(steps)


def middle(grid: Grid) -> np.ndarray:
    """Return the LPS position of the centre of a grid in mm."""
    return positions(grid).reshape(-1, 3).mean(axis=0)


def ball(grid: Grid, centre, radius: float) -> np.ndarray:
    """Return a mask (z, y, x) of a ball, given its LPS centre and radius in mm."""
    return ((positions(grid) - np.asarray(centre)) ** 2).sum(axis=-1) <= radius**2


def chest(grid: Grid | None = None, provenance=None) -> tuple[Volume, Segmentation]:
    """Return two lungs with a lesion in each. One lesion touches the border of the grid."""
    grid = grid or grid_of((20, 30, 40), (2.0, 1.8, 2.5), (-40.0, 30.0, -900.0), (7, -12, 21))
    depth, height, width = grid.shape
    lungs = np.zeros(grid.shape, np.uint8)
    lungs[:, height // 6 : -height // 6, width // 10 : width * 4 // 10] = 1
    lungs[1:-1, height // 6 : -height // 6, width * 6 // 10 : width * 9 // 10] = 2
    infection = np.zeros(grid.shape, bool)
    infection[: depth // 3, height // 3 : height // 2, width // 8 : width // 4] = True
    infection[depth // 2 : depth * 3 // 4, height // 3 : height // 2, width * 7 // 10 : width * 8 // 10] = True
    array = np.where(infection, -300, np.where(lungs > 0, -850, 40)).astype(np.int16)
    volume = Volume(array, grid, {"kind": "NIfTI"}, ("The slices are thick.",))
    provenance = provenance or {"versions": {"covidseg": "1.0"}, "model": {"name": "demo", "sha256": "ab" * 32}}
    probability = infection.astype(np.uint8) * 200
    return volume, Segmentation(lungs, infection, probability, grid, provenance, ("The slices are thick.",))
