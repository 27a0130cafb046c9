"""From Hounsfield units to the grey values that a network takes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from ..recipe import Intensity
from ..volume import AIR_HU


def scale_window(pixels: torch.Tensor, window_hu: Sequence[float]) -> torch.Tensor:
    """HU to [0, 1] over a window (low, high); values beyond it are cut off."""
    low, high = window_hu
    return ((pixels - low) / (high - low)).clamp_(0.0, 1.0)


def standardise(
    grey: torch.Tensor, intensity: Intensity, statistics: tuple[float, float] | None = None
) -> torch.Tensor:
    """Grey values 0 to 1 as a recipe wants them: rounded to its levels, then the z-score.

    Args:
        grey: Values of `scale_window`, any shape.
        intensity: The recipe's settings.
        statistics: Mean and standard deviation of the scan, from `grey_statistics`; None where there is no z-score.

    Returns:
        Of the same shape: 0 to 1, or with mean 0 and deviation 1 over the scan.
    """
    if intensity.grey_levels is not None:
        steps = intensity.grey_levels - 1
        grey = (grey * steps).round() / steps
    if statistics is not None:
        mean, deviation = statistics
        grey = (grey - mean) / deviation
    return grey


def grey_statistics(pixels: torch.Tensor, intensity: Intensity) -> tuple[float, float] | None:
    """Mean and standard deviation of a scan's grey values before its z-score; None where the recipe has no z-score.

    Args:
        pixels: HU of the scan as the network sees it, any shape, or an even sample of it.
        intensity: The recipe's settings.
    """
    if not intensity.zscore:
        return None
    grey = standardise(scale_window(pixels, intensity.window_hu), intensity)
    return float(grey.mean()), max(float(grey.std()), 1e-6)


def keep_near(pixels: torch.Tensor, mask: torch.Tensor, margin: int) -> torch.Tensor:
    """HU pixels (n, rows, columns) where a mask of the same shape is within `margin` pixels; air elsewhere."""
    near = mask[:, None].float()
    if margin > 0:
        near = functional.max_pool2d(near, 2 * margin + 1, stride=1, padding=margin)
    return torch.where(near[:, 0] > 0.5, pixels, torch.tensor(float(AIR_HU)))
