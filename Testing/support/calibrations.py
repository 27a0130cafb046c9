"""Calibrations of simulated probabilities."""

from __future__ import annotations

import numpy as np

from CovidSegLib.metrics.calibration import Calibration


def random_calibration(rng: np.random.Generator, bias: float = 0.0) -> Calibration:
    """Count voxels that are infected with the predicted probability plus a bias."""
    probability = rng.integers(0, 256, (50, 100, 100)).astype(np.uint8)
    infection = rng.random(probability.shape) < probability / 255 + bias
    return Calibration.of(probability, infection, np.ones(probability.shape, bool))


def simulated_patient(
    rng: np.random.Generator, temperature: float, bias: float = 0.0, voxels: int = 200_000
) -> Calibration:
    """Count voxels of a model whose logits must be divided by a temperature to be correct."""
    logits = rng.normal(-1, 1.5, voxels)
    probability = np.round(255 / (1 + np.exp(-temperature * (logits + bias)))).astype(np.uint8)
    infected = rng.random(voxels) < 1 / (1 + np.exp(-logits))
    return Calibration.of(probability, infected, np.ones(voxels, bool))
