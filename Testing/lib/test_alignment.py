"""Masks whose axes another program has reversed, permuted or cropped."""

from __future__ import annotations

import numpy as np
import pytest
from support import dicom_results
from support.dicom_results import masks

from CovidSegLib.alignment import onto_grid
from CovidSegLib.errors import InputError
from CovidSegLib.volume import Grid


def test_onto_a_grid_that_is_flipped_and_cropped() -> None:
    _, lungs, _ = masks()
    target = dicom_results.oblique()
    part = lungs[1:11, 5:36, 2:46][::-1, :, ::-1]
    affine = target.affine_lps
    origin = (affine @ [45, 5, 10, 1])[:3]
    direction = np.reshape(target.direction, (3, 3)) * [-1, 1, -1]
    grid = Grid(part.shape, target.spacing, tuple(origin), tuple(direction.ravel()))
    np.testing.assert_array_equal(onto_grid(part, grid, target), lungs)


def test_onto_a_grid_with_permuted_axes() -> None:
    _, lungs, _ = masks()
    target = dicom_results.oblique()
    direction = np.reshape(target.direction, (3, 3))[:, [2, 0, 1]]
    spacing = np.asarray(target.spacing)[[2, 0, 1]]
    moved = lungs.transpose(1, 2, 0)  # x, y, z of the new grid are z, x, y of the target
    grid = Grid(moved.shape, tuple(spacing), target.origin, tuple(direction.ravel()))
    np.testing.assert_array_equal(onto_grid(moved, grid, target), lungs)


@pytest.mark.parametrize("shift", [0.3, 0.5, 40.0])
def test_voxels_that_do_not_coincide(shift: float) -> None:
    _, lungs, _ = masks()
    grid = dicom_results.straight()
    moved = Grid(grid.shape, grid.spacing, (grid.origin[0] + shift, *grid.origin[1:]), grid.direction)
    with pytest.raises(InputError, match="Give the CT that was segmented"):
        onto_grid(lungs, grid, moved)
