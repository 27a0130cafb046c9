"""Model cards: what a card.json must contain, and whether weights are those that a card describes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..storage.limited import read_limited_json
from . import folders

#: Keys of texts that every card has.
REQUIRED_TEXTS = ("title", "summary", "recipe", "sha256", "licence")
#: Keys of lists of texts that a card may have.
TEXT_LISTS = ("trained_on", "validation", "never_trained_on", "calibrated_on", "use", "not_for", "training", "limits")


def read_card(folder: Path) -> dict[str, Any]:
    """Read and check the card in the folder of a model.

    Raises:
        InputError: The card cannot be read, or something in it is missing or wrong.
    """
    subject, remedy = f'The card of the model "{folder.name}"', remedy_for(folder)
    try:
        card = read_limited_json(folder / folders.CARD_FILE)
    except (OSError, ValueError) as error:
        raise InputError(f"{subject} cannot be read. {remedy}") from error
    return check_card(card, subject, remedy)


def check_card(card: object, subject: str, remedy: str) -> dict[str, Any]:
    """Return a card if it has all that a card must have.

    Args:
        card: The content of a card.json.
        subject: Start of the error messages, such as `The card of the model "NAME"`.
        remedy: A sentence that ends the error messages.

    Raises:
        InputError: Something is missing or wrong.
    """
    if not isinstance(card, dict):
        raise InputError(f"{subject} is not a JSON object. {remedy}")
    if missing := [key for key in REQUIRED_TEXTS if not isinstance(card.get(key), str)]:
        raise InputError(f"{subject} lacks {', '.join(_quoted(missing))}. {remedy}")
    threshold = card.get("threshold")
    if not isinstance(threshold, float) or not 0 < threshold < 1:
        raise InputError(f'{subject} has no "threshold" between 0 and 1. {remedy}')
    temperature = card.get("temperature", 1.0)
    if not isinstance(temperature, float) or not 0 < temperature < math.inf:
        raise InputError(f'{subject} has a "temperature" that is not a number above 0. {remedy}')
    graphs = card.get("graphs", {})
    if not isinstance(graphs, dict) or not all(isinstance(sha256, str) for sha256 in graphs.values()):
        raise InputError(f'{subject} has a value for "graphs" that does not name a SHA-256 for each stage. {remedy}')
    for key in TEXT_LISTS:
        texts = card.get(key, [])
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise InputError(f'{subject} has a value for "{key}" that is not a list of texts. {remedy}')
    return card


def check_sha256(weights: bytes, card: dict[str, Any], name: str, remedy: str) -> None:
    """Compare weights with the SHA-256 in the card that comes with them.

    Args:
        weights: Content of the safetensors file.
        card: The card of the model.
        name: Name of the model, for the error message.
        remedy: A sentence that ends the error message.

    Raises:
        InputError: The SHA-256 differs.
    """
    _check_digest(weights, card["sha256"], "weights", name, remedy)


def check_graph_sha256(graph: bytes, card: dict[str, Any], stage: str, name: str, remedy: str) -> None:
    """Compare the exported network of a stage with the SHA-256 in the card. See `check_sha256`."""
    _check_digest(graph, card["graphs"][stage], "exported networks", name, remedy)


def _check_digest(data: bytes, sha256: str, what: str, name: str, remedy: str) -> None:
    import hashlib  # slow to import, and `covidseg --help` imports this module

    if hashlib.sha256(data).hexdigest() != sha256:
        raise InputError(
            f'The {what} of the model "{name}" are not those that its card describes (their SHA-256 differs), and are '
            f"not used. {remedy}"
        )


def remedy_for(folder: Path) -> str:
    """Return a sentence on what the user can do if the model in a folder is damaged."""
    if folder.parent == folders.WEIGHTS:
        return "Please install CovidSeg again."
    return "Please install or pack this model again; if it is a training run, train it again."


def _quoted(keys: list[str]) -> list[str]:
    return [f'"{key}"' for key in keys]
