"""Evaluation of a model on single slices of patients of whom there is nothing else, each slice by itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..data.case import Case
from ..metrics.statistics import summarise
from ..models import Model
from ..progress import Progress, silent, subprogress
from .patients import PatientResult, evaluate_patients
from .protocol import Protocol


def evaluate_single_slices(
    cases: Collection[Case],
    model: Model,
    *,
    protocol: Protocol = Protocol(),  # noqa: B008 - frozen
    device: str = "auto",
    progress: Progress = silent,
) -> list[PatientResult]:
    """Evaluate a model on single slices, each as a case of its own.

    Args:
        cases: Cases of one slice.
        model: Model to evaluate.
        protocol: How masks are made.
        device: Device for the networks; see `pipeline.segment`.
        progress: Receives the stage and the fraction of the slices done. May raise `Cancelled`.

    Returns:
        One result for each slice, under the name of its case.

    Raises:
        InputError: A slice cannot be segmented. The message names it.
        Cancelled: Raised by `progress`.
    """
    results = []
    for number, case in enumerate(cases):
        here = subprogress(progress, number / len(cases), (number + 1) / len(cases))
        (result,) = evaluate_patients([case], model, protocol=protocol, device=device, progress=here)
        results.append(replace(result, patient=case.name))
    return results


def summary(results: Sequence[PatientResult]) -> dict[str, Any]:
    """Return what a model card stores: the number of slices, and mean and median Dice by structure, rounded."""
    found: dict[str, Any] = {"count": len(results)}
    for structure in ("lungs", *{result.finding: None for result in results}):
        dice = summarise([_dice(result.measurements, structure) for result in results])
        if dice.count:
            found[structure] = {"dice": round(dice.mean, 4), "median": round(dice.median, 4)}
    return found


def _dice(measurements: Mapping[str, Any], structure: str) -> float:
    measurement = measurements.get(structure)
    return float("nan") if measurement is None or not measurement.is_measured else float(measurement.voxels.dice)
