"""Places where the model hesitates, in maps whose places are known."""

from __future__ import annotations

import numpy as np
import pytest

from CovidSegLib.quantification.doubt import doubtful, doubtful_places

UNSURE = 128


def test_both_limits_are_doubtful() -> None:
    """0.2 and 0.8 are 51 and 204 of 255."""
    values = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(np.flatnonzero(doubtful(values)), np.arange(51, 205))


def test_places_are_listed_from_large_to_small_with_a_voxel_inside() -> None:
    probability = np.zeros((12, 20, 30), np.uint8)
    probability[2, 3:5, 4:6] = UNSURE  # 4 voxels
    probability[5:8, 10:13, 20:23] = UNSURE  # 27 voxels
    probability[6, 10:15, 20:25] = UNSURE  # and 16 more in the middle slice
    probability[10, 1, 1] = UNSURE  # too small
    first, second = doubtful_places(probability, voxel_ml=0.01)
    assert (first.volume_ml, second.volume_ml) == (pytest.approx(0.43), pytest.approx(0.04))
    assert first.voxel == (6, 12, 22)
    assert second.voxel[0] == 2 and probability[second.voxel] == UNSURE


def test_the_voxel_of_a_ring_is_on_the_ring() -> None:
    probability = np.zeros((3, 30, 40), np.uint8)
    rows, columns = np.ogrid[:30, :40]
    distance = np.hypot(rows - 15, columns - 25)
    probability[1][(distance > 6) & (distance < 9)] = UNSURE
    (place,) = doubtful_places(probability, voxel_ml=1.0)
    assert probability[place.voxel] == UNSURE


def test_the_voxel_is_the_nearest_to_the_centre_of_its_slice() -> None:
    """An L, whose centre of gravity is outside it."""
    probability = np.zeros((1, 12, 12), np.uint8)
    probability[0, 2:11, 3] = probability[0, 10, 3:9] = UNSURE
    pixels = np.argwhere(probability[0])
    nearest = np.linalg.norm(pixels - pixels.mean(axis=0), axis=1).min()
    (place,) = doubtful_places(probability, voxel_ml=1.0)
    assert np.linalg.norm(np.subtract(place.voxel[1:], pixels.mean(axis=0))) == pytest.approx(nearest)


def test_voxels_that_share_a_corner_are_one_place() -> None:
    probability = np.zeros((3, 6, 6), np.uint8)
    probability[0, 1, 1] = probability[1, 2, 2] = probability[2, 3, 3] = UNSURE
    (place,) = doubtful_places(probability, voxel_ml=0.01)
    assert place.volume_ml == pytest.approx(0.03)


def test_the_smallest_place_counts_and_certainty_has_none() -> None:
    probability = np.zeros((1, 4, 4), np.uint8)
    assert doubtful_places(probability, voxel_ml=1.0) == []
    probability[0, 1, 1] = UNSURE
    assert len(doubtful_places(probability, voxel_ml=0.02)) == 1
    assert doubtful_places(probability, voxel_ml=0.0199) == []
