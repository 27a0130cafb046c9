"""The views of the application."""

from __future__ import annotations

from typing import Any

import slicer

#: How much closer the camera is than where the sphere around the box of the lungs just fits into the view.
CLOSER = 1.35


def center_3d_views(segmentation: Any = None) -> None:
    """Point the 3D views at a segmentation, or at everything, and fill them with it. Do nothing if there are no views.

    Args:
        segmentation: A segmentation node.
    """
    layout = slicer.app.layoutManager()
    if layout is None:
        return
    bounds = [0.0] * 6
    if segmentation is not None:
        segmentation.GetRASBounds(bounds)
    if bounds[0] >= bounds[1]:
        slicer.util.resetThreeDViews()
        return
    for index in range(layout.threeDViewCount):
        view = layout.threeDWidget(index).threeDView()
        renderer = view.renderWindow().GetRenderers().GetFirstRenderer()
        renderer.ResetCamera(bounds)
        renderer.GetActiveCamera().Dolly(CLOSER)
        renderer.ResetCameraClippingRange()
        view.scheduleRender()


def jump_to(position: tuple[float, float, float]) -> None:
    """Centre all slice views on a position in the world."""
    slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, *position, slicer.vtkMRMLSliceNode.CenteredJumpSlice)


def show_chart(chart: slicer.vtkMRMLPlotChartNode | None) -> None:
    """Show a chart in the plot view. Choose a layout with one if there is none. Do nothing if there are no views."""
    plots = getattr(slicer.modules, "plots", None)
    if chart is not None and plots is not None and slicer.app.layoutManager() is not None:
        plots.logic().ShowChartInLayout(chart)


def fit_slice_views() -> None:
    """Fit all slice views to what they show. Do nothing if there are no views."""
    layout = slicer.app.layoutManager()
    if layout is not None:
        layout.resetSliceViews()
