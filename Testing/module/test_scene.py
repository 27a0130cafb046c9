"""The CT out of the scene and the segmentation into it."""

import json

import harness
import numpy as np
import pytest
import SimpleITK as sitk
import slicer
import vtk

from CovidSegLib.errors import InputError
from CovidSegLib.outputs.terminology import SEGMENTS
from CovidSegModule import scene, tables
from CovidSegModule.run import Run


def segment(ct, mode="done"):
    run = Run(ct, "", "auto", harness.fake(mode))
    run.start()
    harness.finish(run)
    assert run.error is None
    return run.result


@pytest.mark.parametrize("dtype", ["int16", "uint16", "int32", "uint8", "float32", "float64"])
def test_the_ct_is_written_voxel_by_voxel(clean, tmp_path, dtype):
    array = np.abs(harness.painted()).astype(dtype) if dtype[0] == "u" else harness.painted().astype(dtype)
    ct = harness.make_ct(array=array)
    scene.write_ct(ct, tmp_path / "ct.nrrd")
    image = sitk.ReadImage(str(tmp_path / "ct.nrrd"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), array)
    np.testing.assert_allclose(image.GetOrigin(), (-12.25, 41.7, -310.1), atol=1e-12)
    np.testing.assert_allclose(image.GetSpacing(), (2.9, 3.1, 5.3), atol=1e-12)
    axes = np.diag([-1, -1, 1]) @ harness.OBLIQUE
    np.testing.assert_allclose(np.reshape(image.GetDirection(), (3, 3)), axes, atol=1e-12)


def test_the_file_of_the_ct_names_nobody(clean, tmp_path):
    ct = harness.make_ct("Doe^John")
    ct.SetAttribute("DICOM.instanceUIDs", "1.2.3")
    scene.write_ct(ct, tmp_path / "ct.nrrd")
    header = (tmp_path / "ct.nrrd").read_bytes().split(b"\n\n")[0]
    assert b"Doe" not in header
    assert b"1.2.3" not in header
    assert b"encoding: raw" in header


def test_what_is_no_ct_is_refused(clean, tmp_path):
    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    colour = harness.make_ct("colour", array=np.zeros((4, 5, 6), np.uint8))
    image = vtk.vtkImageData()
    image.SetDimensions(6, 5, 4)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 3)
    colour.SetAndObserveImageData(image)
    labels = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    slicer.util.updateVolumeFromArray(labels, np.zeros((4, 5, 6), np.uint8))
    for node, word in ((empty, "empty"), (colour, "colour"), (labels, "label map")):
        with pytest.raises(InputError, match=word):
            scene.write_ct(node, tmp_path / "ct.nrrd")


@pytest.mark.parametrize("moved", [False, True], ids=["untransformed", "under a transform"])
def test_segments_lie_on_the_ct_voxel_by_voxel(clean, moved):
    ct = harness.make_ct()
    if moved:
        ct.SetAndObserveTransformNodeID(harness.make_transform().GetID())
    before = slicer.util.arrayFromVolume(ct).copy()
    node = segment(ct).segmentation
    painted = harness.painted()
    for name, mask in {
        "right_lung": (painted == -850) | (painted == -500),
        "left_lung": painted == -851,
        "infection": painted == -500,
    }.items():
        found = slicer.util.arrayFromSegmentBinaryLabelmap(node, name, ct)
        np.testing.assert_array_equal(found != 0, mask, err_msg=name)
    assert node.GetTransformNodeID() == ct.GetTransformNodeID()
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(ct), before)

    # The surface surrounds the infection's voxels; the common transform moves both alike.
    surface = vtk.vtkPolyData()
    assert node.GetClosedSurfaceRepresentation("infection", surface)
    index = np.argwhere(painted == -500)[:, ::-1].mean(0)
    matrix = vtk.vtkMatrix4x4()
    ct.GetIJKToRASMatrix(matrix)
    expected = slicer.util.arrayFromVTKMatrix(matrix) @ [*index, 1]
    centre = np.reshape(surface.GetBounds(), (3, 2)).mean(1)
    np.testing.assert_allclose(centre, expected[:3], atol=0.3)


def test_the_segmentation_refers_to_the_ct(clean):
    ct = harness.make_ct()
    node = segment(ct).segmentation
    assert node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()) is ct
    geometry = node.GetSegmentation().GetConversionParameter("Reference image geometry")
    expected = slicer.vtkMRMLSegmentationNode()
    expected.SetReferenceImageGeometryParameterFromVolumeNode(ct)
    assert geometry == expected.GetSegmentation().GetConversionParameter("Reference image geometry")
    assert node.GetStorageNode() is None


def test_surfaces_colours_and_terms(clean):
    node = segment(harness.make_ct()).segmentation
    assert node.GetSegmentation().ContainsRepresentation("Closed surface")
    logic = slicer.vtkSlicerTerminologiesModuleLogic()
    for expected in SEGMENTS:
        segment_ = node.GetSegmentation().GetSegment(expected.identifier)
        assert segment_.GetName() == expected.name
        np.testing.assert_allclose(segment_.GetColor(), expected.color, atol=1e-6)
        text = vtk.reference("")
        assert segment_.GetTag("TerminologyEntry", text)
        assert str(text).count("~") == 6
        entry = slicer.vtkSlicerTerminologyEntry()
        assert logic.DeserializeTerminologyEntry(str(text), entry)
        assert entry.GetTypeObject().GetCodeValue() == expected.type.value
    display = node.GetDisplayNode()
    assert display.GetSegmentOpacity2DFill("right_lung") == 0
    assert display.GetSegmentOpacity3D("infection") > display.GetSegmentOpacity3D("right_lung") > 0


def test_result_stands_beside_the_ct(clean):
    ct = harness.make_ct()
    study = harness.put_in_study(ct)
    result = segment(ct)
    hierarchy = harness.subject_hierarchy()
    for node in (result.segmentation, result.table):
        assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == study


def test_a_second_run_leaves_the_first_result_alone(clean):
    ct = harness.make_ct()
    first = segment(ct)
    first.segmentation.GetSegmentation().GetSegment("infection").SetName("Mine")
    second = segment(ct)
    assert first.segmentation.GetName() == "CT infection"
    assert second.segmentation.GetName() != first.segmentation.GetName()
    assert second.table.GetName() != first.table.GetName()
    assert first.segmentation.GetSegmentation().GetSegment("infection").GetName() == "Mine"


def test_nothing_found_is_a_result(clean):
    array = harness.painted()
    array[array == -500] = -850
    result = segment(harness.make_ct(array=array))
    assert tables.read_rows(result.table)[2].infection_ml == 0
    assert result.segmentation.GetSegmentation().GetNumberOfSegments() == 3


def test_numbers(clean):
    result = segment(harness.make_ct())
    voxel = 2.9 * 3.1 * 5.3 / 1000
    painted = harness.painted()
    right, left, both = tables.read_rows(result.table)
    assert [row.region for row in (right, left, both)] == ["Right lung", "Left lung", "Both lungs"]
    assert right.volume_ml == pytest.approx(np.isin(painted, (-850, -500)).sum() * voxel, abs=1e-3)
    assert left.volume_ml == pytest.approx((painted == -851).sum() * voxel, abs=1e-3)
    assert both.infection_ml == right.infection_ml == pytest.approx((painted == -500).sum() * voxel, abs=1e-3)
    assert left.mean_hu == -851
    assert left.infection_mean_hu is None
    assert (right.lesions, left.lesions, both.lesions) == (1, 0, 1)
    assert result.segmentation.GetNodeReference(scene.TABLE_ROLE) is result.table


def test_provenance_survives_saving(clean, tmp_path):
    ct = harness.make_ct()
    result = segment(ct)
    scene_path = tmp_path / "scene.mrb"
    assert slicer.mrmlScene.WriteToMRB(str(scene_path))
    slicer.mrmlScene.Clear(False)
    assert slicer.mrmlScene.ReadFromMRB(str(scene_path))
    node = slicer.mrmlScene.GetFirstNodeByName("CT infection")
    assert node is not result.segmentation
    assert node.GetAttribute("CovidSeg.Model") == "fake"
    assert node.GetAttribute("CovidSeg.ModelSHA256") == "ab" * 32
    assert node.GetAttribute("CovidSeg.Version") == "1.2.3"
    assert json.loads(node.GetAttribute("CovidSeg.Provenance"))["versions"] == {"covidseg": "1.2.3"}
    assert "Not for diagnosis" in node.GetDescription()
    rows = tables.read_rows(tables.table_of(node))
    assert rows[1].infection_mean_hu is None
    assert rows[2].lesions == 1


def test_a_failure_leaves_no_nodes(clean):
    ct = harness.make_ct()
    before = scene.node_ids()
    with pytest.raises(RuntimeError, match="stop"), scene.undone_on_failure():
        slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode")
        raise RuntimeError("stop")
    assert scene.node_ids() == before
    assert slicer.mrmlScene.GetNodeByID(ct.GetID()) is ct


def test_likely_ct(clean):
    assert scene.likely_ct() is None
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    assert scene.likely_ct() is None
    first, second = harness.make_ct("first"), harness.make_ct("second")
    assert scene.likely_ct() is first
    selection = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSelectionNode")
    selection = slicer.mrmlScene.GetNodeByID("vtkMRMLSelectionNodeSingleton") or selection
    selection.SetActiveVolumeID(second.GetID())
    assert scene.likely_ct() in (second, first)
