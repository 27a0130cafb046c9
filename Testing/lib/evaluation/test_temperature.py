"""Temperature and threshold of simulated patients are recovered, and used only if they generalise."""

from __future__ import annotations

import numpy as np
import pytest
from support.calibrations import simulated_patient

from CovidSegLib.evaluation.temperature import best_threshold, fit_temperature, rescale, select_calibration
from CovidSegLib.metrics.calibration import Calibration


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7, 3.0])
def test_the_temperature_is_recovered_and_calibrates(rng: np.random.Generator, temperature: float) -> None:
    patients = [simulated_patient(rng, temperature, voxels=count) for count in (200_000, 50_000)]
    fitted = fit_temperature(patients)
    assert fitted == pytest.approx(temperature, abs=0.06)
    rescaled = [rescale(each, fitted) for each in patients]
    assert all(each.error < 0.02 for each in rescaled)
    assert [each.voxels.sum() for each in rescaled] == [200_000, 50_000]


def test_every_patient_has_the_same_weight(rng: np.random.Generator) -> None:
    large, small = simulated_patient(rng, 2.0, voxels=400_000), simulated_patient(rng, 1.0, voxels=20_000)
    assert 1.2 < fit_temperature([large, small]) < 1.8


def test_the_threshold_has_the_highest_mean_dice() -> None:
    """The best levels are 111 to 140 for the first patient, 141 to 170 for the second, 111 to 140 for both."""
    voxels, first, second = (np.zeros(256, np.int64) for _ in range(3))
    voxels[[90, 110, 140, 170, 250]] = 1000
    first[[110, 140, 170, 250]] = (400, 900, 950, 1000)
    second[[140, 170, 250]] = (100, 900, 1000)
    both = [Calibration(voxels, first), Calibration(voxels, second)]
    assert best_threshold(both[:1]) == pytest.approx(125.5 / 255, abs=0.01)
    assert best_threshold(both[1:]) == pytest.approx(155.5 / 255, abs=0.01)
    # 2 * 2850 / (3000 + 3250) and 2 * 2000 / (3000 + 2000), not 2 * 1950 / (2000 + 3250) and 2 * 1900 / (2000 + 2000)
    assert best_threshold(both) == pytest.approx(125.5 / 255, abs=0.01)
    healthy = Calibration(voxels, np.zeros(256, np.int64))
    assert best_threshold([*both, healthy]) == best_threshold(both)


def test_a_temperature_that_does_not_help_left_out_patients_is_not_used(rng: np.random.Generator) -> None:
    similar = [simulated_patient(rng, 2.0) for _ in range(4)]
    assert select_calibration(similar)[0] == pytest.approx(2.0, abs=0.05)
    dissimilar = [
        simulated_patient(rng, temperature, bias)
        for temperature, bias in ((1.9, 0.9), (1.7, -0.9), (0.6, 0.0), (0.65, 0.1))
    ]
    assert fit_temperature(dissimilar) != 1.0
    assert select_calibration(dissimilar)[0] == 1.0


def test_a_threshold_that_does_not_help_left_out_patients_is_not_used() -> None:
    """With generous annotations of one patient and strict ones of the other, neither threshold suits the other."""
    voxels, much, little = (np.zeros(256, np.int64) for _ in range(3))
    voxels[[60, 128, 200]] = 1000
    much[[60, 128, 200]] = (950, 950, 1000)
    little[[128, 200]] = (100, 1000)
    generous, strict = Calibration(voxels, much), Calibration(voxels, little)
    assert best_threshold([generous]) < 0.2 and best_threshold([strict]) > 0.6
    assert select_calibration([generous, strict])[1] == 0.5
    assert select_calibration([generous, generous])[1] == best_threshold([generous])
