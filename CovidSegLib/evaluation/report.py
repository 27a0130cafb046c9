"""The files of an evaluation: tables as CSV and Markdown, JSON for model cards, and figures of selected cases."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..figures.rendering import Rendering
from ..figures.slices import FAILURES, draw_comparison, draw_failures
from ..metrics.calibration import Calibration
from ..metrics.measurement import FINDINGS, METRICS, Measurement
from ..metrics.overlap import ConfusionMatrix
from ..models import Model
from ..models.loading import recipe_of
from ..progress import Progress, silent
from ..storage.staging import staged_files
from . import calibration_file
from .calibration_plot import draw_reliability
from .patients import PatientResult
from .protocol import CLINICAL, Protocol
from .single_slices import summary
from .tables import evaluation_markdown

#: Figures of the patients with the best, median and worst Dice.
PICTURES = ("best", "median", "worst")
#: Metrics that a model card stores for the infection and for the lungs.
CARD_METRICS = {
    "infection": ("dice", "nsd_3mm", "sensitivity", "precision", "calibration_error"),
    "lungs": ("dice", "nsd_3mm"),
}
CARD_METRICS["tumour"] = CARD_METRICS["infection"]
#: All files that an evaluation can consist of.
FILES = (
    "evaluation.md",
    "cases.csv",
    "scans.csv",
    "slices.csv",
    "results.json",
    calibration_file.FILE,
    "calibration.png",
    *(f"{name}.png" for name in (*PICTURES, *FAILURES)),
)
#: Cases in the figure of each kind of error.
SHOWN_FAILURES = 8
#: Width and height of three-dimensional views.
RENDERED_PIXELS = (400, 400)
SCAN_COLUMNS = (
    "run",
    "diagnosis",
    "sensitivity",
    "specificity",
    "involvement_percent",
    "infection_ml",
    "lungs_ml",
    "lungs_dice",
)


def write_evaluation(
    out: Path,
    models: Sequence[Model],
    results: Sequence[PatientResult],
    scans: Mapping[str, Mapping[str, Any]],
    slices: Sequence[PatientResult] = (),
    *,
    protocol: Protocol = Protocol(),  # noqa: B008 - frozen
    overwrite: bool = False,
    progress: Progress = silent,
) -> list[Path]:
    """Write all files of an evaluation to a folder, or none.

    Args:
        out: Folder for the files. Created if it does not exist.
        models: The evaluated models.
        results: Results on patients with masks, of all models on the same patients.
        scans: Results on whole scans by model; see `evaluate_whole_scans`.
        slices: Results on single slices, of all models; see `evaluate_single_slices`.
        protocol: How the masks were made.
        overwrite: Replace earlier results in `out`.
        progress: Receives the stage and the fraction of the writing done. May raise `Cancelled`.

    Returns:
        Paths of the written files. Without patients there are no cases.csv and no figures, without scans no scans.csv,
        and without single slices no slices.csv.

    Raises:
        InputError: The folder cannot be written or contains earlier results; see `storage.staging.staged_files`.
        Cancelled: Raised by `progress`.
    """
    with staged_files(out, FILES, overwrite=overwrite) as folder:
        progress("Writing the tables", 0.0)
        _write_text(folder / "evaluation.md", evaluation_markdown(models, results, scans, slices, protocol))
        by_model = {
            model.name: card_results(
                [one for one in results if one.model == model.name],
                scans.get(model.name, {}),
                [one for one in slices if one.model == model.name],
                protocol,
            )
            for model in models
        }
        _write_text(folder / "results.json", json.dumps(by_model, indent=1) + "\n")
        if scan_rows := _scan_rows(scans):
            _write_csv(folder / "scans.csv", scan_rows)
        if slices:
            _write_csv(folder / "slices.csv", [row for result in slices for row in _case_rows(result, protocol)])
        if results:
            _write_csv(folder / "cases.csv", [row for result in results for row in _case_rows(result, protocol)])
            _write_calibration(folder, models, results)
            progress("Drawing the pictures", 0.3)
            draw_reliability(folder / "calibration.png", _calibrations(results))
            _draw_ranked(folder, results)
            if len(models) == 1:
                progress("Drawing the pictures", 0.8)
                _draw_failures(folder, results)
        files = sorted(path.name for path in folder.iterdir())
        # The last opportunity to cancel.
        progress("Saving the results", 1.0)
    return [out / name for name in files]


def rank_patients(results: Sequence[PatientResult]) -> dict[str, str]:
    """Return the patients with the best, median and worst Dice of the infection, averaged over the models.

    Returns:
        Patients by the names of `PICTURES`.
    """
    dice: dict[str, list[float]] = {}
    for result in results:
        dice.setdefault(result.patient, []).append(result.main.voxels.dice)
    best_first = sorted(dice, key=lambda patient: (-sum(dice[patient]) / len(dice[patient]), patient))
    return dict(zip(PICTURES, (best_first[0], best_first[len(best_first) // 2], best_first[-1]), strict=True))


def card_results(
    results: Sequence[PatientResult],
    scans: Mapping[str, Any],
    slices: Sequence[PatientResult] = (),
    protocol: Protocol = Protocol(),  # noqa: B008 - frozen
) -> dict[str, Any]:
    """Return the results that a model card stores.

    They are some metrics of each patient, all results on whole scans, and a summary of those on single slices.

    Args:
        results: Results of one model.
        scans: Its results on whole scans; see `evaluate_whole_scans`.
        slices: Its results on single slices.
        protocol: How the masks were made; noted unless they were made as in clinical use.
    """
    masks = {
        result.patient: {
            structure: _card_metrics(structure, measurement)
            for structure, measurement in result.measurements.items()
            if measurement.is_measured and structure in CARD_METRICS
        }
        for result in results
    }
    how = {} if protocol.name == CLINICAL else {"how": protocol.description}
    single = {"single_slices": summary(slices)} if slices else {}
    return {**how, "masks": masks, "whole_scans": dict(scans), **single}


def _card_metrics(structure: str, measurement: Measurement) -> dict[str, float]:
    return {
        key: round(value, 4)
        for key, value in measurement.values().items()
        if key in CARD_METRICS[structure] and not math.isnan(value)
    }


def _draw_ranked(folder: Path, results: Sequence[PatientResult]) -> None:
    """Draw the best, median and worst case: the same slice of each model, and views in 3D if there are several."""
    ranked = rank_patients(results)
    several = len({result.model for result in results}) > 1
    solids = {
        patient: _render([result for result in results if result.patient == patient])
        for patient in sorted(set(ranked.values()))
        if several
    }
    for name, patient in ranked.items():
        shown = [result for result in results if result.patient == patient]
        views = {_panel_title(result): result.view for result in shown}
        title = f"{name.capitalize()} case by Dice of the {shown[0].finding}: {patient}"
        draw_comparison(folder / f"{name}.png", title, views, solids.get(patient, ()))


def _panel_title(result: PatientResult) -> str:
    """Return the Dice of the case, and Dice and Jaccard index of the slice (as in Fig. 14 of CHS-Net)."""
    of_slice = ConfusionMatrix.of(result.view.prediction, result.view.target)
    return (
        f"{result.model}: Dice {result.main.voxels.dice:.3f}\n"
        f"this slice: Dice {of_slice.dice:.3f}, Jaccard {of_slice.iou:.3f}"
    )


def _render(shown: Sequence[PatientResult]) -> list[np.ndarray | None]:
    """Render the target and each model's prediction (as in Figs. 5 to 10 of COVID-SegNet); None where that fails.

    The lungs are those of the target, or those that were predicted where they are not annotated.
    """
    solids = [shown[0].solids.get("target"), *(result.solids.get("prediction") for result in shown)]
    renderings = [Rendering(each.surfaces(), RENDERED_PIXELS) if each else None for each in solids]
    try:
        pictures = [rendering.pictures() if rendering else None for rendering in renderings]
    finally:
        for rendering in renderings:
            if rendering:
                rendering.close()
    return [picture["From the front"] if picture else None for picture in pictures]


def _draw_failures(folder: Path, results: Sequence[PatientResult]) -> None:
    for kind in FAILURES:
        areas = [(result.failure_views[kind].error_mm2(kind), result.failure_views[kind]) for result in results]
        worst_first = [view for area, view in sorted(areas, key=lambda pair: -pair[0]) if area]
        if worst_first:
            draw_failures(folder / f"{kind}.png", kind, worst_first[:SHOWN_FAILURES])


def _calibrations(results: Sequence[PatientResult]) -> dict[str, list[Calibration]]:
    """Return the calibrations of each model, without patients that any model was trained on unless all were."""
    seen = {result.patient for result in results if result.seen_in_training}
    unseen = [result for result in results if result.patient not in seen]
    by_model: dict[str, list[Calibration]] = {}
    for result in unseen or results:
        by_model.setdefault(result.model, []).append(result.main.calibration)
    return by_model


def _write_calibration(folder: Path, models: Sequence[Model], results: Sequence[PatientResult]) -> None:
    """Write the file by which a model can be calibrated, if there is one trained model and patients unseen by it."""
    if len(models) != 1 or not models[0].trained:
        return
    unseen = {
        result.patient: (result.temperature, result.main.calibration)
        for result in results
        if not result.seen_in_training
    }
    if unseen:
        calibration_file.write(folder, recipe_of(models[0]).name, unseen)


def _case_rows(result: PatientResult, protocol: Protocol) -> list[dict[str, Any]]:
    """Return the rows of cases.csv: one for each measured structure."""
    rows = []
    columns, lines, slices = result.resolution
    for structure, measurement in sorted(result.measurements.items(), key=lambda item: item[0] in FINDINGS):
        if not measurement.is_measured:
            continue
        row: dict[str, Any] = {"model": result.model, **({"run": result.run} if result.run else {})}
        row |= {"patient": result.patient, "structure": structure}
        row |= {"seen_in_training": "yes" if result.seen_in_training else "no", **measurement.values()}
        row |= {"found_ml": measurement.prediction_ml, "true_ml": measurement.target_ml}
        if structure in FINDINGS:
            row |= {"lesions_found": measurement.lesions.detected, "lesions_missed": measurement.lesions.missed}
            row |= {"lesions_false": measurement.lesions.false_positives}
        else:
            row |= {key: None for key, metric in METRICS.items() if not metric.for_lungs}
        row |= {f"{key}s": value for key, value in asdict(measurement.voxels).items()}
        row |= {"columns": columns, "rows": lines, "slices": slices, "protocol": protocol.name}
        rows.append(row)
    return rows


def _scan_rows(scans: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of scans.csv."""
    return [
        {"model": model, "scan": scan, **{key: numbers[key] for key in SCAN_COLUMNS if key in numbers}}
        for model, by_scan in scans.items()
        for scan, numbers in by_scan.items()
    ]


def _write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as UTF-8 with a byte order mark, which Excel needs. Undefined values are empty."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with path.open("w", encoding="utf-8-sig", errors="backslashreplace", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        for row in rows:
            writer.writerow({key: _cell(value) for key, value in row.items()})


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return "" if math.isnan(value) else round(value, 6)
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@")):
        return f"'{value}"  # the name of a file must not become a formula in a spreadsheet
    return value


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
