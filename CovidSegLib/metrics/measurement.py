"""All that is measured of one structure in one case, and what each number is called."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .calibration import Calibration
from .lesion_detection import LesionCounts
from .overlap import ConfusionMatrix
from .surface_distance import SurfaceDistances

STRUCTURES = ("lungs", "infection")


@dataclass(frozen=True)
class Metric:
    """A number of `Measurement.values`.

    Attributes:
        title: Name as shown, with the unit.
        decimals: How it is rounded where it is shown.
        of_lungs: Whether it means something for the lungs too.
    """

    title: str
    decimals: int = 3
    of_lungs: bool = True


#: By key; `Recipe.reported` has the same keys.
METRICS = {
    "dice": Metric("Dice"),
    "iou": Metric("IoU"),
    "sensitivity": Metric("sensitivity"),
    "specificity": Metric("specificity", 4),
    "precision": Metric("precision"),
    "accuracy": Metric("accuracy", 4),
    "nsd_1mm": Metric("surface Dice at 1 mm"),
    "nsd_3mm": Metric("surface Dice at 3 mm"),
    "hd95_mm": Metric("95 % Hausdorff distance, mm", 1),
    "volume_error_percent": Metric("volume error, %", 1),
    "lesion_f1": Metric("lesion-wise F1", of_lungs=False),
    "slice_sensitivity": Metric("slice-level sensitivity", of_lungs=False),
    "slice_specificity": Metric("slice-level specificity", of_lungs=False),
    "calibration_error": Metric("expected calibration error", 4, of_lungs=False),
}


def metrics_of(structure: str) -> dict[str, Metric]:
    """Those of `METRICS` that are measured of a structure."""
    return {key: metric for key, metric in METRICS.items() if structure == "infection" or metric.of_lungs}


@dataclass(frozen=True)
class Measurement:
    """What was counted of one structure. The runs of slices of one patient are one case: their counts are added up.

    So Dice and its like are of all voxels of the case, surface distances are pooled (each within its own run), volumes
    are summed, and lesions are those of the runs: one that a gap cuts in two counts twice.

    Attributes:
        voxels, slices: Voxels, and slices that hold any of the structure.
        surface: Distances between the surfaces.
        lesions: Lesions found, missed and false.
        found_ml, true_ml: Volumes.
        calibration: Voxels by the probability that they were given, where one was.
    """

    voxels: ConfusionMatrix = field(default_factory=ConfusionMatrix)
    slices: ConfusionMatrix = field(default_factory=ConfusionMatrix)
    surface: SurfaceDistances = field(default_factory=SurfaceDistances)
    lesions: LesionCounts = field(default_factory=LesionCounts)
    found_ml: float = 0.0
    true_ml: float = 0.0
    calibration: Calibration = field(default_factory=Calibration)

    @classmethod
    def of(
        cls,
        found: np.ndarray,
        true: np.ndarray,
        spacing: tuple[float, float, float],
        *,
        open_ends: bool = False,
        calibration: Calibration | None = None,
    ) -> Measurement:
        """Measure two masks.

        Args:
            found, true: bool (z, y, x).
            spacing: mm along (z, y, x).
            open_ends: As of `SurfaceDistances.of`.
            calibration: Of the probabilities that the result was made of; none if left out.

        Raises:
            ValueError: The shapes differ.
        """
        voxels, ml = ConfusionMatrix.of(found, true), float(np.prod(spacing)) / 1000
        return cls(
            voxels,
            ConfusionMatrix.of_slices(found, true),
            SurfaceDistances.of(found, true, spacing, open_ends=open_ends),
            LesionCounts.of(found, true, ml),
            ml * (voxels.true_positive + voxels.false_positive),
            ml * (voxels.true_positive + voxels.false_negative),
            calibration or Calibration(),
        )

    def __add__(self, other: Measurement) -> Measurement:
        return Measurement(
            self.voxels + other.voxels,
            self.slices + other.slices,
            self.surface + other.surface,
            self.lesions + other.lesions,
            self.found_ml + other.found_ml,
            self.true_ml + other.true_ml,
            self.calibration + other.calibration,
        )

    @property
    def made(self) -> bool:
        """Whether there was anything to compare; without masks there was not."""
        return self.voxels != ConfusionMatrix()

    @property
    def volume_error_percent(self) -> float:
        """|result - truth| in % of the truth (Heimann et al., IEEE TMI 2009, unsigned). NaN where the truth is empty.

        Both empty: 0.
        """
        if not self.true_ml:
            return float("nan") if self.found_ml else 0.0
        return 100 * abs(self.found_ml - self.true_ml) / self.true_ml

    def values(self) -> dict[str, float]:
        """The numbers by the keys of `METRICS`, not rounded; NaN where one is not defined for the masks."""
        if not self.made:
            return dict.fromkeys(METRICS, float("nan"))
        return {
            **{key: getattr(self.voxels, key) for key in list(METRICS)[:6]},
            "nsd_1mm": self.surface.dice(1.0),
            "nsd_3mm": self.surface.dice(3.0),
            "hd95_mm": self.surface.hausdorff(),
            "volume_error_percent": self.volume_error_percent,
            "lesion_f1": self.lesions.f1,
            "slice_sensitivity": self.slices.sensitivity,
            "slice_specificity": self.slices.specificity,
            "calibration_error": self.calibration.error,
        }
