"""Lesion-wise detection of masks whose lesions are known."""

from __future__ import annotations

import numpy as np
import pytest
from support.mask_pairs import EMPTY

from CovidSegLib.metrics.lesion_detection import LesionCounts


def test_detected_missed_and_false_positive_lesions() -> None:
    """Voxels of 0.05 ml: lesions consist of two or more."""
    prediction, target = np.zeros((2, 3, 20, 20), dtype=bool)
    target[1, 1, 1:4] = prediction[1, 1, 3] = True  # detected by one voxel
    target[1, 5, 1:3] = True  # missed
    target[1, 8, 1:3] = prediction[1, 8, 1:3] = True  # two lesions, both detected by one lesion of the prediction
    target[1, 8, 4:6] = prediction[1, 8, 3:6] = True
    prediction[1, 15, 1:4] = True  # false positive
    target[1, 18, 1] = True  # too small to be missed
    prediction[1, 18, 10] = True  # too small to be a false positive
    # Overlaps with a component that is too small to be a lesion: neither a detection nor a false positive.
    prediction[1, 1, 8:11] = target[1, 1, 10] = True
    lesions = LesionCounts.of(prediction, target, 0.05)
    assert lesions == LesionCounts(detected=3, missed=1, false_positives=1)
    assert lesions.f1 == pytest.approx(6 / 8)
    assert lesions + lesions == LesionCounts(6, 2, 2)


def test_lesions_are_26_connected() -> None:
    target = np.zeros((3, 4, 4), dtype=bool)
    target[0, 0, 0] = target[1, 1, 1] = True
    assert LesionCounts.of(EMPTY[:3, :4, :4], target, 0.05) == LesionCounts(missed=1)
    target[1, 1, 1], target[2, 2, 2] = False, True
    assert LesionCounts.of(EMPTY[:3, :4, :4], target, 0.05) == LesionCounts()
    assert LesionCounts.of(target, EMPTY[:3, :4, :4], 0.1) == LesionCounts(false_positives=2)
