"""The card of a finished run, by which its folder is a model like any other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .. import models, recipes
from ..errors import InputError
from ..storage.atomic import write_json_atomically

FACTS_FILE = "training.json"
LIMITS = (
    "Not for diagnosis: every mask needs a radiologist's eye.",
    "Finds opacities of any cause: pneumonia of other origin, oedema and atelectasis look alike to it.",
    "Lungs that are wholly consolidated, or an effusion, may be left out of the lungs.",
)


def write_card(run: Path) -> models.Model:
    """Write RUN/card.json, from the facts of the training and its recipe.

    Args:
        run: Folder of `model.safetensors` and `training.json`, with `recipe.toml` where the recipe is none of the
            library's. Of the facts, `recipe`, `trained_on` and `never_trained_on` are needed, and used where they are
            there: `validation` (patients by whom the best weights were chosen), `data` (data sets, each with a
            sentence), `licence` (a sentence) and `limits` (sentences on the data).

    Raises:
        InputError: A file is missing, as of a training that has not ended, or cannot be read.
    """
    facts, weights = _facts(run), _weights(run)
    own = run / models.RECIPE_FILE
    recipe = recipes.load(str(own) if own.is_file() else str(facts["recipe"]))
    patients = len(facts["trained_on"])
    card = {
        "title": recipe.title,
        "summary": recipe.summary,
        "recipe": recipe.name,
        "sha256": hashlib.sha256(weights).hexdigest(),
        "created": datetime.now(UTC).date().isoformat(),
        "threshold": 0.5,
        "licence": facts.get("licence") or _unknown_licence(facts),
        "data": facts.get("data", {}),
        "trained_on": facts["trained_on"],
        "validation": facts.get("validation", []),
        "never_trained_on": facts["never_trained_on"],
        "limits": [
            *LIMITS,
            f"Trained on {patients} {'scan' if patients == 1 else 'scans'}.",
            *facts.get("limits", ()),
        ],
        "results": {},
    }
    write_json_atomically(run / models.CARD_FILE, card)
    return models.open_model(run)


def ensure_card(run: Path) -> models.Model:
    """A finished run as a model; its card is written unless there is one of these weights, which may hold results.

    Raises:
        InputError: As of `write_card`.
    """
    if (run / models.CARD_FILE).is_file():
        model = models.open_model(run)
        if hashlib.sha256(_weights(run)).hexdigest() == model.card["sha256"]:
            return model
    return write_card(run)


def _facts(run: Path) -> dict[str, Any]:
    path = run / FACTS_FILE
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"The run “{run.name}” has not ended ({FACTS_FILE} is missing); let it train on.") from error
    except (OSError, ValueError) as error:
        raise InputError(f"“{FACTS_FILE}” of the run “{run.name}” cannot be read; train it again.") from error
    if not isinstance(facts, dict) or (lacking := {"recipe", "trained_on", "never_trained_on"} - facts.keys()):
        what = ", ".join(f"“{key}”" for key in sorted(lacking)) if isinstance(facts, dict) else "all that it must say"
        raise InputError(f"“{FACTS_FILE}” of the run “{run.name}” lacks {what}; train it again.")
    return facts


def _weights(run: Path) -> bytes:
    try:
        return (run / models.WEIGHTS_FILE).read_bytes()
    except OSError as error:
        raise InputError(
            f"The run “{run.name}” has not ended ({models.WEIGHTS_FILE} is missing); let it train on."
        ) from error


def _unknown_licence(facts: Mapping[str, Any]) -> str:
    """Nobody has said under which terms the data are: then nobody may promise any for the weights."""
    sets = "".join(f" ({', '.join(names)})" for names in [facts.get("data")] if names)
    return f"Weights: for research. The terms of the training data{sets} apply; they are not recorded here."
