"""Outlines of masks in slices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from skimage.measure import find_contours

from ..masks import bounding_box

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def outlines_of(mask: np.ndarray) -> list[np.ndarray]:
    """Return the outlines of a mask, halfway between its pixels and those around it.

    Args:
        mask: Boolean (rows, columns). May be empty, and may touch the border.

    Returns:
        Closed lines, each a float array (points, 2) of row and column. A pixel has its centre at whole numbers.

    Example:
        >>> [line] = outlines_of(np.array([[True]]))
        >>> line.tolist()
        [[0.5, 0.0], [0.0, -0.5], [-0.5, 0.0], [0.0, 0.5], [0.5, 0.0]]
    """
    box = bounding_box(mask[np.newaxis])
    if box is None:
        return []
    _, rows, columns = box
    start = np.array([rows.start - 1, columns.start - 1])
    padded = np.pad(mask[rows, columns], 1)  # closes the outline of a mask that touches the border
    return [line + start for line in find_contours(padded.astype(np.float32), 0.5)]


def draw_outline(
    axes: Axes,
    mask: np.ndarray,
    colour: str,
    width: float = 1.2,
    *,
    pixel: tuple[float, float] = (1.0, 1.0),
    first: tuple[float, float] = (0.0, 0.0),
) -> None:
    """Draw the outline of a mask on a slice.

    `Axes.contour` is not used, because it keeps several megabytes for each outline.

    Args:
        axes: Axes of the slice.
        mask: Boolean (rows, columns). May be empty.
        colour: Colour of the line.
        width: Width of the line in points.
        pixel: Height and width of a pixel in the units of the axes.
        first: Where the centre of the first pixel lies along the rows and the columns, in pixels.
    """
    from matplotlib.collections import LineCollection  # reports need only `outlines_of`, and load no matplotlib

    lines = [((line + first) * pixel)[:, ::-1] for line in outlines_of(mask)]
    axes.add_collection(LineCollection(lines, colors=[colour], linewidths=width), autolim=False)
