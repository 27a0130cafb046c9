"""Confusion matrices of masks, and the overlap metrics that follow from them, such as Dice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NAN = float("nan")


@dataclass(frozen=True)
class ConfusionMatrix:
    """Voxels or slices of a prediction and its target, counted by agreement.

    Confusion matrices can be added. The metrics of the sum are those of all voxels together.

    The definitions are those of Taha and Hanbury, "Metrics for evaluating 3D medical image segmentation", BMC Medical
    Imaging 2015, section "Metric definitions"; Dice is Dice 1945 and IoU is Jaccard 1912. All metrics are ratios from
    0 to 1. Each property documents its value for empty masks.

    Example:
        >>> target = np.zeros((1, 4, 4), dtype=bool)
        >>> prediction = target.copy()
        >>> target[0, 0, :] = True
        >>> prediction[0, 0, 1:] = prediction[0, 1, 0] = True
        >>> confusion = ConfusionMatrix.of(prediction, target)
        >>> confusion
        ConfusionMatrix(true_positive=3, false_positive=1, false_negative=1, true_negative=11)
        >>> confusion.dice, confusion.sensitivity
        (0.75, 0.75)

    Attributes:
        true_positive: In both prediction and target.
        false_positive: In the prediction only.
        false_negative: In the target only.
        true_negative: In neither.
    """

    true_positive: int = 0
    false_positive: int = 0
    false_negative: int = 0
    true_negative: int = 0

    @classmethod
    def of(cls, prediction: np.ndarray, target: np.ndarray) -> ConfusionMatrix:
        """Compare two boolean arrays element by element.

        Args:
            prediction: Boolean, of any shape.
            target: Boolean, of the same shape.

        Raises:
            ValueError: The shapes differ.
        """
        if prediction.shape != target.shape:
            raise ValueError(f"masks of shapes {prediction.shape} and {target.shape} cannot be compared")
        true_positive = int(np.count_nonzero(prediction & target))
        false_positive = int(np.count_nonzero(prediction)) - true_positive
        false_negative = int(np.count_nonzero(target)) - true_positive
        true_negative = prediction.size - true_positive - false_positive - false_negative
        return cls(true_positive, false_positive, false_negative, true_negative)

    @classmethod
    def of_slices(cls, prediction: np.ndarray, target: np.ndarray) -> ConfusionMatrix:
        """Compare two boolean masks (z, y, x) slice by slice. A slice is positive if any of its voxels is."""
        return cls.of(np.any(prediction, axis=(1, 2)), np.any(target, axis=(1, 2)))

    def __add__(self, other: ConfusionMatrix) -> ConfusionMatrix:
        return ConfusionMatrix(
            self.true_positive + other.true_positive,
            self.false_positive + other.false_positive,
            self.false_negative + other.false_negative,
            self.true_negative + other.true_negative,
        )

    @property
    def dice(self) -> float:
        """Dice coefficient, 2 TP / (2 TP + FP + FN). Both masks empty: 1. One mask empty: 0."""
        both = 2 * self.true_positive
        return _ratio(both, both + self.false_positive + self.false_negative, empty=1.0)

    @property
    def iou(self) -> float:
        """Intersection over union, TP / (TP + FP + FN). Both masks empty: 1. One mask empty: 0."""
        union = self.true_positive + self.false_positive + self.false_negative
        return _ratio(self.true_positive, union, empty=1.0)

    @property
    def sensitivity(self) -> float:
        """Share of the target that is predicted, TP / (TP + FN). Empty target: NaN. Empty prediction: 0."""
        return _ratio(self.true_positive, self.true_positive + self.false_negative)

    @property
    def specificity(self) -> float:
        """Share of the background that is predicted as background, TN / (TN + FP). No background in the target: NaN."""
        return _ratio(self.true_negative, self.true_negative + self.false_positive)

    @property
    def precision(self) -> float:
        """Share of the prediction that is in the target, TP / (TP + FP). Empty prediction: NaN. Empty target: 0."""
        return _ratio(self.true_positive, self.true_positive + self.false_positive)

    @property
    def accuracy(self) -> float:
        """Share of all elements on which both agree, (TP + TN) / all. Both masks empty: 1. Nothing counted: NaN."""
        correct = self.true_positive + self.true_negative
        return _ratio(correct, correct + self.false_positive + self.false_negative)


def _ratio(part: int, whole: int, empty: float = NAN) -> float:
    return part / whole if whole else empty
