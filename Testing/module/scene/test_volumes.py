"""Choosing a CT, and writing it to a file."""

import harness
import numpy as np
import pytest
import SimpleITK as sitk
import slicer

from CovidSegLib.errors import InputError
from CovidSegModule.scene.volumes import likely_ct, snapshot, write_nrrd


def write_ct(ct, path):
    write_nrrd(*snapshot(ct), path)


@pytest.mark.parametrize("dtype", ["int16", "uint16", "int32", "uint8", "float32", "float64"])
def test_the_ct_is_written_voxel_by_voxel(tmp_path, dtype):
    array = np.abs(harness.painted()).astype(dtype) if dtype[0] == "u" else harness.painted().astype(dtype)
    ct = harness.make_ct(array=array)
    write_ct(ct, tmp_path / "ct.nrrd")
    image = sitk.ReadImage(str(tmp_path / "ct.nrrd"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), array)
    np.testing.assert_allclose(image.GetOrigin(), (-12.25, 41.7, -310.1), atol=1e-12)
    np.testing.assert_allclose(image.GetSpacing(), (2.9, 3.1, 5.3), atol=1e-12)
    axes = np.diag([-1, -1, 1]) @ harness.OBLIQUE
    np.testing.assert_allclose(np.reshape(image.GetDirection(), (3, 3)), axes, atol=1e-12)


def test_the_file_does_not_identify_the_patient(tmp_path):
    ct = harness.make_ct("Doe^John")
    ct.SetAttribute("DICOM.instanceUIDs", "1.2.3")
    write_ct(ct, tmp_path / "ct.nrrd")
    header = (tmp_path / "ct.nrrd").read_bytes().split(b"\n\n")[0]
    assert b"Doe" not in header
    assert b"1.2.3" not in header
    assert b"encoding: raw" in header


def test_other_images_are_refused():
    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    colour = harness.make_colour_image()
    labels = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    slicer.util.updateVolumeFromArray(labels, np.zeros((4, 5, 6), np.uint8))
    for node, word in ((empty, "empty"), (colour, "colour"), (labels, "label map")):
        with pytest.raises(InputError, match=word):
            snapshot(node)


def test_likely_ct():
    assert likely_ct() is None
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    assert likely_ct() is None
    first, second = harness.make_ct("first"), harness.make_ct("second")
    assert likely_ct() is first
    selection = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSelectionNode")
    selection = slicer.mrmlScene.GetNodeByID("vtkMRMLSelectionNodeSingleton") or selection
    selection.SetActiveVolumeID(second.GetID())
    assert likely_ct() in (second, first)
