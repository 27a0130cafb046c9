"""Lesions that were found, missed, or marked where there is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..masks import bounding_box, label_components
from ..quantification.lesions import SMALLEST_LESION_ML


@dataclass(frozen=True)
class LesionCounts:
    """Lesion-wise detection; those of several runs of slices are added up.

    A lesion is a component in which voxels touch by faces, edges or corners, of at least `SMALLEST_LESION_ML`. A lesion
    of the truth is found if any voxel of it is in the result, and a lesion of the result is false if no voxel of it is
    in the truth; smaller components count for this overlap, but not as lesions. (Carass et al., "Longitudinal multiple
    sclerosis lesion segmentation: resource and challenge", NeuroImage 2017; the criterion "any overlap" of Maier-Hein
    et al., "Metrics reloaded", Nature Methods 2024.)

    Attributes:
        found: Lesions of the truth that were found.
        missed: Lesions of the truth that were not.
        false: Lesions of the result where there is none.
    """

    found: int = 0
    missed: int = 0
    false: int = 0

    @classmethod
    def of(cls, found: np.ndarray, true: np.ndarray, voxel_ml: float) -> LesionCounts:
        """Count the lesions of two masks.

        Args:
            found, true: bool (z, y, x), of one shape.
            voxel_ml: Volume of a voxel in millilitres.
        """
        hit = _hit(true, found, voxel_ml)
        right = _hit(found, true, voxel_ml)
        return cls(int(hit.sum()), int((~hit).sum()), int((~right).sum()))

    def __add__(self, other: LesionCounts) -> LesionCounts:
        return LesionCounts(self.found + other.found, self.missed + other.missed, self.false + other.false)

    @property
    def f1(self) -> float:
        """2 found / (2 found + missed + false). No lesion in either: 1. Lesions in one alone: 0."""
        total = 2 * self.found + self.missed + self.false
        return 2 * self.found / total if total else 1.0


def _hit(mask: np.ndarray, other: np.ndarray, voxel_ml: float) -> np.ndarray:
    """For each lesion of a mask, whether any voxel of it is in the other mask."""
    box = bounding_box(mask)
    if box is None:
        return np.zeros(0, dtype=bool)
    labels, count = label_components(mask[box])
    voxels = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    shared = np.bincount(labels[other[box]], minlength=count + 1)[1:]
    # A volume just at the limit must not fail by rounding.
    hit: np.ndarray = shared[voxels * voxel_ml >= SMALLEST_LESION_ML * (1 - 1e-9)] > 0
    return hit
