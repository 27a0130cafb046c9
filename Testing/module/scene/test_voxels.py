"""Segments as arrays on the grid of the CT."""

import harness
import numpy as np
import pytest
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk

from CovidSegModule.scene.voxels import segment_voxels


def segmentation_of(mask, corner, ct):
    """Return a segmentation with a segment "a", given its mask and the index (z, y, x) of its first voxel."""
    image = slicer.vtkOrientedImageData()
    depth, height, width = mask.shape
    z, y, x = corner
    image.SetExtent(x, x + width - 1, y, y + height - 1, z, z + depth - 1)
    image.GetPointData().SetScalars(numpy_to_vtk(mask.astype(np.uint8).ravel(), deep=True))
    matrix = vtk.vtkMatrix4x4()
    ct.GetIJKToRASMatrix(matrix)
    image.SetImageToWorldMatrix(matrix)
    segment = slicer.vtkSegment()
    segment.AddRepresentation("Binary labelmap", image)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.GetSegmentation().AddSegment(segment, "a")
    return node


@pytest.mark.parametrize("corner", [(1, 2, 3), (-1, -2, -3), (0, 0, 0)])
def test_a_segment_that_reaches_beyond_the_ct_is_cut_at_its_border(corner):
    ct = harness.make_ct()
    shape = slicer.util.arrayFromVolume(ct).shape
    mask = np.random.default_rng(0).random(shape) < 0.5
    found = segment_voxels(segmentation_of(mask, corner, ct), "a", ct)
    expected = np.zeros(shape, bool)
    for index in np.argwhere(mask) + corner:
        if (index >= 0).all() and (index < shape).all():
            expected[tuple(index)] = True
    np.testing.assert_array_equal(found.full(shape) != 0, expected)


def test_the_box_of_a_segment_is_tight():
    ct = harness.make_ct()
    mask = np.zeros((6, 7, 8), bool)
    mask[2:4, 3, 1:6] = True
    found = segment_voxels(segmentation_of(mask, (1, 1, 1), ct), "a", ct)
    assert found.box == (slice(3, 5), slice(4, 5), slice(2, 7))


def test_empty_and_missing_segments_have_no_voxels():
    ct = harness.make_ct()
    node = segmentation_of(np.zeros((4, 4, 4), bool), (0, 0, 0), ct)
    assert segment_voxels(node, "a", ct) is None
    assert segment_voxels(node, "b", ct) is None
