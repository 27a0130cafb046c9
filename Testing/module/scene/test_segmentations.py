"""Loading a result as a segmentation node."""

import harness
import numpy as np
import pytest
import slicer
import vtk

from CovidSegLib.outputs.terminology import SEGMENTS


@pytest.mark.parametrize("moved", [False, True], ids=["untransformed", "under a transform"])
def test_segments_lie_on_the_ct_voxel_by_voxel(moved):
    ct = harness.make_ct()
    if moved:
        ct.SetAndObserveTransformNodeID(harness.make_transform().GetID())
    before = slicer.util.arrayFromVolume(ct).copy()
    node = harness.segment_ct(ct).segmentation
    painted = harness.painted()
    for name, mask in {
        "right_lung": (painted == -850) | (painted == -500),
        "left_lung": painted == -851,
        "infection": painted == -500,
    }.items():
        segment = slicer.util.arrayFromSegmentBinaryLabelmap(node, name, ct)
        np.testing.assert_array_equal(segment != 0, mask, err_msg=name)
    assert node.GetTransformNodeID() == ct.GetTransformNodeID()
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(ct), before)

    # The surface encloses the voxels of the infection. The common transform moves both.
    surface = vtk.vtkPolyData()
    assert node.GetClosedSurfaceRepresentation("infection", surface)
    index = np.argwhere(painted == -500)[:, ::-1].mean(0)
    matrix = vtk.vtkMatrix4x4()
    ct.GetIJKToRASMatrix(matrix)
    expected = slicer.util.arrayFromVTKMatrix(matrix) @ [*index, 1]
    centre = np.reshape(surface.GetBounds(), (3, 2)).mean(1)
    np.testing.assert_allclose(centre, expected[:3], atol=0.3)


def test_the_segmentation_has_the_geometry_of_the_ct():
    ct = harness.make_ct()
    node = harness.segment_ct(ct).segmentation
    assert node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()) is ct
    geometry = node.GetSegmentation().GetConversionParameter("Reference image geometry")
    expected = slicer.vtkMRMLSegmentationNode()
    expected.SetReferenceImageGeometryParameterFromVolumeNode(ct)
    assert geometry == expected.GetSegmentation().GetConversionParameter("Reference image geometry")
    assert node.GetStorageNode() is None


def test_surfaces_colours_and_terminology():
    node = harness.segment_ct(harness.make_ct()).segmentation
    assert node.GetSegmentation().ContainsRepresentation("Closed surface")
    logic = slicer.vtkSlicerTerminologiesModuleLogic()
    for expected in SEGMENTS:
        segment = node.GetSegmentation().GetSegment(expected.identifier)
        assert segment.GetName() == expected.name
        np.testing.assert_allclose(segment.GetColor(), expected.color, atol=1e-6)
        text = vtk.reference("")
        assert segment.GetTag("TerminologyEntry", text)
        assert str(text).count("~") == 6
        entry = slicer.vtkSlicerTerminologyEntry()
        assert logic.DeserializeTerminologyEntry(str(text), entry)
        assert entry.GetTypeObject().GetCodeValue() == expected.type.value
    display = node.GetDisplayNode()
    assert display.GetSegmentOpacity2DFill("right_lung") == 0
    assert display.GetSegmentOpacity3D("infection") > display.GetSegmentOpacity3D("right_lung") > 0


def test_the_result_is_in_the_study_of_the_ct():
    ct = harness.make_ct()
    study = harness.put_in_study(ct)
    result = harness.segment_ct(ct)
    hierarchy = harness.subject_hierarchy()
    for node in (result.segmentation, result.table):
        assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == study


def test_a_second_result_hides_the_first():
    """Both have the same colours, so that they cannot be told apart if both are visible."""
    ct, other = harness.make_ct(), harness.make_ct("other")
    first, elsewhere = harness.segment_ct(ct), harness.segment_ct(other)
    own = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "drawn by hand")
    own.CreateDefaultDisplayNodes()
    own.SetReferenceImageGeometryParameterFromVolumeNode(ct)
    second = harness.segment_ct(ct)
    visible = {
        node.GetName()
        for node in (first.segmentation, elsewhere.segmentation, own, second.segmentation)
        if node.GetDisplayNode().GetVisibility()
    }
    assert visible == {"other infection", "drawn by hand", "CT infection_1"}
    assert second.hidden == ("CT infection",)
    assert first.hidden == ()


def test_an_empty_segment():
    array = harness.painted()
    array[array == -500] = -850
    node = harness.segment_ct(harness.make_ct(array=array)).segmentation
    assert list(node.GetSegmentation().GetSegmentIDs()) == ["right_lung", "left_lung", "infection"]
    mask = slicer.util.arrayFromSegmentBinaryLabelmap(node, "infection", slicer.mrmlScene.GetFirstNodeByName("CT"))
    assert not mask.any()
    node.CreateClosedSurfaceRepresentation()


def test_a_second_run_does_not_change_the_first_result():
    ct = harness.make_ct()
    first = harness.segment_ct(ct)
    first.segmentation.GetSegmentation().GetSegment("infection").SetName("Mine")
    second = harness.segment_ct(ct)
    assert first.segmentation.GetName() == "CT infection"
    assert second.segmentation.GetName() != first.segmentation.GetName()
    assert second.table.GetName() != first.table.GetName()
    assert first.segmentation.GetSegmentation().GetSegment("infection").GetName() == "Mine"
