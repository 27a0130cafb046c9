"""Noise of the synthetic CT."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from ..volume import Grid

#: Standard deviation of the noise in lung and in soft tissue, in HU.
NOISE_LUNG, NOISE_BODY = 15.0, 24.0


def add_noise(hu: np.ndarray, grid: Grid, seed: int, first: int) -> None:
    """Add noise that is correlated within a slice, as by a soft kernel, and is stronger in tissue than in air.

    Args:
        hu: float32 HU of consecutive slices (slices, rows, columns); changed in place.
        grid: The grid of the whole CT.
        seed: Seed of the noise.
        first: Index of the first of these slices in the whole CT.
    """
    sigma = [0.75 / spacing for spacing in grid.spacing[1::-1]]
    impulse = np.zeros((33, 33), np.float32)
    impulse[16, 16] = 1
    gain = float(np.sqrt((gaussian_filter(impulse, sigma) ** 2).sum()))
    for index in range(len(hu)):
        white = np.random.default_rng((seed, 3, first + index)).standard_normal(hu.shape[1:], np.float32)
        strength = NOISE_LUNG + (NOISE_BODY - NOISE_LUNG) * np.clip((hu[index] + 1000) / 900, 0, 1)
        hu[index] += gaussian_filter(white, sigma) / gain * strength
