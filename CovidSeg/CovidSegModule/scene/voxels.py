"""Voxels of volumes and segments as NumPy arrays on the grid of a CT, within a bounding box.

A chest CT has up to eighty million voxels, of which a third lie in the bounding box of the lungs. Working in that box
keeps interactive tools fast.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from CovidSegLib.masks import Box, bounding_box

BINARY_LABELMAP, CLOSED_SURFACE = "Binary labelmap", "Closed surface"
#: Largest distance in voxels between a labelmap and the CT's grid at which the labelmap is taken to lie on it.
TOLERANCE = 1e-3
#: The box of an empty image, because an image cannot be without voxels.
SMALLEST_BOX: Box = (slice(0, 1), slice(0, 1), slice(0, 1))


@dataclass(frozen=True, eq=False)
class BoxArray:
    """The part of an array on the CT's grid that lies in a box. Everything outside the box is zero.

    Attributes:
        array: Values (z, y, x) in the box.
        box: Position of the array on the CT's grid.

    Example:
        >>> part = BoxArray(np.ones((1, 2, 2), bool), (slice(0, 1), slice(1, 3), slice(1, 3)))
        >>> part.crop((slice(0, 1), slice(0, 2), slice(0, 2))).astype(int)
        array([[[0, 0],
                [0, 1]]])
    """

    array: np.ndarray
    box: Box

    def crop(self, box: Box) -> np.ndarray:
        """Return the values in another box. Where the boxes are equal, this is the array itself, not a copy."""
        if box == self.box:
            return self.array
        cropped = np.zeros([part.stop - part.start for part in box], self.array.dtype)
        common = [slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(box, self.box, strict=True)]
        if all(part.stop > part.start for part in common):
            cropped[_relative(common, box)] = self.array[_relative(common, self.box)]
        return cropped

    def full(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return the values on the whole grid of a CT with this shape (z, y, x)."""
        return self.crop(whole(shape))


def whole(shape: tuple[int, ...]) -> Box:
    """Return the box of a whole grid."""
    z, y, x = (slice(0, size) for size in shape)
    return z, y, x


def join(*boxes: Box | None) -> Box | None:
    """Return the smallest box that contains all boxes, or None if there are none."""
    given = [box for box in boxes if box is not None]
    if not given:
        return None
    z, y, x = (
        slice(min(part.start for part in parts), max(part.stop for part in parts)) for parts in zip(*given, strict=True)
    )
    return z, y, x


def cropped(array: np.ndarray) -> BoxArray:
    """Return the part of an array (z, y, x) on the CT's grid that is not zero, as a copy."""
    box = bounding_box(array) or SMALLEST_BOX
    return BoxArray(array[box].copy(), box)


def volume_voxels(volume: slicer.vtkMRMLVolumeNode, ct: slicer.vtkMRMLScalarVolumeNode) -> BoxArray | None:
    """Return the voxels of a volume that was cropped from the CT's grid, or None if it does not lie on that grid."""
    if volume.GetImageData() is None or ct.GetImageData() is None:
        return None
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    start = _position(matrix, ct)
    array = slicer.util.arrayFromVolume(volume)
    if start is None or (start < 0).any() or (start + array.shape > slicer.util.arrayFromVolume(ct).shape).any():
        return None
    return BoxArray(array, _box(start, array.shape))


def segment_voxels(
    segmentation: slicer.vtkMRMLSegmentationNode, segment_id: str, ct: slicer.vtkMRMLScalarVolumeNode
) -> BoxArray | None:
    """Return a segment as a boolean mask on the CT's grid, in its own bounding box. None if it is empty or missing.

    Usually the labelmap of the segment already lies on the grid of the CT. Otherwise it is resampled, which is slow.
    """
    segment = segmentation.GetSegmentation().GetSegment(segment_id)
    labelmap = segment.GetRepresentation(BINARY_LABELMAP) if segment else None
    if labelmap is None or labelmap.IsEmpty() or labelmap.GetPointData().GetScalars() is None:
        return None
    start = labelmap_start(labelmap, segmentation, ct)
    if start is None:
        return _tight(slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segment_id, ct) != 0, np.zeros(3, int))
    extent = np.reshape(labelmap.GetExtent(), (3, 2))[::-1]
    values = vtk_to_numpy(labelmap.GetPointData().GetScalars()).reshape(extent[:, 1] - extent[:, 0] + 1)
    found = _tight(values == segment.GetLabelValue(), start)
    shape = slicer.util.arrayFromVolume(ct).shape
    if found is None or all(part.start >= 0 and part.stop <= n for part, n in zip(found.box, shape, strict=True)):
        return found
    z, y, x = (slice(max(part.start, 0), min(part.stop, n)) for part, n in zip(found.box, shape, strict=True))
    inside = (z, y, x)
    return _tight(found.crop(inside), np.array([part.start for part in inside]))


def labelmap_start(
    labelmap: slicer.vtkOrientedImageData,
    segmentation: slicer.vtkMRMLSegmentationNode,
    ct: slicer.vtkMRMLScalarVolumeNode,
) -> np.ndarray | None:
    """Return the voxel (z, y, x) of the CT at the first voxel of a labelmap, or None if it is not on the CT's grid."""
    if segmentation.GetTransformNodeID() != ct.GetTransformNodeID():
        return None
    matrix = vtk.vtkMatrix4x4()
    labelmap.GetImageToWorldMatrix(matrix)
    origin = _position(matrix, ct)
    return None if origin is None else origin + np.array(labelmap.GetExtent()[4::-2])


def set_segment_voxels(
    segmentation: slicer.vtkMRMLSegmentationNode, segment_id: str, mask: BoxArray, ct: slicer.vtkMRMLScalarVolumeNode
) -> None:
    """Replace a segment by a mask. Its closed surface is kept as it was: see `surfaces`.

    The functions of Slicer also replace the surface at once, which takes seconds.

    Args:
        segmentation: The segmentation node.
        segment_id: The segment. It is created if it is missing.
        mask: Boolean or uint8 mask on the CT's grid.
        ct: The CT.
    """
    contents = segmentation.GetSegmentation()
    if contents.GetSegment(segment_id) is None:
        contents.AddEmptySegment(segment_id, segment_id)
    contents.SeparateSegmentLabelmap(segment_id)  # does nothing if no other segment shares its labelmap
    segment = contents.GetSegment(segment_id)
    segment.SetLabelValue(1)
    segment.AddRepresentation(BINARY_LABELMAP, labelmap_of(mask, ct))
    # Views and sections follow this event. Adding a representation does not send it.
    contents.InvokeEvent(contents.SourceRepresentationModified)


def labelmap_of(mask: BoxArray, ct: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkOrientedImageData:
    """Return a mask on the CT's grid as the binary labelmap of a segment, label value 1."""
    image = slicer.vtkOrientedImageData()
    matrix = vtk.vtkMatrix4x4()
    ct.GetIJKToRASMatrix(matrix)
    image.SetGeometryFromImageToWorldMatrix(matrix)
    image.SetExtent([bound for part in reversed(mask.box) for bound in (part.start, part.stop - 1)])
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    vtk_to_numpy(image.GetPointData().GetScalars()).reshape(mask.array.shape)[:] = mask.array
    return image


def ras_of(voxel: tuple[int, int, int], ct: slicer.vtkMRMLScalarVolumeNode) -> tuple[float, float, float]:
    """Return the position of a voxel (z, y, x) of the CT in the world, that is after all parent transforms."""
    matrix = vtk.vtkMatrix4x4()
    ct.GetIJKToRASMatrix(matrix)
    position = matrix.MultiplyPoint((*voxel[::-1], 1.0))[:3]
    to_world = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(ct.GetParentTransformNode(), None, to_world)
    x, y, z = to_world.TransformPoint(position)
    return x, y, z


def voxel_at(position: tuple[float, float, float], ct: slicer.vtkMRMLScalarVolumeNode) -> tuple[int, int, int]:
    """Return the voxel (z, y, x) of the CT at a position in the world. It may lie outside the CT."""
    to_ct = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(None, ct.GetParentTransformNode(), to_ct)
    matrix = vtk.vtkMatrix4x4()
    ct.GetRASToIJKMatrix(matrix)
    x, y, z = (round(index) for index in matrix.MultiplyPoint((*to_ct.TransformPoint(position), 1.0))[:3])
    return z, y, x


def make_volume(class_name: str, voxels: BoxArray, ct: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkMRMLVolumeNode:
    """Return a new volume node, not yet in the scene, at the position of the voxels and with the CT's transform."""
    node = slicer.mrmlScene.CreateNodeByClass(class_name)
    node.UnRegister(None)
    slicer.util.updateVolumeFromArray(node, voxels.array)
    matrix = vtk.vtkMatrix4x4()
    ct.GetIJKToRASMatrix(matrix)
    affine = slicer.util.arrayFromVTKMatrix(matrix)
    start = [part.start for part in reversed(voxels.box)]
    affine[:3, 3] += affine[:3, :3] @ start
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(affine))
    return node


def _relative(box: list[slice], to: Box) -> tuple[slice, ...]:
    return tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(box, to, strict=True))


def _box(start: np.ndarray, shape: tuple[int, ...]) -> Box:
    z, y, x = (slice(int(begin), int(begin) + size) for begin, size in zip(start, shape, strict=True))
    return z, y, x


def _tight(mask: np.ndarray, start: np.ndarray) -> BoxArray | None:
    """Return the mask in its bounding box, or None if it is empty. `start` is the position of the mask."""
    box = bounding_box(mask)
    if box is None:
        return None
    return BoxArray(mask[box], _box(start + [part.start for part in box], mask[box].shape))


def _position(matrix: vtk.vtkMatrix4x4, ct: slicer.vtkMRMLScalarVolumeNode) -> np.ndarray | None:
    """Return the voxel (z, y, x) of the CT at the origin of an image, or None if the grids differ."""
    ijk_to_ras = vtk.vtkMatrix4x4()
    ct.GetIJKToRASMatrix(ijk_to_ras)
    relative = np.linalg.inv(slicer.util.arrayFromVTKMatrix(ijk_to_ras)) @ slicer.util.arrayFromVTKMatrix(matrix)
    size = max(ct.GetImageData().GetDimensions()) if ct.GetImageData() else 1
    start = np.round(relative[:3, 3])
    if (
        np.abs(relative[:3, :3] - np.eye(3)).max() * size > TOLERANCE
        or np.abs(relative[:3, 3] - start).max() > TOLERANCE
    ):
        return None
    return start[::-1].astype(int)
