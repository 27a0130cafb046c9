"""Whether a probability of infection means what it says: of voxels given 30 %, are 30 % infected?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

#: Probabilities are kept as 0 to 255 for 0 to 1.
LEVELS = 256
BINS = 15


class Bin(NamedTuple):
    """Voxels whose probabilities are alike: how many of all, their mean probability, and the share that is infected."""

    share: float
    probability: float
    infected: float


def _nothing() -> np.ndarray:
    return np.zeros(LEVELS, dtype=np.int64)


@dataclass(frozen=True)
class Calibration:
    """Voxels counted by the probability of infection that a model gave them; those of several runs are added up.

    Attributes:
        voxels: int64 (256): how many were given each of 0 to 255.
        infected: int64 (256): how many of those are infected.
    """

    voxels: np.ndarray = field(default_factory=_nothing)
    infected: np.ndarray = field(default_factory=_nothing)

    @classmethod
    def of(cls, probability: np.ndarray, infection: np.ndarray, lungs: np.ndarray) -> Calibration:
        """Count the voxels within the lungs: beyond them nearly all is told from infection by any model.

        Args:
            probability: uint8 (z, y, x), 0 to 255 for 0 to 1.
            infection: bool (z, y, x), of the truth.
            lungs: bool (z, y, x), of the truth, so that all models are judged on the same voxels; those that a model
                did not find are given a probability of 0.
        """
        return cls(
            np.bincount(probability[lungs], minlength=LEVELS),
            np.bincount(probability[lungs & infection], minlength=LEVELS),
        )

    def __add__(self, other: Calibration) -> Calibration:
        return Calibration(self.voxels + other.voxels, self.infected + other.infected)

    def bins(self, number: int = BINS) -> list[Bin]:
        """The probabilities in so many bins of one width, but for those that are empty."""
        level = np.arange(LEVELS)
        of_level = np.minimum(level * number // (LEVELS - 1), number - 1)
        found = []
        for each in range(number):
            mine = of_level == each
            if count := int(self.voxels[mine].sum()):
                mean = float((level * self.voxels)[mine].sum()) / count / (LEVELS - 1)
                found.append(Bin(count / int(self.voxels.sum()), mean, int(self.infected[mine].sum()) / count))
        return found

    @property
    def error(self) -> float:
        """Expected calibration error: |share infected - mean probability|, averaged over voxels; NaN without any.

        Of 15 bins of one width (Guo et al., "On calibration of modern neural networks", ICML 2017), of the probability
        of infection itself and not of the more likely of two answers: so 30 % for what is infected in 3 of 10 is right.
        """
        bins = self.bins()
        if not bins:
            return float("nan")
        return sum(each.share * abs(each.infected - each.probability) for each in bins)
