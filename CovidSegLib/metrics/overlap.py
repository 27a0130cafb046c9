"""Voxels, or slices, that result and truth agree on: Dice, IoU, sensitivity, specificity, precision, accuracy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NAN = float("nan")


@dataclass(frozen=True)
class ConfusionMatrix:
    """The confusion matrix of a result. Those of several runs of slices are added up, so that all voxels count alike.

    The definitions are those of Taha and Hanbury, "Metrics for evaluating 3D medical image segmentation", BMC Medical
    Imaging 2015, section "Metric definitions"; Dice is Dice 1945 and IoU is Jaccard 1912.

    Attributes:
        true_positive: In both.
        false_positive: In the result alone.
        false_negative: In the truth alone.
        true_negative: In neither.
    """

    true_positive: int = 0
    false_positive: int = 0
    false_negative: int = 0
    true_negative: int = 0

    @classmethod
    def of(cls, found: np.ndarray, true: np.ndarray) -> ConfusionMatrix:
        """Count two boolean arrays of one shape, whatever that is.

        Raises:
            ValueError: The shapes differ.
        """
        if found.shape != true.shape:
            raise ValueError(f"masks of shapes {found.shape} and {true.shape} cannot be compared")
        both, found_all, true_all = (int(np.count_nonzero(mask)) for mask in (found & true, found, true))
        return cls(both, found_all - both, true_all - both, found.size - found_all - true_all + both)

    @classmethod
    def of_slices(cls, found: np.ndarray, true: np.ndarray) -> ConfusionMatrix:
        """Count slices: of boolean masks (z, y, x), those that hold any voxel are positive."""
        return cls.of(np.any(found, axis=(1, 2)), np.any(true, axis=(1, 2)))

    def __add__(self, other: ConfusionMatrix) -> ConfusionMatrix:
        return ConfusionMatrix(
            self.true_positive + other.true_positive,
            self.false_positive + other.false_positive,
            self.false_negative + other.false_negative,
            self.true_negative + other.true_negative,
        )

    @property
    def dice(self) -> float:
        """2 TP / (2 TP + FP + FN). Both empty: 1, as nothing was to be found. One empty: 0."""
        both = 2 * self.true_positive
        return _ratio(both, both + self.false_positive + self.false_negative, empty=1.0)

    @property
    def iou(self) -> float:
        """TP / (TP + FP + FN), intersection over union. Both empty: 1. One empty: 0."""
        union = self.true_positive + self.false_positive + self.false_negative
        return _ratio(self.true_positive, union, empty=1.0)

    @property
    def sensitivity(self) -> float:
        """TP / (TP + FN), the share of the truth that was found. NaN where the truth is empty; result empty: 0."""
        return _ratio(self.true_positive, self.true_positive + self.false_negative)

    @property
    def specificity(self) -> float:
        """TN / (TN + FP), the share of the rest that was left clean. NaN where the truth is everything."""
        return _ratio(self.true_negative, self.true_negative + self.false_positive)

    @property
    def precision(self) -> float:
        """TP / (TP + FP), the share of the result that is true. NaN where the result is empty; truth empty: 0."""
        return _ratio(self.true_positive, self.true_positive + self.false_positive)

    @property
    def accuracy(self) -> float:
        """(TP + TN) / all. Both empty: 1. NaN where nothing was counted."""
        right = self.true_positive + self.true_negative
        return _ratio(right, right + self.false_positive + self.false_negative)


def _ratio(part: int, whole: int, empty: float = NAN) -> float:
    return part / whole if whole else empty
