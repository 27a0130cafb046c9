"""The numbers of an evaluation as Markdown tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from .. import recipes
from ..markdown import table
from ..metrics.measurement import METRICS, OVERLAP_METRICS, STRUCTURES, metrics_for
from ..metrics.statistics import limits_of_agreement, paired_test, summarise
from ..models import Model, find_model
from ..models.loading import recipe_of
from .patients import PatientResult

#: Columns of the table of cases.
BY_CASE = (
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
    "n: cases for which the number is defined. Interval: 95 % percentile bootstrap over cases, of the mean. Runs of "
    "slices of one patient are one case. Specificity and accuracy are of all voxels of the files. mm and ml follow the "
    "spacing in the files, which is nominal in `covid19_ct_seg_hu`. Definitions, with their sources and what they are "
    "for empty masks: `CovidSegLib/evaluation/`."
)

UNSEEN = "The numbers below are of the cases that no model here was trained on."
PAPERS = "Each paper measured on patients of its own, which are not these: the figures are no ranking."
ALL_SEEN = "All of these cases were seen in training: the numbers below do not say how well a model does on others."

POOLED = "Each case was measured by the run that has not seen it, and the cases of all runs are taken together."

Values = list[float]


def by_metric(results: Sequence[PatientResult], structure: str) -> dict[str, Values]:
    """For each metric its values over cases."""
    rows = [result.measured[structure].values() for result in results]
    return {key: [row[key] for row in rows] for key in metrics_for(structure)}


def evaluation_markdown(
    models: Sequence[Model], results: Sequence[PatientResult], scans: Mapping[str, Mapping[str, Any]]
) -> str:
    """The whole text.

    Args:
        models: Those that were measured.
        results: Of all models, on masks.
        scans: Of `evaluate_whole_scans`, by model.
    """
    parts = [f"# Evaluation of {', '.join(model.name for model in models)}"]
    if results:
        everyone = {model.name: [result for result in results if result.model == model.name] for model in models}
        parts += ["## Cases", _cases(results)]
        if any(result.run for result in results):
            parts.append(POOLED)
        parts += _lungs_seen(models, everyone)
        seen = {result.patient for result in results if result.seen}
        unseen = {name: [one for one in own if one.patient not in seen] for name, own in everyone.items()}
        known = not unseen[models[0].name]
        measured = everyone if known else unseen
        parts.append(ALL_SEEN if known else UNSEEN)
        for structure in STRUCTURES[::-1]:
            parts += [f"## {structure.capitalize()}", _summaries(models, measured, structure)]
        parts += ["## Volumes, result - truth", _volumes(measured)]
        parts += [
            "## What the papers report",
            PAPERS,
            *(_papers(measured, structure) for structure in STRUCTURES[::-1]),
        ]
        parts.append(NOTES)
    if any(scans.values()):
        parts += ["## Whole scans", _scans(models, scans)]
    return "\n\n".join(parts) + "\n"


def _cases(results: Sequence[PatientResult]) -> str:
    runs = any(result.run for result in results)
    head = [*(["model", "run"] if runs else ["model"]), "patient", "seen in training", "lungs, Dice"]
    head += [f"{METRICS[key].title}" for key in BY_CASE]
    rows = []
    for result in sorted(results, key=lambda result: result.patient):
        infection = result.measured["infection"].values()
        row = [result.model, *([result.run or "-"] if runs else []), result.patient, "yes" if result.seen else "no"]
        row += [_show(result.measured["lungs"].values()["dice"], 3)]
        rows.append(row + [_show(infection[key], METRICS[key].decimals) for key in BY_CASE])
    return table(head, rows)


def _lungs_seen(models: Sequence[Model], everyone: Mapping[str, Sequence[PatientResult]]) -> list[str]:
    """What must be known where the lungs are another model's, which may have been trained on these cases."""
    told = []
    for model in models:
        name = recipe_of(model).lungs_from
        seen = {result.patient for result in everyone[model.name]} & find_model(name).seen if name else set()
        if name and seen:
            told.append(
                f"The lungs of {model.name} are those of {name}, which has seen {', '.join(sorted(seen))} in training: "
                "the numbers of the lungs there do not say how well it does on others."
            )
    return told


def _summaries(models: Sequence[Model], measured: Mapping[str, Sequence[PatientResult]], structure: str) -> str:
    """A row for each metric; of several models a row for each, with a test against the first."""
    values = {name: by_metric(results, structure) for name, results in measured.items()}
    first, several = models[0].name, len(models) > 1
    head = ["metric", *["model"] * several, "mean [95 % interval]", "median", "n", "its paper"]
    head += [f"against {first}"] * several
    rows = []
    for key, metric in metrics_for(structure).items():
        for model in models:
            of = summarise(values[model.name][key])
            mean, low, high, median = (_show(value, metric.decimals) for value in (of.mean, of.low, of.high, of.median))
            reported = recipe_of(model).reported.get(structure, {}).get(key)
            row = [metric.title, *[model.name] * several, f"{mean} [{low}, {high}]", median, str(of.count)]
            row.append(_as_printed(reported))
            if several:
                other = model.name != first
                row.append(str(paired_test(values[model.name][key], values[first][key])) if other else "-")
            rows.append(row)
    told = "\n\nThe last column: Wilcoxon's signed-rank test over the same cases, two-sided."
    return table(head, rows) + told * several


def _volumes(measured: Mapping[str, Sequence[PatientResult]]) -> str:
    rows = []
    for name, results in measured.items():
        for structure in STRUCTURES[::-1]:
            volumes = [result.measured[structure] for result in results if result.measured[structure].is_measured]
            agreed = limits_of_agreement([of.prediction_ml for of in volumes], [of.target_ml for of in volumes])
            shown = [_show(value, 1) for value in (agreed.bias, agreed.low, agreed.high)]
            rows.append([name, structure, str(agreed.count), shown[0], f"{shown[1]} to {shown[2]}"])
    return table(["model", "structure", "n", "bias, ml", "95 % limits of agreement (Bland-Altman), ml"], rows)


def _papers(measured: Mapping[str, Sequence[PatientResult]], structure: str) -> str:
    """Our means, and what the papers of the recipes report on patients of their own."""
    keys = list(OVERLAP_METRICS)
    rows = []
    for name, results in measured.items():
        values = by_metric(results, structure)
        means = [_show(summarise(values[key]).mean, METRICS[key].decimals) for key in keys]
        rows.append([f"**{name}**, measured here", *means])
    for name in recipes.names():
        if reported := recipes.load(name).reported.get(structure):
            rows.append([f"{name}, its paper", *(_as_printed(reported.get(key)) for key in keys)])
    return table([structure, *(METRICS[key].title for key in keys)], rows)


def _scans(models: Sequence[Model], scans: Mapping[str, Mapping[str, Any]]) -> str:
    head = ["model", "scan", "diagnosis", "slices: sensitivity", "specificity", "infection, % of lungs", "lungs, ml"]
    rows = []
    for model in models:
        for name, of in scans[model.name].items():
            numbers = ("sensitivity", "specificity", "involvement_percent", "lungs_ml")
            cells = ["-" if of[key] is None else str(of[key]) for key in numbers]
            seen = "its clean slices" if name in model.card.get("trained_on", ()) else "no"
            rows.append([of.get("run", model.name), name, of["diagnosis"], *cells, seen])
    return table([*head, "seen in training"], rows)


def _show(value: float | None, decimals: int) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.{decimals}f}"


def _as_printed(value: float | None) -> str:
    """A paper's figure, with no more digits than it has."""
    return "-" if value is None else f"{value:g}"
