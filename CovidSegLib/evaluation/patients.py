"""Models measured against masks: patient by patient, each through `pipeline.segment`."""

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
from ..metrics.measurement import Measurement
from ..models import Model
from ..pipeline import segment
from ..progress import Progress, silent, subprogress
from ..volume import Grid, GridSpacing, Volume


@dataclass(frozen=True)
class PatientResult:
    """A patient as one model segments it.

    Attributes:
        model: Its name.
        patient: Who.
        seen: Whether the model was trained on it, or chosen by it.
        measured: By structure; nothing is measured of lungs that nobody has drawn.
        view: The slice with most true infection.
        run: Which of several runs that are one model together has measured it; None where there is one.
        temperature: Of the probabilities that were counted.
        failures: By kind of failure, the slice with most of it.
    """

    model: str
    patient: str
    seen: bool
    measured: dict[str, Measurement]
    view: SliceView
    run: str | None = None
    temperature: float = 1.0
    failures: dict[str, SliceView] = field(default_factory=dict)


def evaluate_patients(
    cases: Collection[Case], model: Model, *, device: str = "auto", progress: Progress = silent
) -> list[PatientResult]:
    """Measure a model on all patients of some cases; the cases of one patient, which are runs of slices, are one.

    Args:
        cases: Runs of slices. The scan goes on beyond them, so that where a mask is cut off it has no surface.
        model: What is measured.
        device: As of `pipeline.segment`.
        progress: Told the stage and the fraction of the cases that is done.

    Returns:
        A result a patient, in the order of their names.

    Raises:
        InputError: A case cannot be segmented; names it.
        Cancelled: From `progress`.
    """
    by_patient: dict[str, list[_Run]] = {}
    for number, case in enumerate(cases):
        here = subprogress(progress, number / len(cases), (number + 1) / len(cases))
        by_patient.setdefault(case.patient, []).append(_measure(case, model, device, here))
    results = []
    for patient, runs in sorted(by_patient.items()):
        measured = {
            structure: sum((run.measured[structure] for run in runs), Measurement())
            for structure in ("lungs", "infection")
        }
        view = max((run.view for run in runs), key=lambda view: view.target_pixels)
        failures = {
            kind: max((run.failures[kind] for run in runs), key=lambda view: view.error_mm2(kind)) for kind in FAILURES
        }
        seen = was_seen(patient, model.seen)
        results.append(
            PatientResult(model.name, patient, seen, measured, view, temperature=model.temperature, failures=failures)
        )
    return results


class _Run(NamedTuple):
    """One run of slices."""

    measured: dict[str, Measurement]
    view: SliceView
    failures: dict[str, SliceView]


def _measure(case: Case, model: Model, device: str, progress: Progress) -> _Run:
    spacing = case.scan.spacing
    grid = Grid(case.scan.shape, GridSpacing(spacing.columns, spacing.rows, spacing.slices))
    volume = Volume(np.ascontiguousarray(case.scan.hu), grid)
    try:
        found = segment(
            volume, model, device=device, progress=lambda _, fraction: progress(f"Segmenting {case.name}", fraction)
        )
    except InputError as error:
        raise InputError(f"{case.name}: {error}") from error
    # Where nobody has drawn the lungs, the model's say where its probabilities are looked at.
    drawn = bool(case.lungs_known.any())
    lungs = case.lungs if drawn else found.lungs > 0
    calibration = Calibration.of(found.probability, case.infection, lungs)
    measured = {
        "lungs": Measurement.of(found.lungs > 0, lungs, spacing, open_ends=True) if drawn else Measurement(),
        "infection": Measurement.of(found.infection, case.infection, spacing, open_ends=True, calibration=calibration),
    }
    shown = (case.name, case.scan, case.infection, found.infection)
    return _Run(measured, SliceView.of(*shown), {kind: SliceView.of(*shown, kind) for kind in FAILURES})
