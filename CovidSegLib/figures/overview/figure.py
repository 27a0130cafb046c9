"""The overview of a result: slices with outlines, 3D views and numbers in one picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from vtkmodules.vtkCommonDataModel import vtkPolyData

from ...segmentation import Segmentation
from ...storage.atomic import write_atomically
from ...volume import Volume
from .. import palette
from ..oriented_scan import OrientedScan
from ..rendering import Rendering
from .header import draw_header
from .layout import SIZE
from .sidebar import draw_sidebar
from .slices import draw_slices
from .views import NO_3D, NO_SURFACES, VIEW_SIZE, draw_message, draw_views


def draw_overview(
    path: Path,
    volume: Volume,
    segmentation: Segmentation,
    report: Mapping[str, Any],
    surfaces: Mapping[str, vtkPolyData] | None = None,
) -> None:
    """Write the overview as a PNG of 1800 x 1200 pixels.

    Args:
        path: File to write.
        volume: The CT.
        segmentation: Its segmentation.
        report: Report of `quantification.quantify`. Numbers that are missing or None are shown as a dash.
        surfaces: Closed surfaces in LPS mm by name, "infection" and "lungs" or "right_lung" and "left_lung". Without
            surfaces there are no 3D views.
    """
    canvas = FigureCanvasAgg(overview_figure(volume, segmentation, report, surfaces))
    # A higher level takes twice as long, for a file that is 4 % smaller.
    write_atomically(path, lambda temporary: canvas.print_png(str(temporary), pil_kwargs={"compress_level": 3}))


def overview_figure(
    volume: Volume,
    segmentation: Segmentation,
    report: Mapping[str, Any],
    surfaces: Mapping[str, vtkPolyData] | None = None,
) -> Figure:
    """Return the overview as a matplotlib figure. For the arguments see `draw_overview`."""
    rendering = None
    if surfaces and any(surface.GetNumberOfCells() for surface in surfaces.values()):
        # A child process renders while this process draws the slices.
        rendering = Rendering(surfaces, VIEW_SIZE)
    try:
        figure = Figure(figsize=(SIZE[0] / 100, SIZE[1] / 100), dpi=100, facecolor=palette.BACKGROUND)
        draw_header(figure, volume, segmentation)
        draw_slices(figure, OrientedScan.of(volume, segmentation))
        draw_sidebar(figure, volume, segmentation, report)
        pictures = rendering.pictures() if rendering else None
    finally:
        if rendering:
            rendering.close()
    if pictures is None:
        draw_message(figure, NO_3D if rendering else NO_SURFACES)
    else:
        draw_views(figure, pictures)
    return figure
