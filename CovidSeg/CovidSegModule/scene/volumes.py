"""CT volume nodes: choose one, read its grid, write it to a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

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


def slices(ct: slicer.vtkMRMLScalarVolumeNode) -> int:
    """Return the number of slices of a CT: its size along the axis that points most to the head."""
    if ct.GetImageData() is None:
        return 0
    axes = vtk.vtkMatrix4x4()
    ct.GetIJKToRASDirectionMatrix(axes)
    return int(ct.GetImageData().GetDimensions()[int(np.argmax(np.abs(slicer.util.arrayFromVTKMatrix(axes)[2, :3])))])


def snapshot(ct: slicer.vtkMRMLScalarVolumeNode) -> tuple[np.ndarray, Grid]:
    """Return a copy of the voxels (z, y, x) of a CT, and its grid.

    Raises:
        InputError: The node does not hold a three-dimensional grey-value image.
    """
    return checked_voxels(ct).copy(), grid_of(ct)


def checked_voxels(ct: slicer.vtkMRMLScalarVolumeNode) -> np.ndarray:
    """Return the voxels (z, y, x) of a CT: a view of the node's data.

    Raises:
        InputError: The node does not hold a three-dimensional grey-value image.
    """
    image = ct.GetImageData()
    if image is None or 0 in image.GetDimensions():
        raise InputError(_("The selected volume is empty. Load the CT again."))
    if image.GetNumberOfScalarComponents() != 1:
        raise InputError(_("The selected volume is a colour image, not a CT. Select the CT itself."))
    if ct.IsA("vtkMRMLLabelMapVolumeNode"):
        raise InputError(_("The selected volume is a label map, not a CT. Select the CT itself."))
    return slicer.util.arrayFromVolume(ct)


def write_nrrd(voxels: np.ndarray, grid: Grid, path: Path, keys: dict[str, str] | None = None) -> None:
    """Write an image without names and patient data. Needs no scene, and leaves Python's lock to other threads.

    Args:
        voxels: Numbers (z, y, x), or (z, y, x, component).
        grid: Their grid.
        path: The `.nrrd` file to write. It is not compressed, because it is read once and then deleted.
        keys: Further keys and values.
    """
    voxels = np.ascontiguousarray(voxels)
    vectors = np.reshape(grid.direction, (3, 3)) * np.asarray(grid.spacing)
    header = {
        "type": _NRRD_TYPES[voxels.dtype.kind].format(8 * voxels.dtype.itemsize),
        "dimension": str(voxels.ndim),
        "space": "left-posterior-superior",
        "sizes": " ".join(str(size) for size in reversed(grid.shape)),
        "space directions": " ".join(_nrrd_vector(vector) for vector in vectors.T),
        "kinds": "domain domain domain",
        "endian": "big" if voxels.dtype.str.startswith(">") else "little",
        "encoding": "raw",
        "space origin": _nrrd_vector(grid.origin),
    }
    if voxels.dtype.kind == "f":
        header["type"] = {4: "float", 8: "double"}[voxels.dtype.itemsize]
    if voxels.ndim == 4:
        first = {"sizes": str(voxels.shape[3]), "space directions": "none", "kinds": "list"}
        header.update({name: f"{value} {header[name]}" for name, value in first.items()})
    lines = ["NRRD0004", *(f"{name}: {value}" for name, value in header.items())]
    lines += [*(f"{name}:={value}" for name, value in (keys or {}).items()), "", ""]
    with path.open("wb") as file:
        file.write("\n".join(lines).encode("ascii"))
        file.write(voxels.data.cast("B"))


_NRRD_TYPES = {"i": "int{}", "u": "uint{}", "f": "float"}


def _nrrd_vector(numbers: Sequence[float]) -> str:
    return f"({','.join(repr(float(number)) for number in numbers)})"


def result_volumes() -> list[slicer.vtkMRMLScalarVolumeNode]:
    """Return the scalar volumes in the scene that belong to a result. Selectors of CTs leave them out."""
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    return [node for node in nodes if node.GetAttribute(ROLE_ATTRIBUTE)]
