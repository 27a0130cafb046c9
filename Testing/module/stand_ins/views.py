"""A layout with one 3D view."""

import numpy as np
import vtk


class LayoutManager:
    """The part of `slicer.app.layoutManager()` that the module uses, with one 3D view."""

    threeDViewCount = 1

    def __init__(self):
        self._window = vtk.vtkRenderWindow()
        self._window.SetOffScreenRendering(True)
        self._window.SetSize(400, 400)
        self._renderer = vtk.vtkRenderer()
        self._window.AddRenderer(self._renderer)
        self._renderer.GetActiveCamera().SetPosition(0, 500, 0)
        self._renderer.GetActiveCamera().SetViewUp(0, 0, 1)

    def threeDWidget(self, index):
        return self

    def threeDView(self):
        return self

    def renderWindow(self):
        return self._window

    def scheduleRender(self):
        pass

    def resetThreeDViews(self):
        """Slicer fits the box and the axes of the view, which are far larger than the lungs."""
        self._renderer.ResetCamera(-400, 400, -400, 400, -400, 400)

    def filled_by(self, segmentation):
        """Return the larger of the two fractions of the view's width and height that a segmentation covers."""
        bounds = [0.0] * 6
        segmentation.GetRASBounds(bounds)
        matrix = self._renderer.GetActiveCamera().GetCompositeProjectionTransformMatrix(1.0, -1, 1)
        corners = np.array(np.meshgrid(bounds[0:2], bounds[2:4], bounds[4:6])).reshape(3, -1)
        seen = np.array([matrix.MultiplyPoint([*corner, 1.0]) for corner in corners.T])
        seen = seen[:, :2] / seen[:, 3:]
        return float((seen.max(0) - seen.min(0)).max() / 2)
