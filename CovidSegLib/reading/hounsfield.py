"""Convert stored values to Hounsfield units."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..checks import grey_value_of_white, is_label_map
from ..errors import InputError
from ..volume import AIR_HU, MAX_HU

#: Values that are converted at a time.
SLAB = 1 << 22
WHOLE, BROKEN, NOT_FINITE = range(3)


def as_hounsfield(values: np.ndarray) -> np.ndarray:
    """Convert Hounsfield units of any type to int16, or to float32 if one of them is not a whole number.

    Values are clipped to the range from `volume.AIR_HU` to `volume.MAX_HU`. NaN and infinity are kept, so that
    `checks.check_volume` detects them.

    >>> as_hounsfield(np.array([-3024.0, 40.0, 70000.0]))
    array([-1024,    40, 32767], dtype=int16)
    """
    return _converted(values, lambda slab: slab)


def from_grey_values(values: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    """Compute the Hounsfield units of an image that was exported through a display window.

    Args:
        values: Grey values from 0 to 255 or from 0 to 1, (z, y, x).
        window: HU (low, high) of black (0) and white (255 or 1).

    Returns:
        int16 HU, or float32 if one of them is not a whole number, (z, y, x).

    Raises:
        InputError: The window is not valid, or the image does not contain grey values.
    """
    low, high = window
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InputError(f"The window from {low:g} to {high:g} is not valid. Give the lower HU first, as in -1000 400.")
    if is_label_map(values):
        raise InputError("The image is a segmentation, not a CT. Select the CT that it belongs to.")
    white = grey_value_of_white(values)
    if white is None:
        raise InputError(
            f"A window was given, but the image contains values from {values.min():g} to {values.max():g}, which are "
            "not 8-bit grey values. Omit the window."
        )
    return _converted(values, lambda slab: low + slab.astype(np.float64) * ((high - low) / white))


def _converted(values: np.ndarray, to_hu: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Apply a function to the values and convert its results to int16 or float32, in little more memory than these."""
    step = max(1, SLAB // max(1, values[:1].size))
    slabs = [slice(start, start + step) for start in range(0, len(values), step)]
    kinds = [_kind(to_hu(values[slab])) for slab in slabs]
    hu = np.empty(values.shape, np.int16 if all(kind == WHOLE for kind in kinds) else np.float32)
    finite = NOT_FINITE not in kinds
    for slab in slabs:
        part = to_hu(values[slab])
        with np.errstate(over="ignore"):
            hu[slab] = np.clip(part, *_limits(part.dtype)) if finite else part
    return hu


def _kind(part: np.ndarray) -> int:
    if part.dtype.kind != "f":
        return WHOLE
    if not np.isfinite(part).all():
        return NOT_FINITE
    return WHOLE if (part == np.rint(part)).all() else BROKEN


def _limits(dtype: np.dtype) -> tuple[int, int]:
    if dtype.kind == "f":
        return AIR_HU, MAX_HU
    return max(AIR_HU, np.iinfo(dtype).min), min(MAX_HU, np.iinfo(dtype).max)
