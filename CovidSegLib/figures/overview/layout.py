"""Layout of the overview in pixels from its upper left corner, and the text elements that its parts share."""

from __future__ import annotations

from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from .. import palette


class Row(NamedTuple):
    """A row of pictures.

    Attributes:
        top: Distance from the top of the overview.
        height: Its height.
    """

    top: int
    height: int


#: Width and height of the overview.
SIZE = (1800, 1200)
#: Height of the header.
HEADER = 50
#: Width of the sidebar with the numbers, on the right.
SIDEBAR = 430
#: Width of the rows of pictures.
WIDTH = SIZE[0] - SIDEBAR
#: The axial, coronal and sagittal slice with the most infection.
LARGE_SLICES = Row(HEADER + 22, 420)
#: The first of two rows of small axial slices.
SMALL_SLICES = Row(HEADER + 456, 196)
VIEWS = Row(HEADER + 852, 296)

#: Keeps marks legible on a white background.
OUTLINED = withStroke(linewidth=2.5, foreground="black")


def add_axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Add axes without ticks and spines at a position in pixels."""
    axes = figure.add_axes(
        (left / SIZE[0], 1 - (top + height) / SIZE[1], width / SIZE[0], height / SIZE[1]), facecolor=palette.PANEL
    )
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes


def add_caption(axes: Axes, text: str) -> None:
    """Write a caption into the upper left corner of a picture."""
    axes.text(
        0.012,
        0.985,
        text,
        transform=axes.transAxes,
        color=palette.INK,
        fontsize=9,
        ha="left",
        va="top",
        bbox={"facecolor": palette.PANEL, "edgecolor": "none", "alpha": 0.6, "pad": 1.5},
    )


def add_direction(axes: Axes, x: float, y: float, direction: str, **style: Any) -> None:
    """Write an anatomical direction such as "R" into a picture.

    Args:
        axes: Axes of the picture.
        x: Position as a fraction of the width.
        y: Position as a fraction of the height, from the bottom.
        direction: The letter.
        style: Further properties of the text.
    """
    axes.text(x, y, direction, transform=axes.transAxes, color=palette.MARK, fontsize=11, weight="bold", **style)
