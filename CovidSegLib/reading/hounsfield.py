"""Convert stored values to Hounsfield units."""

from __future__ import annotations

import math

import numpy as np

from ..checks import grey_value_of_white, is_label_map
from ..errors import InputError
from ..volume import AIR_HU, MAX_HU


def as_hounsfield(values: np.ndarray) -> np.ndarray:
    """Convert Hounsfield units of any type to int16, or to float32 if one of them is not a whole number.

    Values are clipped to the range from `volume.AIR_HU` to `volume.MAX_HU`. NaN and infinity are kept, so that
    `checks.check_volume` detects them.

    >>> as_hounsfield(np.array([-3024.0, 40.0, 70000.0]))
    array([-1024,    40, 32767], dtype=int16)
    """
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            with np.errstate(over="ignore"):
                return values.astype(np.float32)
        if not (values == np.rint(values)).all():
            return np.clip(values, AIR_HU, MAX_HU).astype(np.float32)
        return np.clip(values, AIR_HU, MAX_HU).astype(np.int16)
    limits = np.iinfo(values.dtype)
    return np.clip(values, max(AIR_HU, limits.min), min(MAX_HU, limits.max)).astype(np.int16)


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
    return as_hounsfield(low + values.astype(np.float64) * ((high - low) / white))
