"""From the headers of slices to the grid that they form, or to the reason why they form none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import InputError
from ..volume import Grid, GridSpacing
from .dicom_header import Slice

#: Scanners write positions with as little as one decimal, so each slice may lie 0.05 mm off, and the outermost two,
#: from which the spacing comes, as much: 0.1 mm together. Of thin slices no more than a fifth of their distance,
#: which leaves a missing slice (half a distance off at least) far out. Positions are compared with the regular grid
#: and not with their neighbours, so that small errors which add up along the scan are found too.
POSITION_TOLERANCE_MM = 0.1
POSITION_TOLERANCE_PART = 0.2
#: Cosines are written with four decimals or more.
COSINE_TOLERANCE = 1e-3
#: Slices nearer to each other than this lie at one place.
SAME_PLACE_MM = 0.01
#: Some headers state a tilt that is noise of the sensor.
TILT_TOLERANCE_DEGREES = 0.1

_AGAIN = "export the series again"


def stack(slices: Sequence[Slice]) -> tuple[Grid, list[Slice]]:
    """Orders slices along their normal.

    Args:
        slices: The slices of one series, in any order.

    Returns:
        The grid, whose third axis is the normal (row direction x column direction), and the slices in its order.

    Raises:
        InputError: A single slice; positions not stated; slices of varying size, spacing or orientation; doubled or
            missing slices; varying distances; a tilted gantry.
    """
    first = slices[0]
    if len(slices) < 2:
        raise InputError("The series is a single slice and a chest CT is needed: give the complete series.")
    if len({item.shape for item in slices}) > 1:
        raise InputError("The slices of the series have different sizes: export the CT as a series of its own.")
    rows, columns = first.shape
    spacings = np.array([item.spacing or (np.nan, np.nan) for item in slices])
    orientations = np.array([item.orientation or (np.nan,) * 6 for item in slices])
    positions = np.array([item.position or (np.nan,) * 3 for item in slices])
    if not all(np.isfinite(values).all() for values in (spacings, orientations, positions)):
        raise InputError(
            f"The headers do not state where the slices lie (position, orientation or pixel spacing): {_AGAIN}."
        )
    if (spacings <= 0).any():
        raise InputError(f"The pixel spacing in the headers is zero or negative: {_AGAIN}.")
    if not np.allclose(spacings, spacings[0], rtol=COSINE_TOLERANCE, atol=0):
        raise InputError(
            "The slices of the series have different pixel spacings: export the CT as a series of its own."
        )
    if not np.allclose(orientations, orientations[0], rtol=0, atol=COSINE_TOLERANCE):
        raise InputError(
            "The slices of the series have different orientations: export the axial slices as a series of their own."
        )
    direction = _direction(orientations[0])
    if max(abs(item.tilt) for item in slices) > TILT_TOLERANCE_DEGREES:
        raise _tilted(max((item.tilt for item in slices), key=abs))
    order = np.argsort(positions @ direction[:, 2], kind="stable")
    positions = positions[order]
    ordered = [slices[index] for index in order]
    step = _step(positions, direction[:, 2], ordered)
    grid = Grid(
        (len(slices), rows, columns),
        GridSpacing(float(spacings[0, 0]), float(spacings[0, 1]), step),
        (float(positions[0, 0]), float(positions[0, 1]), float(positions[0, 2])),
        tuple(map(float, direction.ravel())),
    )
    return grid, ordered


def _direction(orientation: np.ndarray) -> np.ndarray:
    """3 x 3 cosines, columns (x, y, z), made exactly orthonormal from rounded ones."""
    row, column = orientation[:3], orientation[3:]
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if not np.allclose([*lengths, row @ column + 1], 1, rtol=0, atol=COSINE_TOLERANCE):
        raise InputError(f"The orientation of the slices in the headers is not valid: {_AGAIN}.")
    row = row / lengths[0]
    column = column - (column @ row) * row
    column = column / np.linalg.norm(column)
    return np.stack([row, column, np.cross(row, column)], axis=1)


def _step(positions: np.ndarray, normal: np.ndarray, slices: Sequence[Slice]) -> float:
    """Distance in mm between slices that are ordered along their normal."""
    depth = (positions - positions[0]) @ normal
    steps = np.diff(depth)
    doubled = int((steps < SAME_PLACE_MM).sum())
    if doubled:
        if len({(item.uid, item.frame) for item in slices}) < len(slices):
            raise InputError(
                f"{doubled} slices of the series are there twice, as copies of the same file: remove the copies."
            )
        raise InputError(
            f"{doubled} slices of the series lie where another one lies (two phases or reconstructions in one "
            "series?): export each as a series of its own."
        )
    sideways = np.linalg.norm(positions - positions[0] - np.outer(depth, normal), axis=1)
    if (sideways > POSITION_TOLERANCE_MM + COSINE_TOLERANCE * depth).any():
        angle = float(np.degrees(np.arctan2(sideways[-1], depth[-1])))
        raise _tilted(angle)
    step = float(depth[-1]) / len(steps)
    tolerance = min(POSITION_TOLERANCE_MM, POSITION_TOLERANCE_PART * step)
    if np.abs(depth - step * np.arange(len(depth))).max() > tolerance:
        usual, widest = float(np.median(steps)), int(np.argmax(steps))
        multiples = np.rint(steps / usual)
        if multiples[widest] > 1 and np.abs(steps - multiples * usual).max() <= 2 * tolerance:
            raise InputError(
                f"Slices are missing: after slice {widest + 1} of {len(slices)} there is a gap of "
                f"{steps[widest]:.4g} mm where slices are {usual:.4g} mm apart; export or copy the complete series."
            )
        raise InputError(
            f"The distance between slices varies ({steps.min():.4g} to {steps.max():.4g} mm): "
            "export a series with equal distances."
        )
    return round(step, 9)


def _tilted(degrees: float) -> InputError:
    return InputError(
        f"The CT was taken with a tilted gantry ({abs(degrees):.1f}°), which shears the slices: "
        "export a reconstruction without tilt."
    )
