"""Evaluation of a model on patients with masks, each segmented with `pipeline.segment`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..data.case import Case
from ..data.patients import was_seen
from ..errors import InputError
from ..figures.slices import FAILURES, SliceView
from ..metrics.calibration import Calibration
from ..metrics.measurement import STRUCTURES, Measurement
from ..models import Model
from ..pipeline import segment
from ..progress import Progress, silent, subprogress
from ..segmentation import Segmentation
from ..volume import Grid, GridSpacing, Volume


@dataclass(frozen=True)
class PatientResult:
    """Result of one model on one patient.

    Attributes:
        model: Name of the model.
        patient: Name of the patient.
        seen_in_training: Whether the patient was used for training or validation of the model.
        measurements: Measurements by structure. Those of structures that are not annotated are not measured.
        view: Slice with the largest target.
        failure_views: By kind of error (`FAILURES`), the slice with the most errors.
        run: For the runs of a cross-validation, the run that segmented the patient; else None.
        temperature: Temperature of the probabilities in the calibration.
    """

    model: str
    patient: str
    seen_in_training: bool
    measurements: dict[str, Measurement]
    view: SliceView
    failure_views: dict[str, SliceView] = field(default_factory=dict)
    run: str | None = None
    temperature: float = 1.0

    @property
    def infection(self) -> Measurement:
        """Measurement of the infection."""
        return self.measurements["infection"]


def evaluate_patients(
    cases: Collection[Case], model: Model, *, device: str = "auto", progress: Progress = silent
) -> list[PatientResult]:
    """Evaluate a model on all patients of some cases.

    The cases of one patient are slice ranges of one scan. Their measurements are added.

    Args:
        cases: Slice ranges. The scans continue beyond them, so a mask has no surface where it is cut off.
        model: Model to evaluate.
        device: Device for the networks; see `pipeline.segment`.
        progress: Receives the stage and the fraction of the cases done. May raise `Cancelled`.

    Returns:
        One result for each patient, sorted by name.

    Raises:
        InputError: A case cannot be segmented. The message names it.
        Cancelled: Raised by `progress`.
    """
    by_patient: dict[str, list[_CaseResult]] = {}
    for number, case in enumerate(cases):
        case_progress = subprogress(progress, number / len(cases), (number + 1) / len(cases))
        segmentation = _segment(case, model, device, case_progress)
        by_patient.setdefault(case.patient, []).append(_measure(case, segmentation))
    return [_combine(model, patient, results) for patient, results in sorted(by_patient.items())]


class _CaseResult(NamedTuple):
    """Result of one slice range; the fields are those of `PatientResult`."""

    measurements: dict[str, Measurement]
    view: SliceView
    failure_views: dict[str, SliceView]


def _segment(case: Case, model: Model, device: str, progress: Progress) -> Segmentation:
    spacing = case.scan.spacing
    grid = Grid(case.scan.shape, GridSpacing(spacing.columns, spacing.rows, spacing.slices))
    volume = Volume(np.ascontiguousarray(case.scan.hu), grid)

    def report(stage: str, fraction: float) -> None:
        progress(f"Segmenting {case.name}", fraction)

    try:
        return segment(volume, model, device=device, progress=report)
    except InputError as error:
        raise InputError(f"{case.name}: {error}") from error


def _measure(case: Case, segmentation: Segmentation) -> _CaseResult:
    spacing, predicted_lungs = case.scan.spacing, segmentation.lungs > 0
    lungs_annotated = bool(case.lungs_known.any())
    # The probabilities are counted within the target lungs, or within the predicted ones if lungs are not annotated.
    lungs = case.lungs if lungs_annotated else predicted_lungs
    calibration = Calibration.of(segmentation.probability, case.infection, lungs)
    measurements = {
        "lungs": Measurement.of(predicted_lungs, lungs, spacing, open_ends=True) if lungs_annotated else Measurement(),
        "infection": Measurement.of(
            segmentation.infection, case.infection, spacing, open_ends=True, calibration=calibration
        ),
    }
    masks = (case.name, case.scan, case.infection, segmentation.infection)
    return _CaseResult(measurements, SliceView.of(*masks), {kind: SliceView.of(*masks, kind) for kind in FAILURES})


def _combine(model: Model, patient: str, results: Collection[_CaseResult]) -> PatientResult:
    return PatientResult(
        model.name,
        patient,
        was_seen(patient, model.seen),
        {
            structure: sum((result.measurements[structure] for result in results), Measurement())
            for structure in STRUCTURES
        },
        max((result.view for result in results), key=lambda view: view.target_pixels),
        {
            kind: max((result.failure_views[kind] for result in results), key=lambda view: view.error_mm2(kind))
            for kind in FAILURES
        },
        temperature=model.temperature,
    )
