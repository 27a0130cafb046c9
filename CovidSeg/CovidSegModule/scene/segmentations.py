"""Load a result as a segmentation node, and show or hide its surfaces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import slicer
import vtk

from CovidSegLib.volume import Grid

from .nodes import add_node, place_beside
from .volumes import grid_of

#: IDs of the segments in the file that the child process writes.
LUNGS, INFECTION = ("right_lung", "left_lung"), "infection"

#: Largest distance between a corner of the result and the same corner of the CT, in voxels. Positions in the file are
#: rounded, because its header is text.
GRID_TOLERANCE = 1e-3


def load_segmentation(path: Path, ct: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkMRMLSegmentationNode:
    """Load a result as a new segmentation node that lies on the CT and has the same parent transform and study.

    Args:
        path: The `.seg.nrrd` file that the child process wrote.
        ct: The volume node that was segmented.

    Returns:
        A segmentation node with closed surfaces, shown in 2D and 3D.

    Raises:
        RuntimeError: The file cannot be read, or it does not lie on the grid of the CT.
    """
    node = add_node("vtkMRMLSegmentationNode", f"{ct.GetName()} infection")
    node.SetAndObserveTransformNodeID(ct.GetTransformNodeID())
    node.CreateDefaultDisplayNodes()
    # The storage node stays out of the scene. Otherwise, saving the scene would write to the temporary file.
    storage = slicer.vtkMRMLSegmentationStorageNode()
    storage.SetFileName(str(path))
    if not storage.ReadData(node) or node.GetSegmentation().GetNumberOfSegments() == 0:
        raise RuntimeError("the segmentation file cannot be read")
    _check_grid(node, grid_of(ct))
    node.SetReferenceImageGeometryParameterFromVolumeNode(ct)
    # Surface nets are faster than the default method, produce half the triangles and leave no steps between slices.
    node.GetSegmentation().SetConversionParameter("Conversion method", "1")
    node.CreateClosedSurfaceRepresentation()
    _set_display(node)
    place_beside(node, ct)
    return node


def show_in_3d(node: slicer.vtkMRMLSegmentationNode, visible: bool) -> None:
    """Show or hide the surfaces of a segmentation. Create them first if the user has removed them."""
    if visible:
        node.CreateDefaultDisplayNodes()
        node.CreateClosedSurfaceRepresentation()
        node.GetDisplayNode().SetVisibility(True)
    node.GetDisplayNode().SetVisibility3D(visible)


def is_shown_in_3d(node: slicer.vtkMRMLSegmentationNode) -> bool:
    """Return True if the surfaces of a segmentation are shown."""
    display = node.GetDisplayNode()
    return bool(display and display.GetVisibility() and display.GetVisibility3D())


def _check_grid(node: slicer.vtkMRMLSegmentationNode, grid: Grid) -> None:
    """Raise RuntimeError if the voxels of a newly loaded segmentation do not lie on the grid."""
    last = np.asarray(grid.shape[::-1]) - 1
    corners = np.array([[0, 0, 0, 1], [*last, 1], [last[0], 0, 0, 1], [0, last[1], 0, 1]], float).T
    for index in range(node.GetSegmentation().GetNumberOfSegments()):
        labelmap = node.GetSegmentation().GetNthSegment(index).GetRepresentation("Binary labelmap")
        if labelmap is None or labelmap.IsEmpty():
            continue
        to_world = vtk.vtkMatrix4x4()
        labelmap.GetImageToWorldMatrix(to_world)
        offset = np.linalg.inv(grid.affine_ras) @ slicer.util.arrayFromVTKMatrix(to_world) @ corners - corners
        extent = np.reshape(labelmap.GetExtent(), (3, 2))
        if np.abs(offset).max() > GRID_TOLERANCE or (extent[:, 0] < 0).any() or (extent[:, 1] > last).any():
            raise RuntimeError("the segmentation does not lie on the grid of the CT")


def _set_display(node: slicer.vtkMRMLSegmentationNode) -> None:
    """Show lungs as outlines in 2D and transparent in 3D, so that they hide neither anatomy nor infection."""
    display = node.GetDisplayNode()
    for lung in LUNGS:
        display.SetSegmentOpacity2DFill(lung, 0.0)
        display.SetSegmentOpacity3D(lung, 0.2)
    display.SetSegmentOpacity2DFill(INFECTION, 0.5)
    display.SetVisibility3D(True)
