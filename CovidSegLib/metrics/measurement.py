"""All metrics of one structure in one case, with their titles."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..volume import AxialSpacing
from .calibration import Calibration
from .lesion_detection import LesionCounts
from .overlap import ConfusionMatrix
from .surface_distance import SurfaceDistances

#: What the models look for in the lungs.
FINDINGS = ("infection", "tumour")
#: The sides, as networks with a label for each predict them. The labels exclude the infection.
SIDES = ("right_lung", "left_lung")
#: All structures that are measured, in the order of the tables.
STRUCTURES = (*FINDINGS, "lungs", *SIDES)


@dataclass(frozen=True)
class Metric:
    """How a metric is displayed, and for which structures it is defined.

    Attributes:
        title: Displayed name, with the unit.
        decimals: Decimals in tables.
        for_lungs: Whether it is also defined for the lungs and their sides. Every metric is defined for findings.
    """

    title: str
    decimals: int = 3
    for_lungs: bool = True


#: Metrics computed from the voxels' confusion matrix, by the names of its properties. `Recipe.reported` may hold these,
#: and the table of what the papers report has a column for each.
OVERLAP_METRICS = {
    "dice": Metric("Dice"),
    "iou": Metric("IoU"),
    "sensitivity": Metric("sensitivity"),
    "specificity": Metric("specificity", 4),
    "precision": Metric("precision"),
    "accuracy": Metric("accuracy", 4),
}
#: All metrics by key, in the order of the tables.
METRICS = {
    **OVERLAP_METRICS,
    "nsd_1mm": Metric("surface Dice at 1 mm"),
    "nsd_3mm": Metric("surface Dice at 3 mm"),
    "hd95_mm": Metric("95 % Hausdorff distance, mm", 1),
    "volume_error_percent": Metric("volume error, %", 1),
    "lesion_f1": Metric("lesion-wise F1", for_lungs=False),
    "slice_sensitivity": Metric("slice-level sensitivity", for_lungs=False),
    "slice_specificity": Metric("slice-level specificity", for_lungs=False),
    "calibration_error": Metric("expected calibration error", 4, for_lungs=False),
}


def metrics_for(structure: str) -> dict[str, Metric]:
    """Return the metrics of `METRICS` that are defined for a structure of `STRUCTURES`."""
    return {key: metric for key, metric in METRICS.items() if structure in FINDINGS or metric.for_lungs}


@dataclass(frozen=True)
class Measurement:
    """Everything that is counted or measured of one structure in one case.

    Measurements can be added: several slice ranges of one patient are one case. Overlap metrics are then those of all
    voxels of the case, surface distances are pooled (each measured within its own slice range), and volumes are summed.
    Lesions are counted in each slice range: a lesion that a gap divides counts twice.

    Example:
        >>> target = np.zeros((10, 20, 20), dtype=bool)
        >>> target[2:6, 4:14, 4:14] = True
        >>> prediction = np.roll(target, 1, axis=1)
        >>> measurement = Measurement.of(prediction, target, AxialSpacing(5.0, 0.8, 0.8))
        >>> measurement.voxels.dice
        0.9
        >>> measurement.target_ml
        1.28
        >>> sorted(key for key, value in measurement.values().items() if value == 0.9)
        ['dice', 'precision', 'sensitivity']

    Attributes:
        voxels: Confusion matrix of voxels.
        slices: Confusion matrix of slices; a slice is positive if it contains the structure.
        surface: Distances between the surfaces, in mm.
        lesions: Detected, missed and false-positive lesions.
        prediction_ml: Predicted volume.
        target_ml: Volume of the target.
        calibration: Voxels by predicted probability, if probabilities were given.
    """

    voxels: ConfusionMatrix = field(default_factory=ConfusionMatrix)
    slices: ConfusionMatrix = field(default_factory=ConfusionMatrix)
    surface: SurfaceDistances = field(default_factory=SurfaceDistances)
    lesions: LesionCounts = field(default_factory=LesionCounts)
    prediction_ml: float = 0.0
    target_ml: float = 0.0
    calibration: Calibration = field(default_factory=Calibration)

    @classmethod
    def of(
        cls,
        prediction: np.ndarray,
        target: np.ndarray,
        spacing: AxialSpacing,
        *,
        open_ends: bool = False,
        calibration: Calibration | None = None,
    ) -> Measurement:
        """Measure a predicted mask against its target.

        Args:
            prediction: Boolean (z, y, x).
            target: Boolean (z, y, x), of the same shape.
            spacing: Distance between slices, rows and columns in mm.
            open_ends: Whether the scan continues beyond the first and the last slice; see `SurfaceDistances.of`.
            calibration: Calibration of the probabilities from which the prediction was made, if known.

        Raises:
            ValueError: The shapes differ.
        """
        voxels, voxel_ml = ConfusionMatrix.of(prediction, target), spacing.voxel_ml
        return cls(
            voxels,
            ConfusionMatrix.of_slices(prediction, target),
            SurfaceDistances.of(prediction, target, spacing, open_ends=open_ends),
            LesionCounts.of(prediction, target, voxel_ml),
            voxel_ml * (voxels.true_positive + voxels.false_positive),
            voxel_ml * (voxels.true_positive + voxels.false_negative),
            calibration or Calibration(),
        )

    def __add__(self, other: Measurement) -> Measurement:
        return Measurement(
            self.voxels + other.voxels,
            self.slices + other.slices,
            self.surface + other.surface,
            self.lesions + other.lesions,
            self.prediction_ml + other.prediction_ml,
            self.target_ml + other.target_ml,
            self.calibration + other.calibration,
        )

    @property
    def is_measured(self) -> bool:
        """Whether any voxels were compared. False for structures that are not annotated."""
        return self.voxels != ConfusionMatrix()

    @property
    def volume_error_percent(self) -> float:
        """Unsigned volume error, |prediction - target| in % of the target (Heimann et al., IEEE TMI 2009).

        Both masks empty: 0. Empty target only: NaN.
        """
        if not self.target_ml:
            return float("nan") if self.prediction_ml else 0.0
        return 100 * abs(self.prediction_ml - self.target_ml) / self.target_ml

    def values(self) -> dict[str, float]:
        """Return the metrics by the keys of `METRICS`, not rounded. Undefined metrics are NaN."""
        if not self.is_measured:
            return dict.fromkeys(METRICS, float("nan"))
        return {
            **{key: getattr(self.voxels, key) for key in OVERLAP_METRICS},
            "nsd_1mm": self.surface.dice(1.0),
            "nsd_3mm": self.surface.dice(3.0),
            "hd95_mm": self.surface.hausdorff(),
            "volume_error_percent": self.volume_error_percent,
            "lesion_f1": self.lesions.f1,
            "slice_sensitivity": self.slices.sensitivity,
            "slice_specificity": self.slices.specificity,
            "calibration_error": self.calibration.error,
        }
