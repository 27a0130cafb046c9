"""Calibration of an installed model or a run from the results of an evaluation."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError
from ..models import Model
from ..models.loading import recipe_of
from ..models.store import update_card
from . import calibration_file
from .temperature import select_calibration


def calibrate_model(model: Model, results: Path) -> Model:
    """Fit temperature and threshold, and store them in the model card.

    Args:
        model: A run of a cross-validation, whose held-out patients are left out of the fit, or the model that was
            trained with the same recipe on all patients.
        results: Folder of results of `covidseg evaluate` of the runs of this recipe.

    Returns:
        The calibrated model.

    Raises:
        InputError: The results are missing, have another recipe, or contain fewer than two usable patients.
    """
    recipe, patients = calibration_file.read(results)
    if recipe != recipe_of(model).name:
        raise InputError(
            f'The results in "{results}" are those of the recipe "{recipe}", but the model "{model.name}" has the '
            f'recipe "{recipe_of(model).name}". Choose results of that recipe.'
        )
    held_out = set(model.card.get("never_trained_on", ()))
    used = {name: calibration for name, calibration in patients.items() if name not in held_out}
    if sum(bool(calibration.infected.any()) for calibration in used.values()) < 2:
        raise InputError(
            f'The results in "{results}" have fewer than two patients with infection on which "{model.name}" can be '
            "calibrated. Choose results with more patients."
        )
    temperature, threshold = select_calibration(list(used.values()))
    return update_card(model, {"temperature": temperature, "threshold": threshold, "calibrated_on": sorted(used)})
