"""The CT and its masks on the patient's axes."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from support.grids import chest, grid_of

from CovidSegLib.figures.oriented_scan import OrientedScan
from CovidSegLib.segmentation import Segmentation
from CovidSegLib.volume import Grid, Volume

SHAPE, SPACING, ORIGIN = (20, 30, 40), (6.0, 7.0, 12.0), (-100.0, 40.0, 25.0)
GRIDS = {
    "straight": grid_of(SHAPE, SPACING, ORIGIN),
    "flipped": grid_of(SHAPE, SPACING, ORIGIN, flips=(-1, 1, -1)),
    "oblique": grid_of(SHAPE, SPACING, ORIGIN, angles=(10, -8, 5), flips=(1, -1, 1)),
    "sagittal": Grid(SHAPE, SPACING, ORIGIN, (0, 0, 1, 1, 0, 0, 0, 1, 0)),
}
both = pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)


def oriented(grid: Grid) -> tuple[Volume, Segmentation, OrientedScan]:
    volume, segmentation = chest(grid)
    return volume, segmentation, OrientedScan.of(volume, segmentation)


@both
def test_arrays_are_those_of_simpleitk_and_share_memory(grid: Grid) -> None:
    volume, segmentation, scan = oriented(grid)
    expected = sitk.DICOMOrient(volume.to_image(), "LPS")
    np.testing.assert_array_equal(scan.hu, sitk.GetArrayViewFromImage(expected))
    assert scan.spacing == pytest.approx(expected.GetSpacing()[::-1])
    labels = sitk.DICOMOrient(grid.to_image(segmentation.labels), "LPS")
    everywhere = (slice(None),) * 3
    for name, label in (("right", 1), ("left", 2)):
        found = scan.mask(name, everywhere) & ~scan.mask("infection", everywhere)
        np.testing.assert_array_equal(found, sitk.GetArrayViewFromImage(labels) == label)
    assert np.shares_memory(scan.hu, volume.array)  # a copy of each array of a long CT would need 0.5 GB


@both
def test_positions_are_those_of_the_slices(grid: Grid) -> None:
    volume, _, scan = oriented(grid)
    image = sitk.DICOMOrient(volume.to_image(), "LPS")
    for axis, sides in ((0, "IS"), (1, "AP"), (2, "RL")):
        for index in (0, 7, scan.hu.shape[axis] - 1):
            voxel = [n / 2 for n in image.GetSize()]
            voxel[2 - axis] = index
            lps = image.TransformContinuousIndexToPhysicalPoint(voxel)[2 - axis]
            assert scan.position(axis, index) == f"{sides[int(lps > 0)]} {abs(lps):.0f} mm"
