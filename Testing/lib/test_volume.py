"""Volumes and grids: positions of voxels, and conversion to SimpleITK and back."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from support.grids import grids, positions

from CovidSegLib.volume import AxialScan, AxialSpacing, Grid, GridSpacing, Volume


@settings(max_examples=50, deadline=None)
@given(grid=grids(), seed=st.integers(0, 1000))
def test_positions_agree_with_simpleitk_and_the_definition(grid: Grid, seed: int) -> None:
    array = np.random.default_rng(seed).integers(-1024, 3000, grid.shape).astype(np.int16)
    image = Volume(array, grid).to_image()
    index = np.random.default_rng(seed).integers(0, grid.shape)  # z, y, x
    x_y_z = tuple(int(value) for value in index[::-1])
    assert image[x_y_z] == array[tuple(index)]
    point = image.TransformIndexToPhysicalPoint(x_y_z)
    np.testing.assert_allclose((grid.affine_lps @ (*x_y_z, 1))[:3], point, atol=1e-6)
    np.testing.assert_allclose(positions(grid)[tuple(index)], point, atol=1e-6)
    right, anterior, superior = (grid.affine_ras @ (*x_y_z, 1))[:3]
    np.testing.assert_allclose((-right, -anterior, superior), point, atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(grid=grids(), seed=st.integers(0, 1000))
def test_conversion_to_simpleitk_and_back(grid: Grid, seed: int) -> None:
    array = np.random.default_rng(seed).integers(-1024, 3000, grid.shape).astype(np.int16)
    back = Volume.of_image(Volume(array, grid).to_image(), source={"format": "NIfTI"}, warnings=("Thick.",))
    np.testing.assert_array_equal(back.array, array)
    assert back.array.dtype == np.int16
    assert back.grid == grid
    assert (back.source, back.warnings) == ({"format": "NIfTI"}, ("Thick.",))


def test_the_volume_of_a_voxel() -> None:
    assert Grid((2, 2, 2), (0.5, 2.0, 5.0)).voxel_ml == pytest.approx(0.005)


def test_the_axes_are_z_y_x() -> None:
    image = sitk.Image([5, 4, 3], sitk.sitkInt16)
    image[4, 0, 0] = 7
    volume = Volume.of_image(image)
    assert volume.grid.shape == volume.array.shape == (3, 4, 5)
    assert volume.array[0, 0, 4] == 7


def test_the_shape_of_the_array_must_be_that_of_the_grid() -> None:
    grid = Grid((3, 4, 5))
    with pytest.raises(ValueError, match="does not lie on a grid"):
        Volume(np.zeros((5, 4, 3), np.int16), grid)
    with pytest.raises(ValueError, match="does not lie on a grid"):
        grid.to_image(np.zeros((3, 4), np.uint8))


def test_a_grid_rejects_the_spacing_of_axial_slices() -> None:
    with pytest.raises(TypeError, match=r"along \(x, y, z\)"):
        Grid((3, 4, 5), AxialSpacing(2.0, 1.0, 1.0))
    assert Grid((3, 4, 5), (1.0, 1.0, 2.0)).spacing == GridSpacing(x=1.0, y=1.0, z=2.0)


def test_consecutive_slices_of_a_scan() -> None:
    scan = AxialScan(np.arange(24).reshape(4, 2, 3), AxialSpacing(5.0, 0.5, 2.0))
    part = scan[1:3]
    assert len(part) == 2 and part.shape == (2, 2, 3) and part.spacing is scan.spacing
    np.testing.assert_array_equal(part.hu, scan.hu[1:3])
    assert scan.spacing.voxel_ml == pytest.approx(0.005) and scan.spacing.pixel_mm == (0.5, 2.0)
