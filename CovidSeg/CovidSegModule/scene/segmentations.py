"""Add a result as a segmentation node, and show or hide its surfaces."""

from __future__ import annotations

import numpy as np
import slicer
import vtk

from CovidSegLib.volume import Grid

from .nodes import add_node, place_beside
from .provenance import ATTRIBUTES
from .result_files import ResultFiles
from .volumes import grid_of
from .voxels import BINARY_LABELMAP, CLOSED_SURFACE, labelmap_of

#: IDs of the segments in the file that the child process writes.
LUNGS, INFECTION = ("right_lung", "left_lung"), "infection"

#: Largest distance between a corner of the result and the same corner of the CT, in voxels. Positions in the file are
#: rounded, because its header is text.
GRID_TOLERANCE = 1e-3


def add_segmentation(
    files: ResultFiles, surfaces: dict[str, vtk.vtkPolyData], ct: slicer.vtkMRMLScalarVolumeNode
) -> slicer.vtkMRMLSegmentationNode:
    """Add a result as a new segmentation node that lies on the CT and has the same parent transform and study.

    Args:
        files: What the child process wrote.
        surfaces: Closed surface of each segment in RAS, by ID. Computing them here would block the application.
        ct: The volume node that was segmented.

    Returns:
        A segmentation node with label maps and closed surfaces, with a display node.

    Raises:
        RuntimeError: The result does not lie on the grid of the CT.
    """
    check_grid(files.grid, grid_of(ct))
    node = add_node("vtkMRMLSegmentationNode", f"{ct.GetName()} infection")
    node.SetAndObserveTransformNodeID(ct.GetTransformNodeID())
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(ct)
    segmentation = node.GetSegmentation()
    segmentation.SetSourceRepresentationName(BINARY_LABELMAP)
    # Surfaces of edited segments: surface nets are faster than the default method, produce half the triangles and leave
    # no steps between slices.
    segmentation.SetConversionParameter("Conversion method", "1")
    layers = [labelmap_of(layer, ct) for layer in files.layers]
    for stored in files.segments:
        segment = slicer.vtkSegment()
        segment.SetName(stored.name)
        segment.SetColor(stored.color)
        segment.SetLabelValue(stored.label)
        for tag, value in stored.tags.items():
            segment.SetTag(tag, value)
        segment.AddRepresentation(BINARY_LABELMAP, layers[stored.layer])
        segment.AddRepresentation(CLOSED_SURFACE, surfaces[stored.identifier])
        segmentation.AddSegment(segment, stored.identifier)
    place_beside(node, ct)
    return node


def hide_others(shown: slicer.vtkMRMLSegmentationNode, ct: slicer.vtkMRMLScalarVolumeNode) -> list[str]:
    """Hide earlier results on the same CT, because two results in the same colours cannot be told apart.

    Args:
        shown: The result that stays visible.
        ct: The CT.

    Returns:
        The names of the results that were visible.
    """
    hidden = []
    for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        display = node.GetDisplayNode()
        if node is shown or display is None or not display.GetVisibility() or not node.GetAttribute(ATTRIBUTES[0]):
            continue
        if node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()) is ct:
            display.SetVisibility(False)
            hidden.append(node.GetName())
    return hidden


def show_in_3d(node: slicer.vtkMRMLSegmentationNode, visible: bool, *, create: bool = True) -> None:
    """Show or hide the surfaces of a segmentation.

    Args:
        node: The segmentation.
        visible: Whether to show them.
        create: Create them first if the user has removed them.
    """
    if visible:
        node.CreateDefaultDisplayNodes()
        if create:
            node.CreateClosedSurfaceRepresentation()
        node.GetDisplayNode().SetVisibility(True)
    node.GetDisplayNode().SetVisibility3D(visible)


def is_shown_in_3d(node: slicer.vtkMRMLSegmentationNode) -> bool:
    """Return True if the surfaces of a segmentation are shown."""
    display = node.GetDisplayNode()
    return bool(display and display.GetVisibility() and display.GetVisibility3D())


def check_grid(result: Grid, grid: Grid) -> None:
    """Raise RuntimeError if the voxels of a result do not lie on the grid."""
    last = np.asarray(grid.shape[::-1]) - 1
    corners = np.array([[0, 0, 0, 1], [*last, 1], [last[0], 0, 0, 1], [0, last[1], 0, 1]], float).T
    offset = np.linalg.inv(grid.affine_ras) @ result.affine_ras @ corners - corners
    if result.shape != grid.shape or np.abs(offset).max() > GRID_TOLERANCE:
        raise RuntimeError("the segmentation does not lie on the grid of the CT")
