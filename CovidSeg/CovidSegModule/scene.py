"""The CT out of the scene and the segmentation into it: MRML only, no widgets.

Everything here works without the application, so that it can be tested with the MRML libraries alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import slicer
import vtk

from CovidSegLib.errors import InputError
from CovidSegLib.volume import LPS_RAS, Grid

#: IDs of the segments in the file that the child process writes.
LUNGS, INFECTION = ("right_lung", "left_lung"), "infection"

#: Node attributes that say where a segmentation comes from.
ATTRIBUTES = ("CovidSeg.Version", "CovidSeg.Model", "CovidSeg.ModelSHA256", "CovidSeg.Provenance")
#: Role of the reference from a segmentation node to the table with its numbers.
TABLE_ROLE = "CovidSeg.Table"

#: How much a corner of the result may lie off the CT's, in voxels. The file's header is text: it rounds.
GRID_TOLERANCE = 1e-3


def grid_of(ct: slicer.vtkMRMLScalarVolumeNode) -> Grid:
    """The grid of a volume node in its own coordinates, that is without its parent transforms."""
    width, height, depth = ct.GetImageData().GetDimensions()
    axes = vtk.vtkMatrix4x4()
    ct.GetIJKToRASDirectionMatrix(axes)
    direction = LPS_RAS[:3, :3] @ slicer.util.arrayFromVTKMatrix(axes)[:3, :3]
    origin = LPS_RAS[:3, :3] @ np.asarray(ct.GetOrigin())
    return Grid((depth, height, width), ct.GetSpacing(), tuple(origin.tolist()), tuple(direction.ravel().tolist()))


def write_ct(ct: slicer.vtkMRMLScalarVolumeNode, path: Path) -> Grid:
    """Write a CT's voxels and its own grid, without name, patient or parent transforms.

    Args:
        ct: A volume node of one scalar component.
        path: An `.nrrd` file to write, uncompressed because it is read once and thrown away.

    Returns:
        The grid that was written.

    Raises:
        InputError: The node holds no grey-value image in three dimensions.
    """
    image = ct.GetImageData()
    if image is None or 0 in image.GetDimensions():
        raise InputError("The selected volume is empty. Load the CT again.")
    if image.GetNumberOfScalarComponents() != 1:
        raise InputError("The selected volume is a colour image, not a CT. Select the CT itself.")
    if ct.IsA("vtkMRMLLabelMapVolumeNode"):
        raise InputError("The selected volume is a label map, not a CT. Select the CT itself.")
    grid = grid_of(ct)
    sitk.WriteImage(grid.to_image(slicer.util.arrayFromVolume(ct)), str(path), useCompression=False)
    return grid


def load_segmentation(path: Path, ct: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkMRMLSegmentationNode:
    """Load a result as a new segmentation node that lies on the CT, moves with it and stands beside it.

    Args:
        path: The `.seg.nrrd` file that the child process wrote.
        ct: The volume node that was segmented.

    Returns:
        A segmentation node with closed surfaces, shown in 2D and 3D.

    Raises:
        RuntimeError: The file cannot be read or does not lie on the grid of the CT.
    """
    node = add_node("vtkMRMLSegmentationNode", f"{ct.GetName()} infection")
    node.SetAndObserveTransformNodeID(ct.GetTransformNodeID())
    node.CreateDefaultDisplayNodes()
    # The storage node stays out of the scene: the temporary file must not be what the user saves to.
    storage = slicer.vtkMRMLSegmentationStorageNode()
    storage.SetFileName(str(path))
    if not storage.ReadData(node) or node.GetSegmentation().GetNumberOfSegments() == 0:
        raise RuntimeError("the segmentation file cannot be read")
    _check_lies_on(node, grid_of(ct))
    node.SetReferenceImageGeometryParameterFromVolumeNode(ct)
    # Surface nets give half the triangles of the default method in less time, and no steps between slices.
    node.GetSegmentation().SetConversionParameter("Conversion method", "1")
    node.CreateClosedSurfaceRepresentation()
    _style(node)
    place_beside(node, ct)
    return node


@contextmanager
def undone_on_failure() -> Iterator[None]:
    """Where the block fails, the nodes that it has added are removed from the scene again."""
    before = node_ids()
    try:
        yield
    except BaseException:
        for node in node_ids() - before:
            slicer.mrmlScene.RemoveNode(slicer.mrmlScene.GetNodeByID(node))
        raise


def node_ids() -> set[str]:
    """The IDs of all nodes in the scene."""
    scene = slicer.mrmlScene
    return {scene.GetNthNode(index).GetID() for index in range(scene.GetNumberOfNodes())}


def add_node(class_name: str, name: str) -> slicer.vtkMRMLNode:
    """Add a node with a name that no other node has."""
    return slicer.mrmlScene.AddNewNodeByClass(class_name, slicer.mrmlScene.GenerateUniqueName(name))


def _check_lies_on(node: slicer.vtkMRMLSegmentationNode, grid: Grid) -> None:
    """Raise RuntimeError where the voxels of a segmentation just read are not those of the grid."""
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


def _style(node: slicer.vtkMRMLSegmentationNode) -> None:
    """Lungs as outlines in slices and as glass in 3D, so that they hide neither anatomy nor infection."""
    display = node.GetDisplayNode()
    for lung in LUNGS:
        display.SetSegmentOpacity2DFill(lung, 0.0)
        display.SetSegmentOpacity3D(lung, 0.2)
    display.SetSegmentOpacity2DFill(INFECTION, 0.5)
    display.SetVisibility3D(True)


def place_beside(node: slicer.vtkMRMLNode, ct: slicer.vtkMRMLNode) -> None:
    """Put a node under the parent of the CT in the subject hierarchy, which is its study if it came from DICOM."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.GetItemByDataNode(ct)
    parent = hierarchy.GetItemParent(item) if item else hierarchy.GetSceneItemID()
    hierarchy.CreateItem(parent, node)  # moves the item where the application has made one already


def set_provenance(node: slicer.vtkMRMLNode, provenance: dict[str, Any]) -> None:
    """Note on a node which model and version it was made with; saved with the scene."""
    model = provenance.get("model") or {}
    version = (provenance.get("versions") or {}).get("covidseg")
    values = (version, model.get("name"), model.get("sha256"), json.dumps(provenance, sort_keys=True))
    for name, value in zip(ATTRIBUTES, values, strict=True):
        node.SetAttribute(name, "" if value is None else str(value))
    node.SetDescription(f"Made by CovidSeg with the model {model.get('name')}. For research. Not for diagnosis.")


def show_in_3d(node: slicer.vtkMRMLSegmentationNode, visible: bool) -> None:
    """Show or hide the surfaces of a segmentation; makes them where the user has removed them."""
    if visible:
        node.CreateDefaultDisplayNodes()
        node.CreateClosedSurfaceRepresentation()
        node.GetDisplayNode().SetVisibility(True)
    node.GetDisplayNode().SetVisibility3D(visible)


def likely_ct() -> slicer.vtkMRMLScalarVolumeNode | None:
    """The volume that the user most likely wants to segment: the active one, else the first."""
    selection = slicer.mrmlScene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
    active = slicer.mrmlScene.GetNodeByID(selection.GetActiveVolumeID() or "") if selection else None
    volumes = slicer.mrmlScene.GetNodesByClass("vtkMRMLScalarVolumeNode")
    volumes.UnRegister(None)  # the caller owns what GetNodesByClass returns
    candidates = [active, *(volumes.GetItemAsObject(index) for index in range(volumes.GetNumberOfItems()))]
    # Label maps and colour images are subclasses.
    return next((node for node in candidates if node and node.GetClassName() == "vtkMRMLScalarVolumeNode"), None)


def is_in_3d(node: slicer.vtkMRMLSegmentationNode) -> bool:
    """True where the surfaces of a segmentation are shown."""
    display = node.GetDisplayNode()
    return bool(display and display.GetVisibility() and display.GetVisibility3D())
