"""Calibrations of simulated probabilities."""

from __future__ import annotations

import numpy as np

from CovidSegLib.metrics.calibration import Calibration


def random_calibration(rng: np.random.Generator, bias: float = 0.0) -> Calibration:
    """Count voxels that are infected with the predicted probability plus a bias."""
    probability = rng.integers(0, 256, (50, 100, 100)).astype(np.uint8)
    infection = rng.random(probability.shape) < probability / 255 + bias
    return Calibration.of(probability, infection, np.ones(probability.shape, bool))
