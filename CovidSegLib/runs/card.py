"""The model card of a finished run, which makes its folder a model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .. import models, recipes
from ..errors import InputError
from ..recipe import INFECTION_LABEL
from ..storage.atomic import write_json_atomically
from ..storage.limited import read_limited, read_limited_json

FACTS_FILE = "training.json"
#: Facts that a card needs.
REQUIRED_FACTS = frozenset({"recipe", "trained_on", "never_trained_on"})
#: Limits of every trained model.
LIMITS = ("Not for diagnosis. A radiologist must review every mask.",)
#: Limits of every trained model of infection.
INFECTION_LIMITS = (
    "Opacities of any cause are marked. Pneumonia of other origin, oedema and atelectasis look the same to the model.",
    "Completely consolidated lungs and effusions may be missing from the lung mask.",
)


def write_card(run: Path) -> models.Model:
    """Write card.json of a finished run from its recipe and the facts in training.json.

    Args:
        run: Folder with model.safetensors and training.json, and with recipe.toml unless the recipe is one of the
            library's. training.json must contain `recipe`, `trained_on` and `never_trained_on`. Used if present are
            `validation` (patients on whom the best weights were selected), `data` (a sentence for each data set),
            `licence` (a sentence) and `limits` (sentences on the data).

    Raises:
        InputError: A file is missing, as in an unfinished run, or cannot be read.
    """
    facts, weights = _read_facts(run), _read_weights(run)
    own_recipe = run / models.RECIPE_FILE
    recipe = recipes.load(str(own_recipe) if own_recipe.is_file() else str(facts["recipe"]))
    finding = recipe.infection.finding
    patients = len(facts["trained_on"])
    card = {
        "title": recipe.title,
        "summary": recipe.summary,
        "recipe": recipe.name,
        "finding": finding,
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
            *(INFECTION_LIMITS if finding == INFECTION_LABEL else ()),
            f"Trained on {patients} {'scan' if patients == 1 else 'scans'}.",
            *facts.get("limits", ()),
        ],
        "results": {},
    }
    write_json_atomically(run / models.CARD_FILE, card)
    return models.open_model(run)


def ensure_card(run: Path) -> models.Model:
    """Return a finished run as a model.

    The card is written unless there is already one of the same weights, which may contain results of an evaluation.

    Raises:
        InputError: See `write_card`.
    """
    if (run / models.CARD_FILE).is_file():
        model = models.open_model(run)
        if hashlib.sha256(_read_weights(run)).hexdigest() == model.card["sha256"]:
            return model
    return write_card(run)


def _read_facts(run: Path) -> dict[str, Any]:
    try:
        facts = read_limited_json(run / FACTS_FILE)
    except FileNotFoundError as error:
        raise _unfinished(run, FACTS_FILE) from error
    except (OSError, ValueError) as error:
        raise InputError(f'"{FACTS_FILE}" of the run "{run.name}" cannot be read. Train it again.') from error
    if not isinstance(facts, dict):
        raise InputError(f'"{FACTS_FILE}" of the run "{run.name}" is not a JSON object. Train it again.')
    if missing := REQUIRED_FACTS - facts.keys():
        keys = ", ".join(f'"{key}"' for key in sorted(missing))
        raise InputError(f'"{FACTS_FILE}" of the run "{run.name}" lacks {keys}. Train it again.')
    return facts


def _read_weights(run: Path) -> bytes:
    try:
        return read_limited(run / models.WEIGHTS_FILE, models.folders.SIZE_LIMITS[models.WEIGHTS_FILE])
    except OSError as error:
        raise _unfinished(run, models.WEIGHTS_FILE) from error


def _unfinished(run: Path, missing: str) -> InputError:
    return InputError(f'The run "{run.name}" is not finished ({missing} is missing). Resume it to the end first.')


def _unknown_licence(facts: Mapping[str, Any]) -> str:
    """Return the licence of weights that were trained on data of unknown terms: it makes no promise."""
    sets = "".join(f" ({', '.join(names)})" for names in [facts.get("data")] if names)
    return f"Research use only. The terms of the training data{sets} apply; they are not recorded here."
