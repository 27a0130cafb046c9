"""The slices of the overview: three orthogonal ones through the infection, and axial ones through the lungs."""

from __future__ import annotations

from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import palette
from ..oriented_scan import OrientedScan
from ..outlines import draw_outline
from . import layout
from .layout import HEADER, OUTLINED, SIZE, add_axes, add_caption, add_direction

#: Lung window in HU.
LEVEL, WINDOW = -600.0, 1500.0
#: Columns of small slices, in two rows.
COLUMNS = 5
OUTLINES = {"right": palette.RIGHT_LUNG, "left": palette.LEFT_LUNG, "infection": palette.INFECTION}


class Plane(NamedTuple):
    """One of the three orthogonal planes.

    Attributes:
        title: Its name.
        axis: Axis of the array that it is perpendicular to.
        directions: Letters at the left, right, top and bottom border.
        share: Share of the row's width.
    """

    title: str
    axis: int
    directions: str
    share: float


PLANES = (Plane("Axial", 0, "RLAP", 0.4), Plane("Coronal", 1, "RLHF", 0.31), Plane("Sagittal", 2, "APHF", 0.29))
#: Where the letters of `Plane.directions` are placed: x, y and alignment.
DIRECTION_PLACES = (
    (0.012, 0.5, "left", "center"),
    (0.988, 0.5, "right", "center"),
    (0.5, 0.985, "center", "top"),
    (0.5, 0.015, "center", "bottom"),
)


def draw_slices(figure: Figure, scan: OrientedScan) -> None:
    """Draw the large slices and, below them, the small ones."""
    levels = scan.spread_indices(2 * COLUMNS)
    left = 0.0
    for plane in PLANES:
        width = plane.share * layout.WIDTH
        _draw_plane(figure, scan, plane, levels, left, width)
        left += width
    column_width = layout.WIDTH / COLUMNS
    row = layout.SMALL_SLICES
    for place, index in enumerate(levels):
        top = row.top + place // COLUMNS * (row.height + 2)
        axes = add_axes(figure, place % COLUMNS * column_width + 2, top, column_width - 4, row.height)
        _draw_slice(axes, scan, 0, index, "RL", line_width=0.9)
        add_caption(axes, f"{place + 1}   {scan.position(0, index)}")


def _draw_plane(figure: Figure, scan: OrientedScan, plane: Plane, levels: list[int], left: float, width: float) -> None:
    """Draw the slice of a plane with the most infection, and the levels of the small slices if it shows them."""
    index = scan.best_index(plane.axis)
    content = "most infection" if scan.infection.any() else "no infection found"
    figure.text(
        (left + 8) / SIZE[0],
        1 - (HEADER + 10) / SIZE[1],
        f"{plane.title}  {scan.position(plane.axis, index)}, {content}",
        color=palette.INK,
        fontsize=10.5,
        va="center",
    )
    axes = add_axes(figure, left + 3, layout.LARGE_SLICES.top, width - 6, layout.LARGE_SLICES.height)
    _draw_slice(axes, scan, plane.axis, index, plane.directions, line_width=1.3)
    if plane.axis != 0:
        for number, level in enumerate(levels, 1):
            _draw_level(axes, number, (scan.hu.shape[0] - level - 0.5) * scan.spacing[0])


def _draw_level(axes: Axes, number: int, height: float) -> None:
    """Mark the level of a small axial slice at the right border, at a height in mm."""
    across = axes.get_yaxis_transform()
    axes.plot([0.965, 1], [height] * 2, transform=across, color=palette.MARK, lw=1, path_effects=[OUTLINED])
    axes.text(
        0.955,
        height,
        str(number),
        transform=across,
        color=palette.MARK,
        fontsize=8,
        ha="right",
        va="center",
        clip_on=True,
        path_effects=[OUTLINED],
    )


def _draw_slice(axes: Axes, scan: OrientedScan, axis: int, index: int, directions: str, *, line_width: float) -> None:
    """Draw a slice in the lung window, true to scale, with the outlines of the masks and the anatomical directions."""
    crop: list[Any] = [slice(None, None, -1), scan.rows, scan.columns]
    crop[axis] = index
    row_mm, column_mm = (scan.spacing[a] for a in range(3) if a != axis)
    picture = scan.hu[tuple(crop)]
    height, width = picture.shape
    axes.imshow(
        picture,
        cmap="gray",
        vmin=LEVEL - WINDOW / 2,
        vmax=LEVEL + WINDOW / 2,
        interpolation="bilinear",
        extent=(0, width * column_mm, height * row_mm, 0),
        aspect="equal",
    )
    axes.set_anchor("N")
    for name, colour in OUTLINES.items():
        mask = scan.mask(name, tuple(crop))
        draw_outline(axes, mask, colour, line_width, pixel=(row_mm, column_mm), first=(0.5, 0.5))
    axes.set_xlim(0, width * column_mm)
    axes.set_ylim(height * row_mm, 0)
    for direction, (left, bottom, across, along) in zip(directions, DIRECTION_PLACES, strict=False):
        add_direction(axes, left, bottom, direction, ha=across, va=along, path_effects=[OUTLINED])
