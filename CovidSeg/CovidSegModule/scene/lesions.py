"""The lesions of a result in the scene: what identifies them, the voxels that were rejected, and an outline.

Numbers and states of the lesions are a tag of the segment "infection", and rejected voxels are a segment of their own.
Both are saved with the segmentation, and Slicer's history of a segmentation restores both, so that undo and redo of an
edit and of a decision are the same thing.
"""

from __future__ import annotations

import json

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from CovidSegLib.quantification.lesion_tracking import STATES, Mark

from .review import Review
from .segmentations import INFECTION
from .voxels import BoxArray, labelmap_of

#: ID of the segment with the voxels that were rejected. It is stored in scenes.
REJECTED_SEGMENT = "rejected"
#: Tag of the segment "infection" with numbers and states of the lesions. It is stored in scenes.
TAG = "CovidSeg.Lesions"
#: Attribute of the model node that outlines a lesion.
OUTLINE_ATTRIBUTE = "CovidSeg.Outline"
_GREY, _YELLOW = (0.6, 0.6, 0.6), (1.0, 0.9, 0.2)
#: Larger lesions are outlined with a coarser surface.
_MOST_VOXELS = 4_000_000


def read_marks(segmentation: slicer.vtkMRMLSegmentationNode) -> tuple[str, list[Mark], int]:
    """Return the tag with the marks of the lesions, the marks, and the number of the next lesion.

    All are empty, and the number is 1, if the result has no marks or if they cannot be read.
    """
    segment = segmentation.GetSegmentation().GetSegment(INFECTION)
    text = vtk.reference("")
    if segment is None or not segment.GetTag(TAG, text):
        return "", [], 1
    tag = str(text)
    try:
        stored = json.loads(tag)
        marks = [
            Mark(int(number), str(state), tuple((int(z), int(y), int(x), float(r)) for z, y, x, r in points))
            for number, state, points in stored["lesions"]
            if state in STATES and points
        ]
        return tag, marks, int(stored["next"])
    except (ValueError, KeyError, TypeError):
        return tag, [], 1


def marks_as_tag(marks: list[Mark], next_number: int) -> str:
    """Return the text of the tag. It must not contain "|", which separates tags in files."""
    lesions = [[mark.number, mark.state, [list(point) for point in mark.points]] for mark in marks]
    return json.dumps({"next": next_number, "lesions": lesions}, separators=(",", ":"))


def write_tag(segmentation: slicer.vtkMRMLSegmentationNode, tag: str) -> None:
    """Store numbers and states of the lesions."""
    segment = segmentation.GetSegmentation().GetSegment(INFECTION)
    if segment is not None:
        segment.SetTag(TAG, tag)


def write_rejected(review: Review, mask: BoxArray) -> None:
    """Replace the voxels that were rejected. The segment is added if there is none, and shown as an outline."""
    segmentation = review.segmentation
    contents = segmentation.GetSegmentation()
    if contents.GetSegment(REJECTED_SEGMENT) is None:
        contents.AddEmptySegment(REJECTED_SEGMENT, _("rejected"), _GREY)
        segmentation.CreateDefaultDisplayNodes()
        display = segmentation.GetDisplayNode()
        display.SetSegmentOpacity2DFill(REJECTED_SEGMENT, 0.0)
        display.SetSegmentVisibility3D(REJECTED_SEGMENT, False)
    review.write(REJECTED_SEGMENT, mask, undo=False)


# --- views ---


def centre_views(position: tuple[float, float, float]) -> None:
    """Centre all slice views on a position, and turn the 3D views to it without zooming."""
    slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, *position, slicer.vtkMRMLSliceNode.CenteredJumpSlice)
    cameras = slicer.mrmlScene.GetNodesByClass("vtkMRMLCameraNode")
    cameras.UnRegister(None)  # GetNodesByClass passes ownership to the caller
    for index in range(cameras.GetNumberOfItems()):
        camera = cameras.GetItemAsObject(index)
        shift = np.subtract(position, camera.GetFocalPoint())
        camera.SetPosition(*(np.array(camera.GetPosition()) + shift))
        camera.SetFocalPoint(*position)
        camera.ResetClippingRange()


def views_meet() -> tuple[float, float, float] | None:
    """Return the position in the world where the planes of the slice views meet; None if there are no slice views.

    Without views in three directions, it is the nearest position to the middle of the first view.
    """
    nodes = slicer.util.getNodesByClass("vtkMRMLSliceNode")
    if not nodes:
        return None
    planes = [slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS()) for node in nodes]
    normals, origins = np.array([plane[:3, 2] for plane in planes]), np.array([plane[:3, 3] for plane in planes])
    away = np.einsum("ij,ij->i", normals, origins - origins[0])
    x, y, z = origins[0] + np.linalg.lstsq(normals, away, rcond=None)[0]
    return float(x), float(y), float(z)


def outline_node() -> slicer.vtkMRMLModelNode | None:
    """Return the model node that outlines a lesion, or None."""
    models = slicer.mrmlScene.GetNodesByClass("vtkMRMLModelNode")
    models.UnRegister(None)
    found = (models.GetItemAsObject(index) for index in range(models.GetNumberOfItems()))
    return next((model for model in found if model.GetAttribute(OUTLINE_ATTRIBUTE)), None)


def show_outline(mask: BoxArray, ct: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Outline a lesion in yellow in the slice views and in 3D. An earlier outline is replaced.

    The outline is a model that is neither listed nor saved.
    """
    node = outline_node()
    if node is None:
        node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLModelNode")
        node.UnRegister(None)
        node.SetName(_("Lesion outline"))
        node.SetAttribute(OUTLINE_ATTRIBUTE, "1")
        node.SetHideFromEditors(True)
        node.SetSaveWithScene(False)
        node = slicer.mrmlScene.AddNode(node)
    node.SetAndObservePolyData(_surface(mask, ct))
    node.SetAndObserveTransformNodeID(ct.GetTransformNodeID())
    if node.GetDisplayNode() is None:
        node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        display.SetSaveWithScene(False)
        display.SetColor(*_YELLOW)
        display.SetVisibility2D(True)
        display.SetSliceIntersectionThickness(3)
        display.SetOpacity(0.35)
    node.GetDisplayNode().SetVisibility(True)


def hide_outline() -> None:
    """Remove the outline."""
    node = outline_node()
    if node is not None:
        display = node.GetDisplayNode()
        slicer.mrmlScene.RemoveNode(node)
        if display is not None:
            slicer.mrmlScene.RemoveNode(display)


def _surface(mask: BoxArray, ct: slicer.vtkMRMLScalarVolumeNode) -> vtk.vtkPolyData:
    """Return the surface of a mask in the coordinates of the CT, without its parent transforms."""
    padded = BoxArray(np.pad(mask.array, 1), _padded(mask))
    image = labelmap_of(padded, ct)
    step = max(1, int(np.ceil((mask.array.size / _MOST_VOXELS) ** (1 / 3))))
    plain = vtk.vtkImageData()  # without directions, which filters treat differently
    plain.SetExtent(image.GetExtent())
    plain.GetPointData().SetScalars(image.GetPointData().GetScalars())
    shrink = vtk.vtkExtractVOI()
    shrink.SetInputData(plain)
    shrink.SetVOI(plain.GetExtent())
    shrink.SetSampleRate(step, step, step)
    surface = vtk.vtkFlyingEdges3D()
    surface.SetInputConnection(shrink.GetOutputPort())
    surface.SetValue(0, 0.5)
    surface.ComputeGradientsOff()
    matrix = vtk.vtkMatrix4x4()
    ct.GetIJKToRASMatrix(matrix)
    to_ras = vtk.vtkTransform()
    to_ras.SetMatrix(matrix)
    move = vtk.vtkTransformPolyDataFilter()
    move.SetInputConnection(surface.GetOutputPort())
    move.SetTransform(to_ras)
    move.Update()
    return move.GetOutput()


def _padded(mask: BoxArray) -> tuple[slice, slice, slice]:
    z, y, x = (slice(part.start - 1, part.stop + 1) for part in mask.box)
    return z, y, x
