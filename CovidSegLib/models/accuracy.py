"""The measured accuracy of a model in one or two sentences, from its card."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..metrics.statistics import summarise

NOT_MEASURED = "The accuracy of this model has not been measured."
UNTRAINED = "This model is untrained. Its masks are meaningless."


def accuracy_of(card: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what the card of a model says about its accuracy on patients.

    >>> masks = {"a": {"infection": {"dice": 0.7}}, "b": {"infection": {"dice": 0.9}}}
    >>> accuracy_of({"sha256": "", "results": {"masks": masks, "how": "Cross-validation."}})
    ('Infection: mean Dice 0.800 (95 % interval 0.700 to 0.900, 2 patients).', 'Cross-validation.')

    Args:
        card: Content of card.json.
    """
    if card.get("sha256", "") is None:
        return (UNTRAINED,)
    results = card.get("results")
    results = results if isinstance(results, Mapping) else {}
    masks = results.get("masks")
    sentences = [_sentence(masks, structure) for structure in ("infection", "lungs")] if masks else []
    how = str(results.get("how") or "")
    stated = tuple(sentence for sentence in (*sentences, how) if sentence)
    return stated if any(sentences) else (NOT_MEASURED,)


def _sentence(masks: Any, structure: str) -> str:
    values = [_dice(of, structure) for of in masks.values()] if isinstance(masks, Mapping) else []
    summary = summarise(values)
    if not summary.count:
        return ""
    interval = "" if math.isnan(summary.low) else f"95 % interval {summary.low:.3f} to {summary.high:.3f}, "
    patients = "patient" if summary.count == 1 else "patients"
    return f"{structure.capitalize()}: mean Dice {summary.mean:.3f} ({interval}{summary.count} {patients})."


def _dice(of: Any, structure: str) -> float:
    metrics = of.get(structure) if isinstance(of, Mapping) else None
    value = metrics.get("dice") if isinstance(metrics, Mapping) else metrics
    return float("nan") if value is None else float(value)
