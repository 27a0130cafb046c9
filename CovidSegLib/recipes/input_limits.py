"""Limits of the input of a network.

A recipe comes with a model, perhaps from the internet. Beyond these limits, which are far from those of all published
systems, an input would take all memory, or days. CTs have at most 1024 x 1024 pixels, too.
"""

from __future__ import annotations

import math
from typing import Any

from ..recipe import Intensity, Patches, Slices, Stage
from .parsing import require

MOST_PIXELS_ALONG_AN_AXIS = 1024
MOST_CHANNELS = 31
MOST_PATCH_VOXELS = 1 << 24
#: At inference, each voxel is predicted by (1 / (1 - overlap)) ** 3 patches: 1000 for this overlap.
MOST_OVERLAP = 0.9
SPACINGS_MM = (0.1, 100.0)
MOST_MM = 1000.0
#: Largest number among the arguments of a network, such as of channels or levels, and most numbers in a list.
MOST, LONGEST_LIST = 4096, 64
MOST_HU = 100_000.0
MOST_GREY_LEVELS = 65_536


def check_input(stage: Stage, where: str) -> None:
    """Check the size, spacing, margins and intensity of a stage's input, and the numbers that its network receives.

    Args:
        stage: The stage.
        where: Its file and table in error messages.

    Raises:
        InputError: A value is not allowed. The message names file, key and allowed values.
    """
    for key, value in (("margin_mm", stage.margin_mm), ("mask_margin_mm", stage.mask_margin_mm)):
        require(value is None or 0 <= value <= MOST_MM, where, key, f"from 0 to {MOST_MM:g}")
    _check_numbers(stage.arguments, where)
    _check_intensity(stage.intensity, f"{where} [intensity]")
    if stage.slices is not None:
        _check_slices(stage.slices, f"{where} [slices]")
    if stage.patches is not None:
        _check_patches(stage.patches, f"{where} [patches]")


def _check_numbers(value: Any, where: str) -> None:
    """Check the numbers among the arguments of a network: a million levels take hours to build, whatever their size."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        require(len(value) <= LONGEST_LIST, where, "arguments", f"lists of at most {LONGEST_LIST} values")
        for part in value:
            _check_numbers(part, where)
    elif isinstance(value, int | float):
        require(-MOST <= value <= MOST, where, "arguments", f"numbers from {-MOST} to {MOST}")


def _check_intensity(intensity: Intensity, where: str) -> None:
    low, high = intensity.window_hu
    allowed = f"[low, high] with low < high, from {-MOST_HU:g} to {MOST_HU:g}"
    require(-MOST_HU <= low < high <= MOST_HU, where, "window_hu", allowed)
    levels = intensity.grey_levels
    require(levels is None or 2 <= levels <= MOST_GREY_LEVELS, where, "grey_levels", f"from 2 to {MOST_GREY_LEVELS}")


def _check_slices(slices: Slices, where: str) -> None:
    _check_sides(slices.size, where)
    odd = slices.count % 2 == 1 and 1 <= slices.count <= MOST_CHANNELS
    require(odd, where, "count", f"an odd number from 1 to {MOST_CHANNELS}")
    require(0 < slices.step_mm <= MOST_MM, where, "step_mm", f"above 0 and at most {MOST_MM:g}")


def _check_patches(patches: Patches, where: str) -> None:
    _check_sides(patches.size, where)
    few = math.prod(patches.size) <= MOST_PATCH_VOXELS
    require(few, where, "size", f"at most {MOST_PATCH_VOXELS} voxels in all")
    low, high = SPACINGS_MM
    allowed = all(low <= value <= high for value in patches.spacing_mm or ())
    require(allowed, where, "spacing_mm", f"from {low:g} to {high:g}")
    require(0 <= patches.overlap <= MOST_OVERLAP, where, "overlap", f"from 0 to {MOST_OVERLAP:g}")


def _check_sides(size: tuple[int, ...], where: str) -> None:
    allowed = all(1 <= side <= MOST_PIXELS_ALONG_AN_AXIS for side in size)
    require(allowed, where, "size", f"from 1 to {MOST_PIXELS_ALONG_AN_AXIS}")
