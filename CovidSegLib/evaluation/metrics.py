"""Agreement of masks, and of slices, with what a radiologist marked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class Overlap:
    """Counts from which Dice is taken, so that the runs of slices of one patient can be added up."""

    both: int = 0
    found: int = 0
    true: int = 0

    def add(self, found: np.ndarray, true: np.ndarray) -> None:
        """Count two boolean masks of one shape."""
        self.both += int(np.count_nonzero(found & true))
        self.found += int(np.count_nonzero(found))
        self.true += int(np.count_nonzero(true))

    @property
    def dice(self) -> float:
        """Twice the overlap over the sum of both (Dice 1945); 1 if both are empty."""
        total = self.found + self.true
        return 2 * self.both / total if total else 1.0


def sensitivity_specificity(found: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """Of slices: the fraction of infected ones that were found, and of clean ones left clean; NaN where there are none.

    Args:
        found, true: Boolean, one value a slice.
    """
    sensitivity = float(found[true].mean()) if true.any() else float("nan")
    specificity = float((~found[~true]).mean()) if (~true).any() else float("nan")
    return sensitivity, specificity
