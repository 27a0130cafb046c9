"""A model's card as Markdown: intended use, training data, evaluation, limitations.

Slicer shows it in its own process, so this module imports neither torch nor anything that Slicer does not include.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..markdown import table
from ..metrics.statistics import summarise
from ..notices import NOT_FOR_DIAGNOSIS
from .model import Model

#: Columns of the table of patients: structure, key of `metrics.measurement.METRICS`, title.
COLUMNS = (
    ("infection", "dice", "infection, Dice"),
    ("infection", "nsd_3mm", "surface Dice at 3 mm"),
    ("infection", "sensitivity", "sensitivity"),
    ("infection", "precision", "precision"),
    ("infection", "calibration_error", "calibration error"),
    ("lungs", "dice", "lungs, Dice"),
    ("lungs", "nsd_3mm", "surface Dice at 3 mm"),
)
SCAN_COLUMNS = {
    "diagnosis": "diagnosis",
    "sensitivity": "sensitivity for infected slices",
    "specificity": "specificity for clean slices",
    "involvement_percent": "infection, % of lungs",
    "infection_ml": "infection, ml",
    "lungs_ml": "lungs, ml",
    "lungs_dice": "lungs, Dice",
}
INTERVAL = "In brackets: 95 % confidence interval of the mean, by bootstrap over patients."


def describe(model: Model) -> str:
    """Return the card of a model as Markdown. Sections for which the card has no data are left out."""
    card, results = model.card, model.card.get("results") or {}
    # Slicer's Qt draws half of a heading with code in another size, so the name has a line of its own.
    parts = [f"# {model.title}", f"Name: `{model.name}`", model.summary, f"**{NOT_FOR_DIAGNOSIS}**"]
    parts += _list_section("Intended use", card.get("use", ()))
    parts += _list_section("Not intended for", card.get("not_for", ()))
    parts += _list_section("Training data", [f"{name}: {what}" for name, what in card.get("data", {}).items()])
    # The licence of cards of earlier versions begins with "Weights: ".
    parts += [f"Licence of the weights: {card['licence'].removeprefix('Weights: ')}", *card.get("training", ())]
    if patients := card.get("trained_on"):
        parts.append(f"Trained on: {', '.join(patients)}.")
    if results.get("masks"):
        parts += ["## Evaluation", results.get("how", ""), _patient_table(results["masks"]), INTERVAL]
    if results.get("single_slices"):
        parts.append(_slices_sentence(results["single_slices"]))
    if results.get("whole_scans"):
        parts += [
            "Whole scans; their data sets list the infected slices:",
            _scan_table(results["whole_scans"]),
        ]
    parts += ["## Threshold and calibration", _calibration(model)]
    parts += _list_section("Limitations", card.get("limits", ()))
    parts += ["## Version", _version(model)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _list_section(heading: str, lines: Sequence[str]) -> list[str]:
    return [f"## {heading}", "\n".join(f"- {line}" for line in lines)] if lines else []


def _patient_table(masks: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a table with one row per patient, and the means."""
    header = ["held-out patient", *(title for _, _, title in COLUMNS)]
    values = [[_metric(of.get(structure), key) for structure, key, _ in COLUMNS] for of in masks.values()]
    rows = [[name, *map(_format, row)] for name, row in zip(masks, values, strict=True)]
    means = [summarise([row[column] for row in values]) for column in range(len(COLUMNS))]
    rows.append(["**mean**", *(f"**{_format(of.mean)}** [{_format(of.low)}, {_format(of.high)}]" for of in means)])
    return table(header, rows)


def _metric(metrics: Any, key: str) -> float:
    """Return a metric, or NaN. In cards of earlier versions `metrics` is the Dice itself."""
    if isinstance(metrics, Mapping):
        return float(metrics.get(key, float("nan")))
    return float(metrics) if metrics is not None and key == "dice" else float("nan")


def _slices_sentence(found: Mapping[str, Any]) -> str:
    """Return a sentence on the Dice of single slices."""
    of_structures = [
        f"{structure} {of['dice']:.3f} (median {of['median']:.3f})"
        for structure, of in found.items()
        if structure != "count"
    ]
    return f"{found['count']} single slices, mean Dice: {', '.join(of_structures)}."


def _scan_table(scans: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a row for each scan, without columns that are empty."""
    columns = {key: title for key, title in SCAN_COLUMNS.items() if any(key in of for of in scans.values())}
    rows = [[name, *(_scan_cell(of.get(key), key) for key in columns)] for name, of in scans.items()]
    return table(["scan", *columns.values()], rows)


def _scan_cell(value: Any, key: str) -> str:
    if value is None:
        return "-"
    return f"{100 * value:.1f} %" if key in ("sensitivity", "specificity") else str(value)


def _format(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _calibration(model: Model) -> str:
    text = f"A voxel counts as infection from a probability of {model.threshold:g}."
    if patients := model.card.get("calibrated_on"):
        text += (
            f" The temperature, by which the logits are divided, is {model.temperature:g}. Both were chosen on "
            f"{len(patients)} patients of a cross-validation whom the trainings had not seen. Values other than 0.5 "
            "and 1 are used only if they improve the results on patients who were left out of the choice."
        )
    return text


def _version(model: Model) -> str:
    size = f", {model.weights.stat().st_size / 1e6:.1f} MB" if model.weights.is_file() else ""
    created = model.card.get("created", "an unknown date")
    return (
        f"- Created on {created} with the recipe `{model.card['recipe']}`{size}\n"
        f"- SHA-256 of the weights: `{model.card['sha256']}`"
    )
