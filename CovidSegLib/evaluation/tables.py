"""The results of an evaluation as Markdown with tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from .. import recipes
from ..markdown import table
from ..metrics.measurement import METRICS, OVERLAP_METRICS, SIDES, STRUCTURES, Measurement, metrics_for
from ..metrics.overlap import ConfusionMatrix
from ..metrics.statistics import limits_of_agreement, paired_test, summarise
from ..models import Model, find_model
from ..models.loading import recipe_of
from .patients import PatientResult
from .protocol import Protocol

#: Metrics of the lungs and of the infection in the table of cases, in this order.
LUNG_CASE_METRICS = ("dice",)
CASE_METRICS = (
    "dice",
    "sensitivity",
    "precision",
    "nsd_1mm",
    "nsd_3mm",
    "hd95_mm",
    "volume_error_percent",
    "lesion_f1",
    "calibration_error",
)
NOTES = (
    "n: number of cases for which the metric is defined. Interval: 95 % percentile bootstrap interval of the mean over "
    "cases. The slice ranges of one patient are one case. Specificity and accuracy are computed over all voxels of the "
    "files. mm and ml follow the spacing in the files, which is nominal in `covid19_ct_seg_hu`. `CovidSegLib/metrics/` "
    "documents the definitions of the metrics, their sources, and their values for empty masks."
)
POOLED = "Each case was evaluated by the run from which it was held out. The cases of all runs are pooled."
UNSEEN = "The following results are those of the cases on which no model was trained."
ALL_SEEN = (
    "The models were trained on all of these cases. The following results do not show how well they perform on others."
)
PAPERS = "Each paper evaluated its model on patients of its own. The values are not comparable and not a ranking."
SIDE = "As the network labels it; infection has a label of its own and belongs to neither side here."
CONFUSION = "Voxels of all cases together. Rows are the target, columns the prediction."
SINGLE_SLICES = "Patients of whom there are only single slices. Each slice is a case."
PAIRED_TEST = "Last column: two-sided Wilcoxon signed-rank test over the same cases."

ByModel = Mapping[str, Sequence[PatientResult]]


def evaluation_markdown(
    models: Sequence[Model],
    results: Sequence[PatientResult],
    scans: Mapping[str, Mapping[str, Any]],
    slices: Sequence[PatientResult] = (),
    protocol: Protocol = Protocol(),  # noqa: B008 - frozen
) -> str:
    """Return the whole text.

    Args:
        models: The evaluated models.
        results: Results of all models on patients with masks.
        scans: Results on whole scans by model; see `evaluate_whole_scans`.
        slices: Results of all models on single slices.
        protocol: How the masks were made.
    """
    parts = [f"# Evaluation of {', '.join(model.name for model in models)}", protocol.description]
    if results:
        by_model = {model.name: [result for result in results if result.model == model.name] for model in models}
        parts += ["## Cases", _case_table(results)]
        if any(result.run for result in results):
            parts.append(POOLED)
        parts += _lungs_seen_notes(models, by_model)
        parts += _summary_parts(models, by_model)
        parts.append(NOTES)
    if slices:
        parts += ["## Single slices", SINGLE_SLICES, _slice_table(models, slices)]
    if any(scans.values()):
        parts += ["## Whole scans", _scan_table(models, scans)]
    return "\n\n".join(parts) + "\n"


def _summary_parts(models: Sequence[Model], by_model: ByModel) -> list[str]:
    """Return the sections that summarise cases: those that no model was trained on, or all if there are none."""
    seen = {result.patient for results in by_model.values() for result in results if result.seen_in_training}
    unseen = {name: [result for result in results if result.patient not in seen] for name, results in by_model.items()}
    all_seen = not unseen[models[0].name]
    if all_seen:
        unseen = {name: list(results) for name, results in by_model.items()}
    parts = [ALL_SEEN if all_seen else UNSEEN]
    structures = _structures(unseen)
    for structure in structures:
        title = structure.replace("_", " ").capitalize()
        parts += [f"## {title}", *[SIDE] * (structure in SIDES), _summary_table(models, unseen, structure)]
    parts += ["## Confusion matrices", CONFUSION, _confusion_table(unseen)]
    parts += ["## Volumes, prediction - target", _volume_table(unseen)]
    parts += ["## What the papers report", PAPERS]
    parts += [_paper_table(unseen, structure) for structure in structures if structure not in SIDES]
    return parts


def _structures(by_model: ByModel) -> list[str]:
    """Return the structures of the results, in the order of `STRUCTURES`: what the models are for first."""
    given = {name for results in by_model.values() for result in results for name in result.measurements}
    return [name for name in STRUCTURES if name in given]


def _case_table(results: Sequence[PatientResult]) -> str:
    """Return a row for each case and model."""
    runs = any(result.run for result in results)
    head = [*(["model", "run"] if runs else ["model"]), "patient", "resolution", "seen in training"]
    head += [f"lungs, {METRICS[key].title}" for key in LUNG_CASE_METRICS]
    head += [METRICS[key].title for key in CASE_METRICS]
    rows = []
    for result in sorted(results, key=lambda result: result.patient):
        row = [result.model, *([result.run or "-"] if runs else []), result.patient]
        row.append(" x ".join(map(str, result.resolution)))
        row += ["yes" if result.seen_in_training else "no"]
        for structure, keys in (("lungs", LUNG_CASE_METRICS), (result.finding, CASE_METRICS)):
            values = result.measurements[structure].values()
            row += [_number(values[key], METRICS[key].decimals) for key in keys]
        rows.append(row)
    return table(head, rows)


def _lungs_seen_notes(models: Sequence[Model], by_model: ByModel) -> list[str]:
    """Return a note for each model whose lungs are those of another model that was trained on some of the cases."""
    notes = []
    for model in models:
        lung_model = recipe_of(model).lungs_from
        patients = {result.patient for result in by_model[model.name]}
        if lung_model and (seen := patients & find_model(lung_model).seen):
            notes.append(
                f"{model.name} uses the lungs of {lung_model}, which was trained on {', '.join(sorted(seen))}. The "
                "results of the lungs in these cases do not show how well it performs on others."
            )
    return notes


def _summary_table(models: Sequence[Model], by_model: ByModel, structure: str) -> str:
    """Return a row for each metric and model. Several models are tested against the first."""
    values = {name: _values_by_metric(results, structure) for name, results in by_model.items()}
    first, several = models[0].name, len(models) > 1
    head = ["metric", *["model"] * several, "mean [95 % interval]", "median", "n", "its paper"]
    head += [f"against {first}"] * several
    rows = []
    for key, metric in metrics_for(structure).items():
        for model in models:
            summary = summarise(values[model.name][key])
            mean, low, high, median = (
                _number(value, metric.decimals) for value in (summary.mean, summary.low, summary.high, summary.median)
            )
            row = [metric.title, *[model.name] * several, f"{mean} [{low}, {high}]", median, str(summary.count)]
            row.append(_as_printed(recipe_of(model).reported.get(structure, {}).get(key)))
            if several:
                is_first = model.name == first
                row.append("-" if is_first else str(paired_test(values[model.name][key], values[first][key])))
            rows.append(row)
    return table(head, rows) + f"\n\n{PAIRED_TEST}" * several


def _confusion_table(by_model: ByModel) -> str:
    """Return two rows for each model and structure: the confusion matrix of all voxels, as in Fig. 13 of CHS-Net."""
    rows = []
    for name, results in by_model.items():
        for structure in _structures({name: results}):
            measured = [result.measurements[structure] for result in results if structure in result.measurements]
            total = sum((measurement.voxels for measurement in measured), ConfusionMatrix())
            title = structure.replace("_", " ")
            rows.append([name, title, "yes", f"TP {total.true_positive}", f"FN {total.false_negative}"])
            rows.append([name, title, "no", f"FP {total.false_positive}", f"TN {total.true_negative}"])
    return table(["model", "structure", "in the target", "predicted", "not predicted"], rows)


def _volume_table(by_model: ByModel) -> str:
    """Return a row for each model and structure with the agreement of predicted and target volumes."""
    rows = []
    for name, results in by_model.items():
        for structure in _structures({name: results}):
            measurements = [result.measurements.get(structure, Measurement()) for result in results]
            measured = [measurement for measurement in measurements if measurement.is_measured]
            agreement = limits_of_agreement(
                [measurement.prediction_ml for measurement in measured],
                [measurement.target_ml for measurement in measured],
            )
            bias, low, high = (_number(value, 1) for value in (agreement.bias, agreement.low, agreement.high))
            rows.append([name, structure, str(agreement.count), bias, f"{low} to {high}"])
    return table(["model", "structure", "n", "bias, ml", "95 % limits of agreement (Bland-Altman), ml"], rows)


def _paper_table(by_model: ByModel, structure: str) -> str:
    """Return our means, and what the papers of all recipes report."""
    rows = []
    for name, results in by_model.items():
        values = _values_by_metric(results, structure)
        means = [_number(summarise(values[key]).mean, metric.decimals) for key, metric in OVERLAP_METRICS.items()]
        rows.append([f"**{name}**, measured here", *means])
    for name in recipes.names():
        if reported := recipes.load(name).reported.get(structure):
            rows.append([f"{name}, its paper", *(_as_printed(reported.get(key)) for key in OVERLAP_METRICS)])
    return table([structure, *(metric.title for metric in OVERLAP_METRICS.values())], rows)


def _slice_table(models: Sequence[Model], results: Sequence[PatientResult]) -> str:
    """Return a row for each model and structure."""
    rows = []
    for model in models:
        of_model = [result for result in results if result.model == model.name]
        seen = "yes" if any(result.seen_in_training for result in of_model) else "no"
        for structure in _structures({model.name: of_model}):
            dice = summarise(_values_by_metric(of_model, structure)["dice"])
            mean, low, high, median = (_number(value, 3) for value in (dice.mean, dice.low, dice.high, dice.median))
            rows.append([model.name, structure, f"{mean} [{low}, {high}]", median, str(dice.count), seen])
    return table(["model", "structure", "Dice, mean [95 % interval]", "median", "n", "seen in training"], rows)


def _scan_table(models: Sequence[Model], scans: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a row for each whole scan."""
    head = ["model", "scan", "diagnosis", "slices: sensitivity", "specificity", "infection, % of lungs"]
    head += ["infection, ml", "lungs, ml", "lungs, Dice"]
    rows = []
    for model in models:
        for name, numbers in scans[model.name].items():
            keys = ("sensitivity", "specificity", "involvement_percent", "infection_ml", "lungs_ml", "lungs_dice")
            cells = ["-" if numbers.get(key) is None else str(numbers[key]) for key in keys]
            seen = "its clean slices" if name in model.card.get("trained_on", ()) else "no"
            rows.append([numbers.get("run", model.name), name, numbers["diagnosis"], *cells, seen])
    return table([*head, "seen in training"], rows)


def _values_by_metric(results: Sequence[PatientResult], structure: str) -> dict[str, list[float]]:
    """Return the values of each metric over cases."""
    rows = [result.measurements.get(structure, Measurement()).values() for result in results]
    return {key: [row[key] for row in rows] for key in metrics_for(structure)}


def _number(value: float, decimals: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{decimals}f}"


def _as_printed(value: float | None) -> str:
    """Format a value of a paper with the digits that it has there."""
    return "-" if value is None else f"{value:g}"
