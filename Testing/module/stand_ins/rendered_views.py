"""Two slice views and a 3D view, drawn off screen by Slicer's own displayable managers."""

import numpy as np
import slicer
import vtk
from PIL import Image
from vtk.util.numpy_support import vtk_to_numpy

from . import application

#: Names and orientations of the slice views, from top to bottom.
SLICES = {"Red": "Axial", "Green": "Coronal"}


class _View:
    """A render window with displayable managers."""

    def __init__(self, node, factory, managers, size):
        self.node = node
        self.window = vtk.vtkRenderWindow()
        self.window.SetOffScreenRendering(True)
        self.window.SetSize(*size)
        self.renderer = vtk.vtkRenderer()
        self.window.AddRenderer(self.renderer)
        self._interactor = vtk.vtkRenderWindowInteractor()
        self._interactor.SetRenderWindow(self.window)
        logic = application.start.kept_alive[0]
        factory.SetMRMLApplicationLogic(logic)
        self._group = slicer.vtkMRMLDisplayableManagerGroup()
        self._group.Initialize(factory, self.renderer)
        self._group.SetMRMLDisplayableNode(node)
        self._managers = [manager() for manager in managers]
        for manager in self._managers:
            manager.SetMRMLApplicationLogic(logic)
            self._group.AddDisplayableManager(manager)

    def picture(self):
        """Return what the window shows, (rows, columns, 3), uint8."""
        self.window.Render()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(self.window)
        grab.Update()
        image = grab.GetOutput()
        width, height, _ = image.GetDimensions()
        return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1)[::-1, :, :3].copy()


class _SliceView(_View):
    def __init__(self, name, orientation, size):
        scene = slicer.mrmlScene
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene)
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLApplicationLogic(application.start.kept_alive[0])
        self._logic.SetMRMLScene(scene)
        node = self._logic.AddSliceNode(name)
        node.SetOrientation(orientation)
        node.SetDimensions(*size, 1)
        super().__init__(
            node,
            slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance(),
            (slicer.vtkMRMLSegmentationsDisplayableManager2D, slicer.vtkMRMLModelSliceDisplayableManager),
            size,
        )
        self._actor, self._mapper = vtk.vtkActor2D(), vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        self._actor.SetMapper(self._mapper)
        self._actor.GetProperty().SetDisplayLocationToBackground()
        self.renderer.AddActor2D(self._actor)

    def show(self, ct):
        """Show a CT, and fit the view to it."""
        self._logic.GetSliceCompositeNode().SetBackgroundVolumeID(ct.GetID())
        self.fit()

    def fit(self):
        """Fit the view to the CT."""
        self._logic.FitSliceToBackground()

    def picture(self):
        self._logic.UpdatePipeline()
        connection = self._logic.GetImageDataConnection()
        self._mapper.SetInputConnection(connection)
        self._actor.SetVisibility(connection is not None)
        return super().picture()


class _ThreeDView(_View):
    def __init__(self, size):
        node = slicer.vtkMRMLViewNode()
        node.SetName("View1")
        node = slicer.mrmlScene.AddNode(node)
        super().__init__(
            node,
            slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance(),
            (slicer.vtkMRMLSegmentationsDisplayableManager3D, slicer.vtkMRMLModelDisplayableManager),
            size,
        )
        self.renderer.SetBackground(0.45, 0.47, 0.6)
        self.window.SetAlphaBitPlanes(True)
        self.window.SetMultiSamples(0)
        self.renderer.SetUseDepthPeeling(True)
        self.renderer.GetActiveCamera().SetPosition(0, 600, 0)
        self.renderer.GetActiveCamera().SetViewUp(0, 0, 1)


class RenderedViews:
    """An axial, a coronal and a 3D view. It also is the part of `slicer.app.layoutManager()` that the module uses.

    Args:
        width: Width of a view in pixels.
        height: Height of a view in pixels.
    """

    threeDViewCount = 1

    def __init__(self, width=360, height=260):
        self._slices = [_SliceView(name, orientation, (width, height)) for name, orientation in SLICES.items()]
        self._three_d = _ThreeDView((width, height))

    def show(self, ct):
        """Show a CT in the slice views."""
        for view in self._slices:
            view.show(ct)

    def picture(self):
        """Return all views, one below the other, as an image."""
        return Image.fromarray(np.concatenate([view.picture() for view in (*self._slices, self._three_d)]))

    # --- the layout manager ---

    def threeDWidget(self, _index):
        return self

    def threeDView(self):
        return self

    def renderWindow(self):
        return self._three_d.window

    def scheduleRender(self):
        pass

    def resetSliceViews(self):
        for view in self._slices:
            view.fit()

    def resetThreeDViews(self):
        self._three_d.renderer.ResetCamera()
