"""Arrange DICOM slices on a regular grid, or explain why they do not form one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import InputError
from ..volume import Grid, GridSpacing
from .dicom_header import SliceHeader

#: Scanners may write positions with a single decimal. A slice may then be off by 0.05 mm, and so may the two outermost
#: slices, from which the spacing is computed: 0.1 mm in total. For thin slices the tolerance is at most a fifth of
#: their distance. A missing slice shifts positions by at least half the distance, which is far more. Positions are
#: compared with the regular grid rather than with their neighbours, to detect small errors that add up along the scan.
POSITION_TOLERANCE_MM = 0.1
POSITION_TOLERANCE_FRACTION = 0.2
#: No scanner is that large.
MOST_MM = 1e6
#: Cosines are written with four decimals or more.
COSINE_TOLERANCE = 1e-3
#: Slices that are closer together than this have the same position.
SAME_POSITION_MM = 0.01
#: Some headers state a tilt that is sensor noise.
TILT_TOLERANCE_DEGREES = 0.1


def arrange_slices(slices: Sequence[SliceHeader]) -> tuple[Grid, list[SliceHeader]]:
    """Order slices along their normal and compute the grid that they form.

    Args:
        slices: The slices of one series, in any order.

    Returns:
        The grid, whose third axis is the normal (row direction x column direction), and the slices in its order.

    Raises:
        InputError: There is a single slice, positions are not stated, the size, spacing, orientation or distance of
            the slices varies, slices are duplicated or missing, or the gantry was tilted.
    """
    first = slices[0]
    if len(slices) < 2:
        raise InputError("The series has a single slice, but a chest CT is needed. Select the complete series.")
    if len({item.shape for item in slices}) > 1:
        raise InputError("The slices of the series have different sizes. Export the CT as a series of its own.")
    rows, columns = first.shape
    spacings = np.array([item.spacing or (np.nan, np.nan) for item in slices])
    orientations = np.array([item.orientation or (np.nan,) * 6 for item in slices])
    positions = np.array([item.position or (np.nan,) * 3 for item in slices])
    if not all((np.abs(values) < MOST_MM).all() for values in (spacings, orientations, positions)):  # False for NaN
        raise InputError(
            "The headers do not state where the slices lie (position, orientation or pixel spacing). "
            "Export the series again."
        )
    if (spacings <= 0).any():
        raise InputError("The pixel spacing in the headers is zero or negative. Export the series again.")
    if not np.allclose(spacings, spacings[0], rtol=COSINE_TOLERANCE, atol=0):
        raise InputError(
            "The slices of the series have different pixel spacings. Export the CT as a series of its own."
        )
    if not np.allclose(orientations, orientations[0], rtol=0, atol=COSINE_TOLERANCE):
        raise InputError(
            "The slices of the series have different orientations. Export the axial slices as a series of their own."
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
    """Return the 3 x 3 cosines with columns (x, y, z), made exactly orthonormal from rounded values."""
    row, column = orientation[:3], orientation[3:]
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if not np.allclose([*lengths, row @ column + 1], 1, rtol=0, atol=COSINE_TOLERANCE):
        raise InputError("The orientation of the slices in the headers is not valid. Export the series again.")
    row = row / lengths[0]
    column = column - (column @ row) * row
    column = column / np.linalg.norm(column)
    return np.stack([row, column, np.cross(row, column)], axis=1)


def _step(positions: np.ndarray, normal: np.ndarray, slices: Sequence[SliceHeader]) -> float:
    """Return the distance in mm between slices that are ordered along their normal."""
    depth = (positions - positions[0]) @ normal
    steps = np.diff(depth)
    duplicates = int((steps < SAME_POSITION_MM).sum())
    if duplicates:
        raise _duplicated(duplicates, slices)
    sideways = np.linalg.norm(positions - positions[0] - np.outer(depth, normal), axis=1)
    if (sideways > POSITION_TOLERANCE_MM + COSINE_TOLERANCE * depth).any():
        angle = float(np.degrees(np.arctan2(sideways[-1], depth[-1])))
        raise _tilted(angle)
    step = float(depth[-1]) / len(steps)
    tolerance = min(POSITION_TOLERANCE_MM, POSITION_TOLERANCE_FRACTION * step)
    if np.abs(depth - step * np.arange(len(depth))).max() > tolerance:
        raise _irregular(steps, tolerance)
    return round(step, 9)


def _duplicated(count: int, slices: Sequence[SliceHeader]) -> InputError:
    if len({(item.uid, item.frame) for item in slices}) < len(slices):
        are = "slice of the series is" if count == 1 else "slices of the series are"
        return InputError(f"{count} {are} present twice, as copies of the same file. Remove the copies.")
    have = "slice of the series has" if count == 1 else "slices of the series have"
    return InputError(
        f"{count} {have} the same position as another slice (two phases or reconstructions in one series?). "
        "Export each as a series of its own."
    )


def _irregular(steps: np.ndarray, tolerance: float) -> InputError:
    usual, widest = float(np.median(steps)), int(np.argmax(steps))
    multiples = np.rint(steps / usual)
    if multiples[widest] > 1 and np.abs(steps - multiples * usual).max() <= 2 * tolerance:
        return InputError(
            f"Slices are missing: after slice {widest + 1} of {len(steps) + 1} there is a gap of "
            f"{steps[widest]:.4g} mm, while slices are {usual:.4g} mm apart. Export or copy the complete series."
        )
    return InputError(
        f"The distance between slices varies ({steps.min():.4g} to {steps.max():.4g} mm). "
        "Export a series with equal distances."
    )


def _tilted(degrees: float) -> InputError:
    return InputError(
        f"The CT was acquired with a tilted gantry ({abs(degrees):.1f}°), which shears the slices. "
        "Export a reconstruction without tilt."
    )
