"""Exports over a follow-up: what was compared with an earlier CT keeps the identifiers that it has there."""

import harness
import pydicom
import pytest
import slicer
from harness import finish
from stand_ins.dicom_database import DicomDatabase
from support.dicom_factory import write_series
from support.dicom_results import complete

from CovidSegModule.scene import follow_up_nodes
from CovidSegModule.scene.volumes import grid_of


@pytest.fixture
def database(monkeypatch):
    """Files of Slicer's DICOM database by SOP Instance UID."""
    database = DicomDatabase()
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    return database.files


def ct_of_database(name, array, date, folder, database):
    """Return a CT that was loaded from the database."""
    ct = harness.make_ct(name, array=array)
    files = write_series(folder, array, grid_of(ct), edit=complete)
    known = {str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID): str(path) for path in files}
    ct.SetAttribute("DICOM.instanceUIDs", " ".join(known))
    database.update(known)
    harness.put_in_dated_study(ct, "SECRET-4711", date)
    return ct


def tracking(logic, result, folder):
    """Export a result and return the tracking identifiers of its lesions."""
    run = finish(logic.start(result, folder))
    assert run.error is None
    data = pydicom.dcmread(folder / "lesions.dcm")
    return {item.TrackingID: item.TrackingUID for item in data.SegmentSequence}


def test_lesions_keep_their_identifiers_over_a_follow_up(tmp_path, database):
    prior = ct_of_database("March", harness.painted(), "20200302", tmp_path / "march", database)
    ct = ct_of_database("April", harness.several_lesions(), "20200402", tmp_path / "april", database)
    before, result = harness.make_result(prior), harness.make_result(ct)
    logic = harness.make_logic().export
    first = tracking(logic, before, tmp_path / "first")
    assert list(first) == ["Lesion 1"]

    comparison = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    comparison.SetAttribute(follow_up_nodes.REPORT_ATTRIBUTE, "{}")
    for role, node in (
        (follow_up_nodes.RESULT_ROLE, result),
        (follow_up_nodes.PRIOR_ROLE, prior),
        (follow_up_nodes.PRIOR_RESULT_ROLE, before),
    ):
        comparison.SetNodeReferenceID(role, node.GetID())
    second = tracking(logic, result, tmp_path / "second")
    assert second["Lesion 1"] == first["Lesion 1"]
    assert set(second) == {"Lesion 1", "Lesion 2", "Lesion 3", "Lesion 4"}
