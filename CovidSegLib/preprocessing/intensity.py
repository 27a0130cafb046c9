"""Convert Hounsfield units to the grey values that a network expects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from scipy import ndimage

from ..recipe import Intensity
from ..volume import AIR_HU

if TYPE_CHECKING:
    import torch

#: Inference uses arrays, training uses tensors.
Pixels = TypeVar("Pixels", np.ndarray, "torch.Tensor")


def scale_window(pixels: Pixels, window_hu: Sequence[float]) -> Pixels:
    """Scale a window (low, high) of HU to the range from 0 to 1, and clip values outside it.

    >>> scale_window(np.array([-2000.0, -300.0, 400.0]), (-1000, 400))
    array([0. , 0.5, 1. ])
    """
    low, high = window_hu
    return ((pixels - low) / (high - low)).clip(0.0, 1.0)


def standardise(grey: Pixels, intensity: Intensity, statistics: tuple[float, float] | None = None) -> Pixels:
    """Round grey values to the levels of a recipe, then apply the z-score.

    Args:
        grey: Result of `scale_window`, any shape.
        intensity: The recipe's settings.
        statistics: Mean and standard deviation of the scan, from `grey_statistics`; None without z-score.

    Returns:
        Grey values of the same shape: from 0 to 1, or with mean 0 and standard deviation 1 over the scan.
    """
    if intensity.grey_levels is not None:
        steps = intensity.grey_levels - 1
        grey = (grey * steps).round() / steps
    if statistics is not None:
        mean, deviation = statistics
        grey = (grey - mean) / deviation
    return grey


def grey_statistics(pixels: np.ndarray | torch.Tensor, intensity: Intensity) -> tuple[float, float] | None:
    """Return the mean and standard deviation of a scan's grey values, or None if the recipe has no z-score.

    Args:
        pixels: HU of the scan as the network sees it, any shape, or an evenly spaced sample of it.
        intensity: The recipe's settings.
    """
    if not intensity.zscore:
        return None
    grey = standardise(scale_window(np.asarray(pixels), intensity.window_hu), intensity)
    return float(grey.mean()), max(float(grey.std(ddof=1)), 1e-6)


def keep_near(pixels: np.ndarray, mask: np.ndarray, margin: int) -> np.ndarray:
    """Keep the HU within a margin of a mask, and replace all others by air.

    Args:
        pixels: HU (slices, rows, columns).
        mask: Mask of the same shape; nonzero inside.
        margin: Margin in pixels, within the slice.
    """
    side = 2 * margin + 1
    near = ndimage.maximum_filter(mask > 0.5, size=(1, side, side), mode="constant")
    return np.where(near, pixels, pixels.dtype.type(AIR_HU))
