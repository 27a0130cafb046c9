"""Grids on which the synthetic chest CT can be made."""

from __future__ import annotations

import numpy as np

from ..volume import Grid, GridSpacing


def default_grid() -> Grid:
    """Return a grid along the patient's axes from the root of the neck to the upper abdomen, 1.4 x 1.4 x 2.8 mm."""
    return Grid((112, 256, 256), GridSpacing(1.4, 1.4, 2.8), (-178.5, -170.5, -200.0))


def oblique_grid() -> Grid:
    """Return a grid of the same region that is rotated about all three patient axes and has other voxel sizes."""
    tilt, turn, roll = np.radians([9.0, -12.0, 7.0])
    about_x = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    about_y = np.array([[np.cos(roll), 0, np.sin(roll)], [0, 1, 0], [-np.sin(roll), 0, np.cos(roll)]])
    about_z = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    direction = about_z @ about_x @ about_y
    shape, spacing = (130, 220, 230), GridSpacing(1.7, 1.6, 2.6)
    half = np.asarray(shape[::-1]) * spacing / 2
    origin = np.array([0.0, 5.0, -45.0]) - direction @ half
    x, y, z = map(float, origin)
    return Grid(shape, spacing, (x, y, z), tuple(map(float, direction.ravel())))
