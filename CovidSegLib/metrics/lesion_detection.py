"""Lesion-wise detection: detected, missed and false-positive lesions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..masks import bounding_box, label_components
from ..quantification.lesions import is_lesion


@dataclass(frozen=True)
class LesionCounts:
    """Lesions counted by whether prediction and target agree on them.

    A lesion is a 26-connected component of at least `SMALLEST_LESION_ML`. A lesion of the target is detected if at
    least one of its voxels is predicted. A lesion of the prediction is a false positive if none of its voxels is in the
    target. Smaller components are not lesions, but lesions of the other mask may overlap with them. (Carass et al.,
    "Longitudinal multiple sclerosis lesion segmentation: resource and challenge", NeuroImage 2017; the criterion "any
    overlap" of Maier-Hein et al., "Metrics reloaded", Nature Methods 2024.)

    Lesion counts can be added. A lesion that a gap between two slice ranges divides counts twice.

    Example:
        >>> target = np.zeros((3, 10, 10), dtype=bool)
        >>> prediction = target.copy()
        >>> target[1, 1:3, 1:3] = target[1, 6:8, 6:8] = True
        >>> prediction[1, 2:4, 2:4] = True
        >>> lesions = LesionCounts.of(prediction, target, voxel_ml=0.05)
        >>> lesions
        LesionCounts(detected=1, missed=1, false_positives=0)
        >>> round(lesions.f1, 3)
        0.667

    Attributes:
        detected: Lesions of the target that the prediction overlaps with.
        missed: Lesions of the target that it does not overlap with.
        false_positives: Lesions of the prediction that do not overlap with the target.
    """

    detected: int = 0
    missed: int = 0
    false_positives: int = 0

    @classmethod
    def of(cls, prediction: np.ndarray, target: np.ndarray, voxel_ml: float) -> LesionCounts:
        """Count the lesions of two masks.

        Args:
            prediction: Boolean (z, y, x).
            target: Boolean (z, y, x), of the same shape.
            voxel_ml: Volume of a voxel in ml.
        """
        detected = _overlapping_lesions(target, prediction, voxel_ml)
        confirmed = _overlapping_lesions(prediction, target, voxel_ml)
        return cls(int(detected.sum()), int((~detected).sum()), int((~confirmed).sum()))

    def __add__(self, other: LesionCounts) -> LesionCounts:
        return LesionCounts(
            self.detected + other.detected,
            self.missed + other.missed,
            self.false_positives + other.false_positives,
        )

    @property
    def f1(self) -> float:
        """Lesion-wise F1, 2 detected / (2 detected + missed + false positives), from 0 to 1.

        No lesion in either mask: 1. Lesions in one mask only: 0.
        """
        total = 2 * self.detected + self.missed + self.false_positives
        return 2 * self.detected / total if total else 1.0


def _overlapping_lesions(mask: np.ndarray, other: np.ndarray, voxel_ml: float) -> np.ndarray:
    """Return for each lesion of a mask whether it overlaps with the other mask, boolean (lesions)."""
    box = bounding_box(mask)
    if box is None:
        return np.zeros(0, dtype=bool)
    labels, count = label_components(mask[box])
    voxels = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    shared_voxels = np.bincount(labels[other[box]], minlength=count + 1)[1:]
    overlapping: np.ndarray = shared_voxels[is_lesion(voxels * voxel_ml)] > 0
    return overlapping
