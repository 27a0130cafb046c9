"""Evaluation of a model on patients with masks."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..data.case import Case
from ..data.patients import was_seen
from ..errors import InputError, NoLungsError
from ..figures.slices import FAILURES, SliceView
from ..inference import choose_device
from ..metrics.calibration import Calibration
from ..metrics.measurement import SIDES, STRUCTURES, Measurement
from ..models import Model
from ..models.loading import load_stages, recipe_of
from ..pipeline import segment
from ..progress import Progress, silent, subprogress
from ..training.targets import side_without_findings
from ..volume import Grid, GridSpacing, Volume
from .coarse_masks import CoarseMasks
from .paper_prediction import Masks, predict_as_published
from .protocol import CLINICAL, Protocol

#: Copies of a single slice in the scan that is segmented in its place: the pipeline needs a scan.
COPIES = 21


@dataclass(frozen=True)
class PatientResult:
    """Result of one model on one patient.

    Attributes:
        model: Name of the model.
        patient: Name of the patient.
        seen_in_training: Whether the patient was used for training or validation of the model.
        measurements: Measurements by structure. Those of structures that are not annotated are not measured.
        view: Slice with the largest target.
        finding: The structure that the model looks for, "infection" or "tumour".
        resolution: Columns, rows and slices of the patient's files.
        failure_views: By kind of error (`FAILURES`), the slice with the most errors.
        solids: Coarse masks of the target and the prediction of the case in the view.
        run: For the runs of a cross-validation, the run that segmented the patient; else None.
        temperature: Temperature of the probabilities in the calibration.
    """

    model: str
    patient: str
    seen_in_training: bool
    measurements: dict[str, Measurement]
    view: SliceView
    finding: str = "infection"
    resolution: tuple[int, int, int] = (0, 0, 0)
    failure_views: dict[str, SliceView] = field(default_factory=dict)
    solids: dict[str, CoarseMasks] = field(default_factory=dict)
    run: str | None = None
    temperature: float = 1.0

    @property
    def main(self) -> Measurement:
        """Measurement of the finding."""
        return self.measurements[self.finding]


def evaluate_patients(
    cases: Collection[Case],
    model: Model,
    *,
    protocol: Protocol = Protocol(),  # noqa: B008 - frozen
    device: str = "auto",
    progress: Progress = silent,
) -> list[PatientResult]:
    """Evaluate a model on all patients of some cases.

    The cases of one patient are slice ranges of one scan. Their measurements are added.

    Args:
        cases: Slice ranges. The scans continue beyond them, so a mask has no surface where it is cut off. In the
            clinical protocol, a single slice is segmented as the middle of a scan of `COPIES` equal slices. Where no
            lungs are found, the masks are empty.
        model: Model to evaluate.
        protocol: How masks are made.
        device: Device for the networks; see `pipeline.segment`.
        progress: Receives the stage and the fraction of the cases done. May raise `Cancelled`.

    Returns:
        One result for each patient, sorted by name.

    Raises:
        InputError: A case cannot be segmented. The message names it.
        Cancelled: Raised by `progress`.
    """
    predict = _clinical(model, device) if protocol.name == CLINICAL else _as_published(model, device, protocol)
    finding = "infection" if protocol.name == CLINICAL else recipe_of(model).infection.finding
    by_patient: dict[str, list[_CaseResult]] = {}
    for number, case in enumerate(cases):
        case_progress = subprogress(progress, number / len(cases), (number + 1) / len(cases))
        try:
            masks, probability = predict(case, case_progress)
        except InputError as error:
            raise InputError(f"{case.name}: {error}") from error
        by_patient.setdefault(case.patient, []).append(_measure(case, masks, probability, finding))
    return [_combine(model, patient, finding, results) for patient, results in sorted(by_patient.items())]


#: Predicts a case: boolean masks by structure, and the uint8 probability of the finding.
Predictor = Callable[[Case, Progress], tuple[Masks, np.ndarray]]


class _CaseResult(NamedTuple):
    """Result of one slice range; the fields are those of `PatientResult`."""

    measurements: dict[str, Measurement]
    shape: tuple[int, ...]
    view: SliceView
    failure_views: dict[str, SliceView]
    solids: dict[str, CoarseMasks]


def _clinical(model: Model, device: str) -> Predictor:
    """Return the prediction by `pipeline.segment`."""

    def predict(case: Case, progress: Progress) -> tuple[Masks, np.ndarray]:
        spacing, hu = case.scan.spacing, case.scan.hu
        measured = slice(None)
        if len(hu) == 1:
            hu, measured = np.repeat(hu, COPIES, axis=0), slice(COPIES // 2, COPIES // 2 + 1)
        grid = Grid(hu.shape, GridSpacing(spacing.columns, spacing.rows, spacing.slices))
        volume = Volume(np.ascontiguousarray(hu), grid)

        def report(stage: str, fraction: float) -> None:
            progress(f"Segmenting {case.name}", fraction)

        try:
            result = segment(volume, model, device=device, progress=report)
        except NoLungsError:  # a failure of the model, which must not end the evaluation of the others
            nothing = np.zeros(case.scan.shape, dtype=bool)
            return {"lungs": nothing, "infection": nothing}, nothing.astype(np.uint8)
        masks = {"lungs": result.lungs[measured] > 0, "infection": result.infection[measured]}
        return masks, result.probability[measured]

    return predict


def _as_published(model: Model, device: str, protocol: Protocol) -> Predictor:
    """Return the prediction of the networks alone, which are loaded once."""
    stages = load_stages(model, choose_device(device))
    own_lungs = recipe_of(model).lungs is not None

    def predict(case: Case, progress: Progress) -> tuple[Masks, np.ndarray]:
        return predict_as_published(
            case, stages, own_lungs=own_lungs, target_lungs=protocol.target_lungs, progress=progress
        )

    return predict


def _measure(case: Case, masks: Masks, probability: np.ndarray, finding: str) -> _CaseResult:
    # The probabilities are counted within the target lungs, or within the predicted ones if lungs are not annotated.
    annotated, target = bool(case.lungs_known.any()), case.mask(finding)
    lungs = case.lungs if annotated else masks.get("lungs", np.ones(case.scan.shape, dtype=bool))
    calibration = Calibration.of(probability, target, lungs)
    spacing = case.scan.spacing
    measurements = {"lungs": Measurement()}
    for structure in (*(("lungs", *SIDES) if annotated else ()), finding):
        if structure in masks:
            expected = side_without_findings(case, structure) if structure in SIDES else case.mask(structure)
            measurements[structure] = Measurement.of(
                masks[structure],
                expected,
                spacing,
                open_ends=True,
                calibration=calibration if structure == finding else None,
            )
    both = (case.name, case.scan, target, masks[finding])
    solids = {
        # Other structures are drawn in the colour of the infection.
        "target": CoarseMasks.of({"infection": target, **({"lungs": case.lungs} if annotated else {})}, spacing),
        "prediction": CoarseMasks.of({"infection": masks[finding], "lungs": masks.get("lungs", lungs)}, spacing),
    }
    failures = {kind: SliceView.of(*both, kind) for kind in FAILURES}
    return _CaseResult(measurements, case.scan.shape, SliceView.of(*both), failures, solids)


def _combine(model: Model, patient: str, finding: str, results: Collection[_CaseResult]) -> PatientResult:
    shown = max(results, key=lambda result: result.view.target_pixels)
    slices = sum(result.shape[0] for result in results)
    names = [name for name in STRUCTURES if any(name in result.measurements for result in results)]
    return PatientResult(
        model.name,
        patient,
        was_seen(patient, model.seen),
        {
            structure: sum((result.measurements.get(structure, Measurement()) for result in results), Measurement())
            for structure in names
        },
        shown.view,
        finding,
        (shown.shape[2], shown.shape[1], slices),
        {
            kind: max((result.failure_views[kind] for result in results), key=lambda view: view.error_mm2(kind))
            for kind in FAILURES
        },
        shown.solids,
        temperature=model.temperature,
    )
