"""A model's card as a text for people: what it is for, what it learnt from, how good it is, where it fails.

Slicer shows it in its own process: without torch, and without what Slicer does not bring.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..markdown import table
from ..metrics.statistics import summarise
from ..notices import NOT_FOR_DIAGNOSIS
from .model import Model

#: Columns of the table of patients: structure, key of `evaluation.measurement.METRICS`, title.
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
    "sensitivity": "infected slices found",
    "specificity": "clean slices left clean",
    "involvement_percent": "infection, % of lungs",
    "lungs_ml": "lungs, ml",
}
INTERVAL = "In brackets the 95 % interval of the mean, by bootstrap over patients."


def describe(model: Model) -> str:
    """The card of a model as Markdown.

    Args:
        model: What is not known of it is left out.
    """
    card, results = model.card, model.card.get("results") or {}
    parts = [f"# {model.title} (`{model.name}`)", model.summary, f"**{NOT_FOR_DIAGNOSIS}**"]
    for key, head in (("use", "What it is for"), ("not_for", "What it is not for")):
        parts += _listed(head, card.get(key, ()))
    parts += _listed("What it learnt from", [f"{name}: {what}" for name, what in card.get("data", {}).items()])
    parts += [f"Licence: {card['licence']}", *card.get("training", ())]
    if patients := card.get("trained_on"):
        parts.append(f"Trained on: {', '.join(patients)}.")
    if results.get("masks"):
        parts += ["## How good it is", results.get("how", ""), _patients(results["masks"]), INTERVAL]
    if results.get("whole_scans"):
        parts += ["Whole scans, of which radiologists listed the infected slices:", _scans(results["whole_scans"])]
    parts += ["## What its probabilities mean", _probabilities(model)]
    parts += _listed("Where it fails", card.get("limits", ()))
    parts += ["## Which one this is", _identity(model)]
    return "\n\n".join(each for each in parts if each) + "\n"


def _listed(head: str, lines: Sequence[str]) -> list[str]:
    return [f"## {head}", "\n".join(f"- {line}" for line in lines)] if lines else []


def _patients(masks: Mapping[str, Mapping[str, Any]]) -> str:
    """A row a patient, and one of the means; earlier cards have Dice alone, as a number."""
    head = ["patient never trained on", *(title for _, _, title in COLUMNS)]
    values = [[_value(of.get(structure), key) for structure, key, _ in COLUMNS] for of in masks.values()]
    rows = [[name, *map(_show, row)] for name, row in zip(masks, values, strict=True)]
    means = [summarise([row[column] for row in values]) for column in range(len(COLUMNS))]
    rows.append(["**mean**", *(f"**{_show(of.mean)}** [{_show(of.low)}, {_show(of.high)}]" for of in means)])
    return table(head, rows)


def _value(of: Any, key: str) -> float:
    if isinstance(of, Mapping):
        return float(of.get(key, float("nan")))
    return float(of) if of is not None and key == "dice" else float("nan")


def _scans(scans: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [[name, *(_cell(of.get(key), key) for key in SCAN_COLUMNS)] for name, of in scans.items()]
    return table(["scan", *SCAN_COLUMNS.values()], rows)


def _cell(value: Any, key: str) -> str:
    if value is None:
        return "-"
    return f"{100 * value:.1f} %" if key in ("sensitivity", "specificity") else str(value)


def _show(value: float) -> str:
    return "-" if value != value else f"{value:.3f}"


def _probabilities(model: Model) -> str:
    text = f"A voxel counts as infection from a probability of {model.threshold:g}."
    if by := model.card.get("calibrated_on"):
        text += (
            f" The temperature, by which the logits are divided, is {model.temperature:g}. Both were chosen by "
            f"{len(by)} patients of a cross-validation, whom the trainings had not seen; others than 0.5 and 1 are "
            "taken only where they help patients who were left out of the choice."
        )
    return text


def _identity(model: Model) -> str:
    size = f", {model.weights.stat().st_size / 1e6:.1f} MB" if model.weights.is_file() else ""
    return "\n".join(
        f"- {line}"
        for line in (
            f"Made on {model.card.get('created', 'an unknown day')} by the recipe `{model.card['recipe']}`{size}",
            f"SHA-256 of the weights: `{model.card['sha256']}`",
        )
    )
