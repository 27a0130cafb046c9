"""Hounsfield units as they are kept here: int16 where they are whole numbers, and never below air."""

from __future__ import annotations

import math

import numpy as np

from ..checks import grey_value_of_white, is_label_map
from ..errors import InputError
from ..volume import AIR_HU, MAX_HU


def as_hounsfield(values: np.ndarray) -> np.ndarray:
    """Hounsfield units of any type as int16, or as float32 where one of them is not a whole number.

    Values below -1024 become -1024; NaN stays, for the checks to find.
    """
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            return values.astype(np.float32)
        if not (values == np.rint(values)).all():
            return np.maximum(values, AIR_HU).astype(np.float32)
        return np.clip(values, AIR_HU, MAX_HU).astype(np.int16)
    limits = np.iinfo(values.dtype)
    return np.clip(values, max(AIR_HU, limits.min), min(MAX_HU, limits.max)).astype(np.int16)


def from_grey_values(values: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    """Hounsfield units of an image that was exported through a display window.

    Args:
        values: Grey values 0 to 255 or 0 to 1, (z, y, x).
        window: The HU (low, high) that black (0) and white (255 or 1) stand for.

    Raises:
        InputError: The window is not one, or the image does not hold grey values.
    """
    low, high = window
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InputError(f"The window {low:g} to {high:g} is not one: give the lower HU first, such as -1000 400.")
    if is_label_map(values):
        raise InputError("The image is a segmentation and not a CT: give the CT that it was drawn on.")
    white = grey_value_of_white(values)
    if white is None:
        raise InputError(
            f"A window was given, but the image holds {values.min():g} to {values.max():g} and no 8-bit grey values: "
            "leave the window out."
        )
    return as_hounsfield(low + values.astype(np.float64) * ((high - low) / white))
