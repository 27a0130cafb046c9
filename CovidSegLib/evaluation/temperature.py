"""Temperature and threshold of a model, from the probabilities that patients were given who were not trained on.

Temperature scaling (Guo et al., "On calibration of modern neural networks", ICML 2017): the logits are divided by one
number, which changes how sure a model says that it is, and not which voxel is the more likely one. The threshold is the
calibrated probability at which the mean Dice over patients is highest. Every patient counts alike in both. What is
fitted to some patients may be worse for others, so it is taken only where it helps patients who were left out of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

from ..errors import InputError
from ..metrics.calibration import LEVELS, Calibration
from ..models import Model
from ..models.loading import recipe_of
from ..models.store import update_card

#: Of `covidseg evaluate`: how many voxels of each patient were given which probability.
FILE = "calibration.json"
#: Beyond these a model is not badly calibrated but useless.
RANGE = (0.2, 5.0)
#: What is rounded to 0 and 1 has lost its logit, and says nothing of the temperature.
INNER = np.arange(1, LEVELS - 1)
LOGITS = np.log(INNER / (LEVELS - 1 - INNER))


def fit_temperature(patients: Sequence[Calibration]) -> float:
    """The temperature at which the truth was the most likely, rounded to 0.01.

    Args:
        patients: Voxels by the probability that they were given at a temperature of 1.
    """

    def cost(temperature: float) -> float:
        scaled = LOGITS / temperature
        infected, clean = np.logaddexp(0, -scaled), np.logaddexp(0, scaled)  # -log p and -log (1 - p)
        total = 0.0
        for each in patients:
            voxels, true = each.voxels[INNER], each.infected[INNER]
            total += float((true * infected + (voxels - true) * clean).sum()) / max(1, int(voxels.sum()))
        return total

    return round(float(minimize_scalar(cost, bounds=RANGE, method="bounded").x), 2)


def scaled(patient: Calibration, temperature: float) -> Calibration:
    """The same voxels as they would have been counted at so many times the temperature."""
    levels = np.arange(LEVELS)
    levels[INNER] = np.round((LEVELS - 1) / (1 + np.exp(-LOGITS / temperature)))
    counts = (np.bincount(levels, weights=of, minlength=LEVELS) for of in (patient.voxels, patient.infected))
    return Calibration(*(each.astype(np.int64) for each in counts))


def best_threshold(patients: Sequence[Calibration]) -> float:
    """The probability, rounded to 0.01, from which to call a voxel infected for the highest mean Dice over patients.

    Args:
        patients: Voxels within the lungs by their calibrated probability; those without infection have no Dice.
    """
    with_infection = [each for each in patients if each.infected.any()]
    from_above = [np.flip(np.cumsum(np.flip(each.voxels))) for each in with_infection]
    hits = [np.flip(np.cumsum(np.flip(each.infected))) for each in with_infection]
    dice = [
        2 * hit / (found + each.infected.sum())
        for each, found, hit in zip(with_infection, from_above, hits, strict=True)
    ]
    # Near its top the curve is flat and ragged: the middle of what is within 0.001 of the best.
    mean = np.mean(dice, axis=0)[INNER]
    return round(float(INNER[mean >= mean.max() - 0.001].mean()) / (LEVELS - 1), 2)


def select_calibration(patients: Sequence[Calibration]) -> tuple[float, float]:
    """Temperature and threshold; 1 and 0.5 where others, fitted without a patient, do no better on that patient.

    The temperature must lower the mean calibration error and the threshold raise the mean Dice, over the patients, of
    whom each is left out once.

    Args:
        patients: Two or more with infection, by the probability that they were given at a temperature of 1.
    """
    temperature, threshold = 1.0, 0.5
    cooled = [scaled(each, fit_temperature(others)) for each, others in _each_left_out(patients)]
    if np.mean([each.error for each in cooled]) < np.mean([each.error for each in patients]):
        temperature = fit_temperature(patients)
    infected = [scaled(each, temperature) for each in patients if each.infected.any()]
    moved = [_dice(each, best_threshold(others)) for each, others in _each_left_out(infected)]
    if np.mean(moved) > np.mean([_dice(each, threshold) for each in infected]):
        threshold = best_threshold(infected)
    return temperature, threshold


def _each_left_out(patients: Sequence[Calibration]) -> list[tuple[Calibration, list[Calibration]]]:
    return [(one, [*patients[:number], *patients[number + 1 :]]) for number, one in enumerate(patients)]


def _dice(patient: Calibration, threshold: float) -> float:
    level = max(1, round(threshold * (LEVELS - 1)))
    return 2 * float(patient.infected[level:].sum()) / float(patient.voxels[level:].sum() + patient.infected.sum())


def calibrate_model(model: Model, by: Path) -> Model:
    """Put temperature and threshold into a model's card.

    Args:
        model: A run of a cross-validation, of which the patients that it is measured on are left out here, or the model
            that was trained by the same recipe on everybody.
        by: Results of `covidseg evaluate` of runs of that recipe.

    Raises:
        InputError: The results are not there, are of another recipe or of no patients that are left.
    """
    recipe, patients = _read(by)
    if recipe != recipe_of(model).name:
        raise InputError(
            f'The results in "{by}" are of the recipe “{recipe}”, and the model “{model.name}” is of '
            f"“{recipe_of(model).name}”: its probabilities are others."
        )
    measured = set(model.card.get("never_trained_on", ()))
    used = {name: counted for name, counted in patients.items() if name not in measured}
    if sum(bool(each.infected.any()) for each in used.values()) < 2:
        raise InputError(f'In "{by}" fewer than two patients are left by whom “{model.name}” could be calibrated.')
    temperature, threshold = select_calibration(list(used.values()))
    return update_card(model, {"temperature": temperature, "threshold": threshold, "calibrated_on": sorted(used)})


def as_json(recipe: str, patients: Mapping[str, tuple[float, Calibration]]) -> str:
    """The content of FILE: the recipe, and by patient the temperature and how many voxels had which probability."""
    counted = {
        name: {"temperature": temperature, "voxels": of.voxels.tolist(), "infected": of.infected.tolist()}
        for name, (temperature, of) in patients.items()
    }
    return json.dumps({"recipe": recipe, "patients": counted}) + "\n"


def _read(folder: Path) -> tuple[str, dict[str, Calibration]]:
    """Recipe and patients of FILE, at a temperature of 1."""
    path = folder / FILE
    try:
        held: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        patients = {}
        for name, of in held["patients"].items():
            counted = Calibration(*(np.array(of[key], dtype=np.int64) for key in ("voxels", "infected")))
            if counted.voxels.shape != (LEVELS,) or counted.infected.shape != (LEVELS,):
                raise ValueError("not 256 numbers")
            patients[name] = scaled(counted, 1 / float(of["temperature"]))
        return str(held["recipe"]), patients
    except FileNotFoundError as error:
        raise InputError(
            f'"{folder}" holds no {FILE}: give the results of `covidseg evaluate` of one model, on patients that it '
            "has not seen."
        ) from error
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        raise InputError(f'"{path}" cannot be read; evaluate again.') from error
