"""The files of an evaluation: CSV tables, a Markdown text, JSON for a model's card, and pictures of three cases."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..figures.slices import FAILURES, draw_comparison, draw_failures
from ..metrics.calibration import Calibration
from ..metrics.measurement import METRICS
from ..models import Model
from ..models.loading import recipe_of
from ..progress import Progress, silent
from ..storage.staging import staged_files
from . import temperature
from .calibration_plot import draw_reliability
from .patients import PatientResult
from .tables import evaluation_markdown

PICTURES = ("best", "median", "worst")
#: What a card keeps of the infection, the first two of the lungs too.
CARD_METRICS = ("dice", "nsd_3mm", "sensitivity", "precision", "calibration_error")
#: What there may be in a folder of results.
FILES = (
    "evaluation.md",
    "cases.csv",
    "scans.csv",
    "results.json",
    "calibration.json",
    "calibration.png",
    *(f"{name}.png" for name in (*PICTURES, *FAILURES)),
)
#: Of so many cases failures are shown.
SHOWN = 8
SCAN_COLUMNS = ("run", "diagnosis", "sensitivity", "specificity", "involvement_percent", "lungs_ml")


def write_evaluation(
    out: Path,
    models: Sequence[Model],
    results: Sequence[PatientResult],
    scans: Mapping[str, Mapping[str, Any]],
    *,
    overwrite: bool = False,
    progress: Progress = silent,
) -> list[Path]:
    """Write all files to a folder, or none.

    Args:
        out: The folder; made where there is none.
        models: Those that were measured.
        results: On masks, of all models, each on the same patients.
        scans: Whole scans by model, as `evaluate_whole_scans` returns them.
        overwrite: Replace earlier results in `out`.
        progress: Told the stage and the fraction of the writing that is done; may raise to cancel.

    Returns:
        The files written. Without patients with masks there are no cases and no pictures, and so with scans.

    Raises:
        InputError: Same as in `storage.staging.staged_files`.
    """
    with staged_files(out, FILES, overwrite=overwrite) as folder:
        progress("Writing the tables", 0.0)
        (folder / "evaluation.md").write_text(
            evaluation_markdown(models, results, scans), encoding="utf-8", newline="\n"
        )
        by_model = {
            model.name: card_results([one for one in results if one.model == model.name], scans.get(model.name, {}))
            for model in models
        }
        (folder / "results.json").write_text(json.dumps(by_model, indent=1) + "\n", encoding="utf-8", newline="\n")
        if results:
            _write_rows(folder / "cases.csv", [row for result in results for row in _rows(result)])
            progress("Drawing the pictures", 0.3)
            draw_reliability(folder / "calibration.png", _calibrations(results))
            if unseen := _unseen(models, results):
                text = temperature.as_json(recipe_of(models[0]).name, unseen)
                (folder / temperature.FILE).write_text(text, encoding="utf-8", newline="\n")
            for name, patient in rank_patients(results).items():
                own = [result for result in results if result.patient == patient]
                panels = {f"{one.model}: Dice {one.measured['infection'].voxels.dice:.3f}": one.view for one in own}
                draw_comparison(
                    folder / f"{name}.png", f"{name.capitalize()} case by Dice of the infection: {patient}", panels
                )
            for kind in FAILURES if len(models) == 1 else ():
                progress("Drawing the pictures", 0.7)
                wrong = [one.failures[kind] for one in results if one.failures[kind].error_mm2(kind)]
                if worst := sorted(wrong, key=lambda view: -view.error_mm2(kind))[:SHOWN]:
                    draw_failures(folder / f"{kind}.png", kind, worst)
        rows = [
            {"model": model, "scan": scan, **{key: of[key] for key in SCAN_COLUMNS if key in of}}
            for model, by_scan in scans.items()
            for scan, of in by_scan.items()
        ]
        if rows:
            _write_rows(folder / "scans.csv", rows)
        files = sorted(path.name for path in folder.iterdir())
        # Cancelling is possible up to here.
        progress("Saving the results", 1.0)
    return [out / name for name in files]


def rank_patients(results: Sequence[PatientResult]) -> dict[str, str]:
    """The patients with the best, the median and the worst Dice of the infection, by the mean over the models."""
    dice: dict[str, list[float]] = {}
    for result in results:
        dice.setdefault(result.patient, []).append(result.measured["infection"].voxels.dice)
    order = sorted(dice, key=lambda patient: (-sum(dice[patient]) / len(dice[patient]), patient))
    return dict(zip(PICTURES, (order[0], order[len(order) // 2], order[-1]), strict=True))


def _calibrations(results: Sequence[PatientResult]) -> dict[str, list[Calibration]]:
    """The cases of each model: those that no model was trained on, or all where there are no others."""
    seen = {result.patient for result in results if result.seen}
    unseen = [result for result in results if result.patient not in seen]
    of_model: dict[str, list[Calibration]] = {}
    for result in unseen or results:
        of_model.setdefault(result.model, []).append(result.measured["infection"].calibration)
    return of_model


def _unseen(models: Sequence[Model], results: Sequence[PatientResult]) -> dict[str, tuple[float, Calibration]]:
    """By patient, what one trained model can be calibrated by: temperature and probabilities of those not seen."""
    one = len(models) == 1 and models[0].trained
    return {
        result.patient: (result.temperature, result.measured["infection"].calibration)
        for result in results
        if one and not result.seen
    }


def card_results(results: Sequence[PatientResult], scans: Mapping[str, Any]) -> dict[str, Any]:
    """What a model's card keeps: some numbers of each patient, and the whole scans.

    Args:
        results: Of one model.
        scans: Of `evaluate_whole_scans`.
    """
    masks = {
        one.patient: {
            structure: {
                key: round(value, 4)
                for key, value in of.values().items()
                if key in (CARD_METRICS if structure == "infection" else CARD_METRICS[:2]) and not math.isnan(value)
            }
            for structure, of in one.measured.items()
            if of.is_measured
        }
        for one in results
    }
    return {"masks": masks, "whole_scans": dict(scans)}


def _rows(result: PatientResult) -> list[dict[str, Any]]:
    """One row a structure that was measured."""
    rows = []
    for structure, of in result.measured.items():
        if not of.is_measured:
            continue
        row: dict[str, Any] = {"model": result.model, **({"run": result.run} if result.run else {})}
        row |= {"patient": result.patient, "structure": structure}
        row |= {"seen_in_training": "yes" if result.seen else "no", **of.values()}
        row |= {"found_ml": of.prediction_ml, "true_ml": of.target_ml}
        if structure == "infection":
            row |= {"lesions_found": of.lesions.detected, "lesions_missed": of.lesions.missed}
            row |= {"lesions_false": of.lesions.false_positives}
        else:
            row |= {key: None for key, metric in METRICS.items() if not metric.for_lungs}
        rows.append(row)
    return rows


def _write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """CSV with the mark at the beginning by which Excel knows UTF-8; what is not defined is left empty."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        for row in rows:
            writer.writerow({key: _cell(value) for key, value in row.items()})


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return "" if math.isnan(value) else round(value, 6)
    return value
