"""Lung is inside the body, not at its surface, and near the lungs that were found before."""

from __future__ import annotations

import numpy as np
import pytest

from CovidSegLib.lung_limits import (
    GAP_MM,
    MARGIN_MM,
    REACH_MM,
    SURFACE_MM,
    limit_to_body,
    limit_to_chest,
    limit_to_one_range,
)
from CovidSegLib.volume import AIR_HU, AxialScan, AxialSpacing

SPACING = AxialSpacing(5.0, 2.0, 2.0)
SHAPE = (12, 100, 140)
#: Two lungs in a body that fills the slices but for 20 voxels on each side.
LUNG, OTHER = np.s_[2:10, 40:60, 40:60], np.s_[2:10, 40:60, 80:100]


def mask_of(*boxes: tuple[slice, ...]) -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    for box in boxes:
        mask[box] = True
    return mask


def limited_to_body(mask: np.ndarray, surroundings: int = -1000) -> np.ndarray:
    """Return what remains of a mask in a body of 40 HU with these surroundings."""
    hu = np.full(SHAPE, surroundings, np.int16)
    hu[:, 20:80, 20:120] = 40
    probability = mask * np.uint8(200)
    limit_to_body(probability, AxialScan(hu, SPACING), hu < -500)
    return probability


def test_lung_is_kept() -> None:
    lungs = mask_of(LUNG, OTHER)
    np.testing.assert_array_equal(limited_to_body(lungs), lungs * np.uint8(200))


def test_what_is_outside_the_body_is_left_out() -> None:
    assert not limited_to_body(mask_of(np.s_[2:10, 85:95, 40:100])).any()
    lungs = limited_to_body(mask_of(np.s_[2:10, 40:95, 40:60]))  # one component with the lung
    np.testing.assert_array_equal(lungs > 0, mask_of(np.s_[2:10, 40:80, 40:60]))


def test_a_piece_at_the_surface_is_left_out_and_a_lung_that_reaches_it_is_not() -> None:
    near = round(SURFACE_MM / SPACING.rows)
    band = np.s_[2:10, 80 - near : 80, 30:110]
    np.testing.assert_array_equal(limited_to_body(mask_of(LUNG, band)) > 0, mask_of(LUNG))
    reaching = mask_of(np.s_[2:10, 40:80, 40:60])
    np.testing.assert_array_equal(limited_to_body(reaching) > 0, reaching)


def test_the_edge_of_a_cropped_image_is_no_surface() -> None:
    near = round(SURFACE_MM / SPACING.rows)
    band = mask_of(np.s_[2:10, 80 - near : 80, 30:110])
    np.testing.assert_array_equal(limited_to_body(band, AIR_HU) > 0, band)


@pytest.mark.parametrize("front", [False, True], ids=["behind the back", "in front of the chest"])
def test_a_piece_beyond_the_skin_is_left_out(front: bool) -> None:
    """Foam, which is as dense as lung, counts as body."""
    hu = np.full(SHAPE, -1000, np.int16)
    hu[:, 10:60, 20:120] = 40
    hu[:, 62:95, 20:120] = -880
    lungs = mask_of(np.s_[2:10, 20:50, 40:60], np.s_[2:10, 20:50, 80:100])
    foam = mask_of(np.s_[1:11, 62:95, 30:110])
    hu[lungs] = -860
    if front:
        hu, lungs, foam = hu[:, ::-1], lungs[:, ::-1], foam[:, ::-1]
    probability = (lungs | foam) * np.uint8(200)
    limit_to_body(probability, AxialScan(np.ascontiguousarray(hu), SPACING), hu < -950)
    np.testing.assert_array_equal(probability > 0, lungs)


def test_lungs_of_which_the_image_cuts_off_a_part_are_kept() -> None:
    """The image ends within the lungs, so that no body is behind a part of them."""
    hu = np.full(SHAPE, -1000, np.int16)
    hu[:, 20:, 20:120] = 40
    lungs = mask_of(np.s_[2:10, 40:, 40:60], np.s_[2:10, 40:70, 80:100])
    hu[lungs] = -860
    hu[:, 70:, 50:60] = 40
    lungs[:, 70:, 50:60] = False
    probability = lungs * np.uint8(200)
    limit_to_body(probability, AxialScan(hu, SPACING), hu < -950)
    np.testing.assert_array_equal(probability > 0, lungs)


def test_no_lung_at_all() -> None:
    assert not limited_to_body(mask_of()).any()


def limited_to_chest(mask: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, float]:
    probability = mask * np.uint8(200)
    hu = np.full(SHAPE, -1000, np.int16)
    hu[:, 20:80, 20:120] = 40
    hu[mask] = -850
    removed = limit_to_chest(probability, known, AxialScan(hu, SPACING))
    return probability > 0, removed


def test_lung_between_and_beside_the_known_lungs_is_kept() -> None:
    known = mask_of(LUNG, OTHER)
    margin = round(MARGIN_MM / SPACING.rows)
    more = mask_of(np.s_[2:10, 40 - margin + 1 : 60 + margin - 2, 40:100])
    kept, removed = limited_to_chest(more, known)
    np.testing.assert_array_equal(kept, more)
    assert removed == 0


def test_what_is_far_from_the_known_lungs_is_left_out() -> None:
    known = mask_of(LUNG, OTHER)
    bowel, foam = np.s_[2:10, 72:76, 40:100], np.s_[2:10, 84:96, 40:100]
    kept, removed = limited_to_chest(mask_of(LUNG, OTHER, bowel, foam), known)
    np.testing.assert_array_equal(kept, known)
    assert removed == pytest.approx(8 * 4 * 60 * 0.02), "foam outside the skin does not count"


@pytest.mark.parametrize(("distance", "is_kept"), [(REACH_MM - 5, True), (REACH_MM + 10, False)])
def test_slices_without_known_lung(distance: float, is_kept: bool) -> None:
    """Consolidation may hide the lung of some slices from the first network."""
    slices = 2 + round(distance / SPACING.slices)
    kept, _ = limited_to_chest(mask_of(np.s_[slices : slices + 1, 40:60, 40:60]), mask_of(np.s_[0:2, 40:60, 40:60]))
    assert kept.any() == is_kept


def test_without_known_lungs_there_are_none() -> None:
    kept, removed = limited_to_chest(mask_of(LUNG), mask_of())
    assert not kept.any() and removed > 0


@pytest.mark.parametrize(("gap", "is_kept"), [(GAP_MM, True), (GAP_MM + SPACING.slices, False)])
def test_lungs_lie_in_one_range_of_slices(gap: float, is_kept: bool) -> None:
    """The larger part is kept, wherever it lies; the distance counts from slice to slice."""
    lungs = np.zeros((40, 20, 20), np.uint8)
    lungs[2:12, 5:15, 5:9], lungs[2:12, 5:15, 11:15] = 1, 2
    head = 11 + round(gap / SPACING.slices)
    lungs[head : head + 3, 8:12, 8:12] = 1
    for given in (lungs.copy(), lungs[::-1].copy()):
        kept = given.copy()
        removed = limit_to_one_range(kept, SPACING)
        assert removed == pytest.approx(0 if is_kept else 3 * 16 * SPACING.voxel_ml)
        assert np.count_nonzero(kept) == np.count_nonzero(lungs) - (0 if is_kept else 48)
    assert limit_to_one_range(np.zeros((4, 5, 5), bool), SPACING) == 0
