"""Surface distances agree with MONAI on random masks and with values computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from monai.metrics import compute_hausdorff_distance, compute_surface_dice
from support.mask_pairs import BLOCK, EMPTY, SPACING, random_pair

from CovidSegLib.metrics.surface_distance import SurfaceDistances


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("spacing", [SPACING, (1.0, 1.0, 1.0), (2.0, 3.0, 0.5)])
def test_surface_distances_agree_with_monai(seed: int, spacing: tuple[float, float, float]) -> None:
    prediction, target = random_pair(seed)
    surface = SurfaceDistances.of(prediction, target, spacing)
    tensors = [torch.from_numpy(mask)[None, None].float() for mask in (prediction, target)]
    for tolerance in (0.5, 1.0, 3.0, 5.0):
        theirs = compute_surface_dice(*tensors, [tolerance], include_background=True, spacing=spacing)
        assert surface.dice(tolerance) == pytest.approx(theirs.item(), abs=1e-6)
    for percentile in (95.0, 100.0, 60.0):
        theirs = compute_hausdorff_distance(*tensors, include_background=True, percentile=percentile, spacing=spacing)
        assert surface.hausdorff(percentile) == pytest.approx(theirs.item(), rel=1e-5)


def test_surfaces_at_a_known_distance() -> None:
    """Two slabs, one of them 3 voxels deeper: the faces are 3 x 0.7 mm apart, the sides coincide."""
    prediction, target = np.zeros((2, 3, 12, 4), dtype=bool)
    target[1, 2:5], prediction[1, 2:8] = True, True
    surface = SurfaceDistances.of(prediction, target, SPACING)
    assert surface.target_to_prediction.size == 12  # all voxels of a single slice are surface voxels
    assert surface.hausdorff(100) == pytest.approx(2.1)
    assert surface.dice(2.1 + 1e-9) == 1.0
    assert surface.dice(1.5) == pytest.approx(32 / 36)
    assert surface.dice(0.0) == pytest.approx(24 / 36)


def test_a_mask_that_continues_beyond_the_scan_has_no_surface_at_its_ends() -> None:
    """A rod of 5 x 5 voxels through all four slices: 16 of the 25 voxels are on its side."""
    rod = np.zeros((4, 9, 9), dtype=bool)
    rod[:, 2:7, 2:7] = True
    assert SurfaceDistances.of(rod, rod, SPACING, open_ends=True).target_to_prediction.size == 4 * 16
    assert SurfaceDistances.of(rod, rod, SPACING).target_to_prediction.size == 2 * 16 + 2 * 25
    shorter = rod.copy()
    shorter[[0, 3]] = False  # ends within the scan
    assert SurfaceDistances.of(shorter, shorter, SPACING, open_ends=True).target_to_prediction.size == 2 * 25
    at_the_feet, at_the_head = rod.copy(), rod.copy()
    at_the_feet[3], at_the_head[0] = False, False
    for one in (at_the_feet, at_the_head):
        assert SurfaceDistances.of(one, one, SPACING, open_ends=True).target_to_prediction.size == 2 * 16 + 25


def test_distances_of_slice_ranges_are_pooled() -> None:
    near, far = BLOCK, np.roll(BLOCK, 1, axis=1)
    first, second = SurfaceDistances.of(near, near, SPACING), SurfaceDistances.of(near, far, SPACING)
    both = first + second
    assert both.dice(0.5) == pytest.approx((12 + 6) / 24)
    assert both.hausdorff(100) == pytest.approx(0.7)
    np.testing.assert_array_equal((SurfaceDistances() + second).prediction_to_target, second.prediction_to_target)


def test_the_distance_to_an_empty_mask_is_infinite() -> None:
    missed = SurfaceDistances.of(EMPTY, BLOCK, SPACING)
    correct = SurfaceDistances.of(BLOCK, BLOCK, SPACING)
    assert (missed + correct).dice(100.0) == pytest.approx(12 / 18)
    assert math.isnan((missed + correct).hausdorff())
    assert (missed + sum([correct] * 20, SurfaceDistances())).hausdorff() == 0.0  # less than 5 % of the surface


def test_masks_of_different_shapes_are_rejected() -> None:
    with pytest.raises(ValueError, match=r"\(3, 4, 5\) and \(2, 4, 5\)"):
        SurfaceDistances.of(EMPTY, EMPTY[:2], SPACING)
