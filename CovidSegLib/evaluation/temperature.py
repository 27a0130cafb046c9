"""Temperature and threshold of a model, fitted to the probabilities of patients that it was not trained on.

Temperature scaling (Guo et al., "On calibration of modern neural networks", ICML 2017) divides the logits by a number.
It changes how confident a model is, but not whether infection is the more likely class of a voxel. The threshold is the
calibrated probability with the highest mean Dice over patients. All patients have the same weight in both. Because
values that are fitted to some patients can be worse for others, fitted values are used only if they improve the results
of patients that were left out of the fit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize_scalar

from ..metrics.calibration import LEVELS, Calibration

#: A model whose best temperature is outside of this range is not miscalibrated but useless.
TEMPERATURES = (0.2, 5.0)
#: Probabilities that are rounded to 0 and 1 have lost their logits, and carry no information about the temperature.
INNER_LEVELS = np.arange(1, LEVELS - 1)
LOGITS = np.log(INNER_LEVELS / (LEVELS - 1 - INNER_LEVELS))


def fit_temperature(patients: Sequence[Calibration]) -> float:
    """Return the temperature at which the target has the highest likelihood, rounded to 0.01.

    Args:
        patients: Calibrations at a temperature of 1.
    """

    def mean_negative_log_likelihood(temperature: float) -> float:
        logits = LOGITS / temperature
        infected_cost, clean_cost = np.logaddexp(0, -logits), np.logaddexp(0, logits)  # -log p and -log (1 - p)
        total = 0.0
        for patient in patients:
            voxels, infected = patient.voxels[INNER_LEVELS], patient.infected[INNER_LEVELS]
            cost = float((infected * infected_cost + (voxels - infected) * clean_cost).sum())
            total += cost / max(1, int(voxels.sum()))
        return total

    return round(float(minimize_scalar(mean_negative_log_likelihood, bounds=TEMPERATURES, method="bounded").x), 2)


def rescale(patient: Calibration, temperature: float) -> Calibration:
    """Return the calibration that the same voxels would have if the temperature were multiplied by a number."""
    levels = np.arange(LEVELS)
    levels[INNER_LEVELS] = np.round((LEVELS - 1) / (1 + np.exp(-LOGITS / temperature)))
    counts = (np.bincount(levels, weights=of, minlength=LEVELS) for of in (patient.voxels, patient.infected))
    return Calibration(*(each.astype(np.int64) for each in counts))


def best_threshold(patients: Sequence[Calibration]) -> float:
    """Return the smallest probability of infected voxels with the highest mean Dice over patients, rounded to 0.01.

    Args:
        patients: Calibrations at the final temperature. Patients without infection have no Dice and are left out.
    """
    infected = [each for each in patients if each.infected.any()]
    predicted_voxels = [np.flip(np.cumsum(np.flip(each.voxels))) for each in infected]
    true_positives = [np.flip(np.cumsum(np.flip(each.infected))) for each in infected]
    dice = [
        2 * true_positive / (predicted + each.infected.sum())
        for each, predicted, true_positive in zip(infected, predicted_voxels, true_positives, strict=True)
    ]
    # The curve is flat and noisy near its maximum: take the middle of the levels within 0.001 of it.
    mean = np.mean(dice, axis=0)[INNER_LEVELS]
    return round(float(INNER_LEVELS[mean >= mean.max() - 0.001].mean()) / (LEVELS - 1), 2)


def select_calibration(patients: Sequence[Calibration]) -> tuple[float, float]:
    """Return temperature and threshold; 1 and 0.5 unless fitted values are better in leave-one-out cross-validation.

    The fitted temperature must lower the mean calibration error over left-out patients, and the fitted threshold must
    raise their mean Dice.

    Args:
        patients: Calibrations at a temperature of 1, at least two of them with infection.
    """
    temperature, threshold = 1.0, 0.5
    rescaled = [rescale(each, fit_temperature(others)) for each, others in _leave_one_out(patients)]
    if np.mean([each.error for each in rescaled]) < np.mean([each.error for each in patients]):
        temperature = fit_temperature(patients)
    infected = [rescale(each, temperature) for each in patients if each.infected.any()]
    fitted_dice = [_dice(each, best_threshold(others)) for each, others in _leave_one_out(infected)]
    if np.mean(fitted_dice) > np.mean([_dice(each, threshold) for each in infected]):
        threshold = best_threshold(infected)
    return temperature, threshold


def _leave_one_out(patients: Sequence[Calibration]) -> list[tuple[Calibration, list[Calibration]]]:
    """Return each patient with all others."""
    return [(one, [*patients[:number], *patients[number + 1 :]]) for number, one in enumerate(patients)]


def _dice(patient: Calibration, threshold: float) -> float:
    level = max(1, round(threshold * (LEVELS - 1)))
    return 2 * float(patient.infected[level:].sum()) / float(patient.voxels[level:].sum() + patient.infected.sum())
