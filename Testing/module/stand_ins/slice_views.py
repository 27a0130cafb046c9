"""The slice views of a layout: Slicer's own layout logic and slice logics, without widgets."""

import numpy as np
import slicer
import vtk

from CovidSegModule.scene.voxels import segment_voxels


class SliceViews:
    """Creates the slice nodes of each layout as Slicer's layout manager does. Keep it as long as there are views."""

    def __init__(self):
        self._layout_logic = slicer.vtkMRMLLayoutLogic()
        self._layout_logic.SetMRMLScene(slicer.mrmlScene)
        self.node = self._layout_logic.GetLayoutNode()
        self.node.SetViewArrangement(self.node.SlicerLayoutFourUpView)
        self._logics = {}
        self._tags = [
            self.node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._follow),
            slicer.mrmlScene.AddObserver(slicer.mrmlScene.NodeAddedEvent, self._follow),
        ]
        self._follow()

    def close(self):
        """Close the scene and remove the observers."""
        slicer.mrmlScene.Clear(False)  # much faster than removing the nodes of the views one by one
        self.node.RemoveObserver(self._tags[0])
        slicer.mrmlScene.RemoveObserver(self._tags[1])
        self._logics.clear()
        self._layout_logic.SetMRMLScene(None)

    def _follow(self, *_):
        for node in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
            if node.GetID() not in self._logics:
                logic = slicer.vtkMRMLSliceLogic()
                self._logics[node.GetID()] = logic
                logic.SetMRMLApplicationLogic(slicer.modules.volumes.logic().GetMRMLApplicationLogic())
                logic.SetMRMLScene(slicer.mrmlScene)
                logic.SetSliceNode(node)

    def composite(self, name):
        """Return the composite node of a view."""
        return slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceCompositeNode{name}")

    def picture(self, name, size=360):
        """Return what a slice view shows as pixels (rows, columns, 3): its volume, and the segments visible in it."""
        node = slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceNode{name}")
        volume = slicer.mrmlScene.GetNodeByID(self.composite(name).GetBackgroundVolumeID() or "")
        if volume is None:
            return np.zeros((size, size, 3), np.uint8)
        bounds = np.zeros(6)
        volume.GetRASBounds(bounds)
        width = max(bounds[1::2] - bounds[::2])
        plane = slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS())
        plane[:3, 3] += plane[:3, :2] @ (plane[:3, :2].T @ ((bounds[1::2] + bounds[::2]) / 2 - plane[:3, 3]))
        steps = (np.arange(size) + 0.5) / size * width - width / 2
        across, down = np.meshgrid(steps, -steps)
        points = plane @ np.stack([across.ravel(), down.ravel(), 0 * across.ravel(), 1 + 0 * across.ravel()])
        display = volume.GetDisplayNode()
        low = display.GetLevel() - display.GetWindow() / 2
        grey = (_sampled(volume, slicer.util.arrayFromVolume(volume), points) - low) / display.GetWindow()
        pixels = np.repeat(np.clip(grey, 0, 1)[:, None], 3, 1)
        for segmentation in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
            _draw(pixels, segmentation, node, volume, points)
        return (255 * pixels).astype(np.uint8).reshape(size, size, 3)


def _draw(pixels, segmentation, view, volume, points):
    """Draw the segments of a node with the opacity of their fill."""
    display = segmentation.GetDisplayNode()
    if not display or not display.GetVisibility() or not display.GetVisibility2D():
        return
    if not display.IsDisplayableInView(view.GetID()):
        return
    contents = segmentation.GetSegmentation()
    for index in range(contents.GetNumberOfSegments()):
        name = contents.GetNthSegmentID(index)
        mask = segment_voxels(segmentation, name, volume)
        if mask is None or not display.GetSegmentVisibility(name) or not display.GetSegmentVisibility2DFill(name):
            continue
        inside = _sampled(volume, mask.full(slicer.util.arrayFromVolume(volume).shape), points) > 0
        opacity = display.GetSegmentOpacity2DFill(name)
        pixels[inside] += opacity * (contents.GetSegment(name).GetColor() - pixels[inside])


def _sampled(volume, array, points):
    """Return the values of an array on the grid of a volume at positions in RAS, by the nearest voxel."""
    matrix = vtk.vtkMatrix4x4()
    volume.GetRASToIJKMatrix(matrix)
    index = np.rint((slicer.util.arrayFromVTKMatrix(matrix) @ points)[2::-1]).astype(int)
    inside = np.all((index >= 0) & (index < np.array(array.shape)[:, None]), axis=0)
    values = np.full(points.shape[1], array.min(), float)
    values[inside] = array[tuple(index[:, inside])]
    return values
