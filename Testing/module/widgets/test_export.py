"""The section "export", as the user meets it: from a CT of the DICOM database to DICOM objects of its study."""

import sys
import types

import harness
import numpy as np
import pydicom
import pytest
import qt
import slicer
from harness import click, show_result, shown, wait_until
from stand_ins.dicom_database import DicomDatabase
from support.dicom_factory import write_series
from support.dicom_readers import read_report, read_segments
from support.dicom_results import complete

from CovidSegLib.dicom import read_source
from CovidSegModule.scene.volumes import grid_of


@pytest.fixture
def imported(monkeypatch):
    """Folders that were imported into the DICOM database."""
    folders = []
    module = types.ModuleType("DICOMLib")
    module.DICOMUtils = types.SimpleNamespace(importDicom=folders.append)
    monkeypatch.setitem(sys.modules, "DICOMLib", module)
    return folders


@pytest.fixture
def ct(tmp_path, monkeypatch):
    """A CT that was loaded from the DICOM database."""
    ct = harness.make_ct("Doe^Jane", array=harness.several_lesions())
    files = write_series(tmp_path / "database", slicer.util.arrayFromVolume(ct), grid_of(ct), edit=complete)
    database = DicomDatabase(files)
    ct.SetAttribute("DICOM.instanceUIDs", " ".join(database.files))
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    return ct


@pytest.fixture
def section(panel, tmp_path, monkeypatch):
    section = panel.sections["export"]
    section.poll_milliseconds = 20
    (tmp_path / "chosen").mkdir()
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "chosen"))
    return section


def export(panel, mode="done"):
    section = panel.sections["export"]
    panel.sections["input"].logic.program = harness.fake(mode)
    click(panel.ui.exportButton)
    wait_until(lambda: section.task is None, 60)


def written(tmp_path):
    folders = list((tmp_path / "chosen").iterdir())
    return sorted(path.name for folder in folders for path in folder.iterdir())


def test_a_corrected_result(panel, section, ct, tmp_path, imported, monkeypatch):
    """A lesion is rejected and another one painted over; dcmqi reads exactly what the panel shows."""
    result = show_result(panel, ct)
    review = panel.sections["lesions"].logic.of(result)
    lesions = review.lesions()
    assert len(lesions) == 4
    smallest = min(lesions, key=lambda lesion: lesion.volume_ml).number
    review.reject([smallest])
    mask = review.review.mask("infection")
    edited = np.zeros(grid_of(ct).shape, bool)
    edited[mask.box] = mask.array
    edited[:, :, :16] = False
    harness.edit(review.review, "infection", edited)
    (tmp_path / "Bericht für Doe.pdf").write_bytes(b"%PDF-1.4")
    monkeypatch.setattr(qt.QFileDialog, "getOpenFileName", lambda *_: str(tmp_path / "Bericht für Doe.pdf"))
    panel.ui.exportPdfBox.checked = True

    export(panel)
    (folder,) = (tmp_path / "chosen").iterdir()
    assert panel.ui.exportStatusLabel.text == f'5 DICOM files were saved in "{folder}".'
    assert "Doe" not in folder.name
    assert imported == [str(folder)]
    source = read_source(tmp_path / "database")
    found = read_segments(folder / "segmentation.dcm", tmp_path / "read", source.volume.grid)
    flipped = source.volume.grid.affine_lps[:3, 2] @ grid_of(ct).affine_lps[:3, 2] < 0
    for name, label in (("right_lung", "Right lung"), ("left_lung", "Left lung"), ("infection", "COVID-19 infection")):
        expected = np.zeros(grid_of(ct).shape, bool)
        present = review.review.mask(name)
        expected[present.box] = present.array
        np.testing.assert_array_equal(found[label], expected[::-1] if flipped else expected, err_msg=label)
    data = pydicom.dcmread(folder / "segmentation.dcm")
    assert {item.SegmentAlgorithmType for item in data.SegmentSequence} == {"SEMIAUTOMATIC"}
    assert (data.StudyInstanceUID, data.PatientName) == ("1.2.3.4", "Doe^Jane")
    assert pydicom.dcmread(folder / "report.dcm").EncapsulatedDocument == b"%PDF-1.4"
    report = read_report(folder / "measurements.dcm", tmp_path / "read.json")
    kept = {f"Lesion {lesion.number}": lesion.volume_ml for lesion in review.lesions() if lesion.state != "rejected"}
    stated = {
        group["TrackingIdentifier"]: float(group["measurementItems"][0]["value"]) for group in report["Measurements"]
    }
    assert {name: volume for name, volume in stated.items() if name.startswith("Lesion")} == pytest.approx(
        kept, abs=1e-3
    )
    assert f"Lesion {smallest}" not in stated


def test_lesions_keep_their_identifiers_while_they_are_edited(panel, section, ct, tmp_path, imported):
    result = show_result(panel, ct)
    panel.ui.exportDatabaseBox.checked = False
    tracked = []
    for number in range(2):
        section.logic.folder_in = lambda parent, number=number: parent / str(number)
        export(panel)
        data = pydicom.dcmread(tmp_path / "chosen" / str(number) / "lesions.dcm")
        tracked.append({item.TrackingID: item.TrackingUID for item in data.SegmentSequence})
        panel.sections["lesions"].logic.of(result).reject([1])
    first, second = tracked
    assert first.keys() - second.keys() == {"Lesion 1"}
    assert second.items() <= first.items()
    assert imported == []


def test_a_result_that_was_not_edited_is_automatic(panel, section, ct, tmp_path, imported):
    from CovidSegModule.scene.review import add_original

    result = show_result(panel, ct)
    add_original(result, ct)
    export(panel)
    (folder,) = (tmp_path / "chosen").iterdir()
    data = pydicom.dcmread(folder / "segmentation.dcm")
    assert {item.SegmentAlgorithmType for item in data.SegmentSequence} == {"AUTOMATIC"}


def test_a_ct_that_is_not_from_dicom(panel, section):
    show_result(panel)
    assert not panel.ui.exportButton.enabled
    assert shown(panel.ui.exportObstacleLabel)
    assert panel.ui.exportObstacleLabel.text.startswith("This CT was not loaded from Slicer's DICOM database")
    assert panel.ui.exportButton.toolTip == panel.ui.exportObstacleLabel.text


def test_no_section_without_a_result(panel):
    harness.make_ct()
    assert not shown(panel.ui.exportPanel)


def test_files_that_are_no_longer_there(panel, section, ct, tmp_path, monkeypatch):
    show_result(panel, ct)
    monkeypatch.setattr(slicer, "dicomDatabase", DicomDatabase())
    export(panel)
    assert panel.ui.exportStatusLabel.text.startswith("The DICOM files of this CT are not in Slicer's DICOM database")
    assert written(tmp_path) == []


def test_a_series_that_lacks_uids(panel, section, ct, tmp_path):
    """The message of the child process is shown, and nothing is written."""
    show_result(panel, ct)
    for path in (tmp_path / "database").iterdir():
        data = pydicom.dcmread(path)
        del data.FrameOfReferenceUID
        data.save_as(path)
    export(panel)
    assert "lacks a valid Frame of Reference UID" in panel.ui.exportStatusLabel.text
    assert written(tmp_path) == []


def test_cancel(panel, section, ct, tmp_path):
    show_result(panel, ct)
    panel.sections["input"].logic.program = harness.fake("slow")
    click(panel.ui.exportButton)
    wait_until(lambda: panel.ui.exportStageLabel.text != "Starting")
    assert panel.ui.exportButton.text == "Cancel"
    assert shown(panel.ui.exportProgressPanel)
    click(panel.ui.exportButton)
    assert panel.ui.exportStatusLabel.text == "Cancelled. Nothing was changed in the scene."
    assert panel.ui.exportButton.text == "Export DICOM..."
    assert written(tmp_path) == []


def test_no_folder_chosen(panel, section, ct, monkeypatch):
    show_result(panel, ct)
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_: "")
    click(panel.ui.exportButton)
    assert section.task is None


def test_the_ct_is_removed_meanwhile(panel, section, ct, tmp_path):
    show_result(panel, ct)
    panel.sections["input"].logic.program = harness.fake("slow")
    click(panel.ui.exportButton)
    slicer.mrmlScene.RemoveNode(ct)
    wait_until(lambda: section.task is None)
    assert "was removed from the scene during the export" in panel.ui.exportStatusLabel.text
    assert written(tmp_path) == []


def test_a_database_that_fails(panel, section, ct, monkeypatch, tmp_path, imported):
    def fail(folder):
        raise RuntimeError

    monkeypatch.setattr(sys.modules["DICOMLib"].DICOMUtils, "importDicom", fail)
    show_result(panel, ct)
    export(panel)
    assert "They could not be added to the DICOM database" in panel.ui.exportStatusLabel.text
    assert written(tmp_path) == ["lesions.dcm", "measurements.dcm", "segmentation.dcm", "zones.dcm"]


def test_the_scene_is_closed_meanwhile(panel, section, ct):
    show_result(panel, ct)
    panel.sections["input"].logic.program = harness.fake("slow")
    click(panel.ui.exportButton)
    slicer.mrmlScene.Clear(False)
    assert section.task is None
