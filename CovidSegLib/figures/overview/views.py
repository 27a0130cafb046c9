"""The row of 3D views in the overview."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from .. import palette
from ..rendering import VIEWS
from . import layout
from .layout import add_axes, add_caption, add_direction

NO_3D = "3D view not available on this machine"
NO_SURFACES = "No surfaces, no 3D view"
#: Width and height of each view in pixels.
VIEW_SIZE = (layout.WIDTH // len(VIEWS), layout.VIEWS.height)


def draw_views(figure: Figure, pictures: Mapping[str, np.ndarray]) -> None:
    """Draw the views with their directions.

    Args:
        figure: The overview.
        pictures: uint8 (height, width, 3) by the names of `rendering.VIEWS`.
    """
    width = layout.WIDTH / len(VIEWS)
    for column, (name, view) in enumerate(VIEWS.items()):
        axes = add_axes(figure, column * width, layout.VIEWS.top, width, layout.VIEWS.height)
        axes.imshow(pictures[name], aspect="equal", interpolation="bilinear")
        add_caption(axes, name)
        add_direction(axes, 0.02, 0.5, view.left, ha="left", va="center")
        add_direction(axes, 0.98, 0.5, view.right, ha="right", va="center")


def draw_message(figure: Figure, message: str) -> None:
    """Draw a message in place of the views."""
    axes = add_axes(figure, 3, layout.VIEWS.top, layout.WIDTH - 6, layout.VIEWS.height)
    axes.text(0.5, 0.5, message, transform=axes.transAxes, color=palette.WARNING, fontsize=16, ha="center", va="center")
