"""CT volume nodes: choose one, read its grid, write it to a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk
import slicer
import vtk

from CovidSegLib.errors import InputError
from CovidSegLib.volume import LPS_RAS, Grid, GridSpacing

#: Attribute of volumes that belong to a result, so that they are not CTs. It is stored in scenes.
ROLE_ATTRIBUTE = "CovidSeg.Role"


def likely_ct() -> slicer.vtkMRMLScalarVolumeNode | None:
    """Return the volume that the user most likely wants to segment: the active one, otherwise the first one."""
    selection = slicer.mrmlScene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
    active = slicer.mrmlScene.GetNodeByID(selection.GetActiveVolumeID() or "") if selection else None
    volumes = slicer.mrmlScene.GetNodesByClass("vtkMRMLScalarVolumeNode")
    volumes.UnRegister(None)  # GetNodesByClass passes ownership to the caller
    candidates = [active, *(volumes.GetItemAsObject(index) for index in range(volumes.GetNumberOfItems()))]
    return next((node for node in candidates if node and _may_be_ct(node)), None)


def _may_be_ct(node: slicer.vtkMRMLNode) -> bool:
    """Return False for label maps and colour images, which are subclasses, and for probabilities of a result."""
    return node.GetClassName() == "vtkMRMLScalarVolumeNode" and not node.GetAttribute(ROLE_ATTRIBUTE)


def grid_of(ct: slicer.vtkMRMLScalarVolumeNode) -> Grid:
    """Return the grid of a volume node in its own coordinates, without its parent transforms."""
    width, height, depth = ct.GetImageData().GetDimensions()
    axes = vtk.vtkMatrix4x4()
    ct.GetIJKToRASDirectionMatrix(axes)
    direction = LPS_RAS[:3, :3] @ slicer.util.arrayFromVTKMatrix(axes)[:3, :3]
    origin = LPS_RAS[:3, :3] @ np.asarray(ct.GetOrigin())
    return Grid(
        shape=(depth, height, width),
        spacing=GridSpacing(*ct.GetSpacing()),
        origin=tuple(origin.tolist()),
        direction=tuple(direction.ravel().tolist()),
    )


def write_ct(ct: slicer.vtkMRMLScalarVolumeNode, path: Path) -> Grid:
    """Write the voxels and the grid of a CT, without its name, patient data or parent transforms.

    Args:
        ct: A volume node with one scalar component.
        path: The `.nrrd` file to write. It is not compressed, because it is read once and then deleted.

    Returns:
        The grid of the CT, as written.

    Raises:
        InputError: The node does not hold a three-dimensional grey-value image.
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


def result_volumes() -> list[slicer.vtkMRMLScalarVolumeNode]:
    """Return the scalar volumes in the scene that belong to a result. Selectors of CTs leave them out."""
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    return [node for node in nodes if node.GetAttribute(ROLE_ATTRIBUTE)]
