"""Calibration of the probability of infection: are 30 % of the voxels with a probability of 30 % infected?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

#: Probabilities from 0 to 1 are stored as 0 to 255.
LEVELS = 256
BINS = 15


class Bin(NamedTuple):
    """Voxels with similar probabilities.

    Attributes:
        share: Share of all counted voxels that are in this bin.
        probability: Their mean probability.
        infected: Share of them that is infected in the target.
    """

    share: float
    probability: float
    infected: float


def _no_voxels() -> np.ndarray:
    return np.zeros(LEVELS, dtype=np.int64)


@dataclass(frozen=True)
class Calibration:
    """Voxels counted by the probability of infection that a model predicted for them.

    Calibrations can be added, for example those of several slice ranges.

    Example:
        >>> probability = np.array([51, 51, 51, 51, 51], dtype=np.uint8)  # 20 %
        >>> infection = np.array([1, 0, 0, 0, 0], dtype=bool)
        >>> Calibration.of(probability, infection, np.ones(5, dtype=bool)).error
        0.0

    Attributes:
        voxels: int64 (256). Number of voxels by probability, 0 to 255.
        infected: int64 (256). Number of those that are infected in the target.
    """

    voxels: np.ndarray = field(default_factory=_no_voxels)
    infected: np.ndarray = field(default_factory=_no_voxels)

    @classmethod
    def of(cls, probability: np.ndarray, infection: np.ndarray, lungs: np.ndarray) -> Calibration:
        """Count the voxels within the lungs. Outside the lungs almost every voxel is trivially classified.

        Args:
            probability: Predicted probability, uint8 (z, y, x), 0 to 255 for 0 to 1.
            infection: Target, boolean (z, y, x).
            lungs: Target, boolean (z, y, x). With the lungs of the target all models are evaluated on the same voxels.
                Voxels outside the lungs that a model predicts have a probability of 0.
        """
        return cls(
            np.bincount(probability[lungs], minlength=LEVELS),
            np.bincount(probability[lungs & infection], minlength=LEVELS),
        )

    def __add__(self, other: Calibration) -> Calibration:
        return Calibration(self.voxels + other.voxels, self.infected + other.infected)

    def bins(self, count: int = BINS) -> list[Bin]:
        """Return the non-empty bins, by increasing probability.

        Args:
            count: Number of bins of equal width between 0 and 1, including empty ones.
        """
        level = np.arange(LEVELS)
        bin_of_level = np.minimum(level * count // (LEVELS - 1), count - 1)
        bins = []
        for number in range(count):
            inside = bin_of_level == number
            if voxels := int(self.voxels[inside].sum()):
                mean = float((level * self.voxels)[inside].sum()) / voxels / (LEVELS - 1)
                bins.append(Bin(voxels / int(self.voxels.sum()), mean, int(self.infected[inside].sum()) / voxels))
        return bins

    @property
    def error(self) -> float:
        """Expected calibration error: |infected share - mean probability| of a bin, averaged over voxels. 0 to 1.

        Computed with 15 bins of equal width (Guo et al., "On calibration of modern neural networks", ICML 2017) for the
        probability of infection, not for the confidence in the more likely class: a probability of 30 % is perfect
        where 3 in 10 voxels are infected. NaN if there are no voxels.
        """
        bins = self.bins()
        if not bins:
            return float("nan")
        return sum(each.share * abs(each.infected - each.probability) for each in bins)
