"""The whole loop with a real archive: Orthanc, the panel, a correction, DICOM objects, and Orthanc again."""

import harness
import numpy as np
import pydicom
import pytest
import qt
import slicer
from harness import click, settle, shown, wait_until
from stand_ins.dicom_database import DicomDatabase
from support.dicom_factory import write_series
from support.dicom_readers import read_report, read_segments
from support.dicom_results import complete
from support.orthanc import PASSWORD, USER, running_orthanc

from CovidSegLib.archive.web import PASSWORD as PASSWORD_VARIABLE
from CovidSegLib.archive.web import WebArchive
from CovidSegLib.cli.main import DONE, main
from CovidSegLib.dicom import read_source
from CovidSegModule.scene.segmentations import INFECTION, LUNGS
from CovidSegModule.scene.volumes import grid_of

LABELS = {LUNGS[0]: "Right lung", LUNGS[1]: "Left lung", INFECTION: "COVID-19 infection"}


def dicom(*arguments):
    assert main(["dicom", *map(str, arguments), "--progress", "none"]) == DONE


def load(folder, monkeypatch):
    """Load a DICOM series as Slicer's DICOM module does: sorted, by Slicer's reader, with the UID of each slice."""
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in folder.iterdir()]
    row, column = np.reshape(headers[0].ImageOrientationPatient, (2, 3)).astype(float)
    headers.sort(key=lambda data: float(np.cross(row, column) @ np.array(data.ImagePositionPatient, float)))
    database = DicomDatabase([data.filename for data in headers])
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(next(iter(database.files.values())))
    for path in database.files.values():
        storage.AddFileName(path)
    storage.SetSingleFile(0)
    ct = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "4: Thorax")
    assert storage.ReadData(ct)
    ct.CreateDefaultDisplayNodes()
    ct.SetAttribute("DICOM.instanceUIDs", " ".join(database.files))
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    return ct


def correct(panel, painted):
    """Reject the smallest lesion and paint infection on other voxels, with the buttons and the tool of the panel."""
    table = panel.ui.lesionsTable
    wait_until(lambda: table.rowCount == 4)
    table.setCurrentCell(3, 0)
    click(panel.ui.rejectButton)
    click(panel.ui.correctButton)
    click(panel.ui.limitRangeBox)  # normal lung may be painted, too
    editor = panel.sections["correction"].editor
    editor.setActiveEffectByName("Paint")
    editor.activeEffect().modify(painted)
    settle()


def press_and_wait(panel, section, button):
    panel.sections[section].poll_milliseconds = 20
    click(button)
    wait_until(lambda: panel.sections[section].task is None, 120)


def retrieve(archive, folder):
    """Fetch the whole study by DICOMweb. Return the file of each kind of object, CT images left out."""
    folder.mkdir()
    files = {}
    for data in archive.client().retrieve_study("1.2.3.4"):
        if data.Modality != "CT":
            name = data.SeriesDescription.removeprefix("CovidSeg: ")
            files[name] = folder / f"{len(files)}.dcm"
            data.save_as(files[name], enforce_file_format=True)
    return files


@pytest.fixture
def archive(tmp_path, monkeypatch):
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)
    monkeypatch.setenv("COVIDSEG_OUTBOX", str(tmp_path / "outbox"))
    with running_orthanc(tmp_path / "orthanc") as orthanc:
        yield orthanc


def test_from_the_archive_to_a_corrected_mask_and_back(archive, panel, tmp_path, monkeypatch):
    """What dcmqi reads from the archive in the end is what the panel shows, voxel by voxel."""
    web = WebArchive(archive.url, USER)
    drawn = harness.make_ct(array=harness.several_lesions())
    write_series(tmp_path / "scanner", slicer.util.arrayFromVolume(drawn), grid_of(drawn), edit=complete)
    slicer.mrmlScene.RemoveNode(drawn)
    dicom("send", tmp_path / "scanner", "--to", archive.address)

    dicom("fetch", web.url, "--user", USER, "--study", "1.2.3.4", "-o", tmp_path / "ct")
    ct = load(tmp_path / "ct", monkeypatch)
    panel.ui.inputSelector.setCurrentNode(ct)
    wait_until(lambda: shown(panel.ui.seriesLabel))
    assert panel.ui.seriesLabel.text == "DICOM series 4: Thorax 2.0 B40f"
    harness.segment(panel)
    review = panel.sections["lesions"].logic.of(panel.parameters.result).review
    hu = slicer.util.arrayFromVolume(ct)
    found = hu == -500
    stroke = np.zeros(hu.shape, bool)
    stroke[13:15, 18:24, 36:44] = hu[13:15, 18:24, 36:44] == -851
    assert np.array_equal(review.mask(INFECTION).full(hu.shape), found)
    correct(panel, stroke)
    corrected = {name: review.mask(name).full(hu.shape) != 0 for name in LABELS}
    assert (corrected[INFECTION] & ~found).sum() == stroke.sum() > 50
    assert (found & ~corrected[INFECTION]).sum() > 10

    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", lambda url: None)
    press_and_wait(panel, "report", panel.ui.reportButton)
    (page,) = tmp_path.glob("CovidSeg report */report.html")
    uid = pydicom.dcmread(next((tmp_path / "scanner").iterdir())).SeriesInstanceUID
    assert f"4: Thorax 2.0 B40f; UID {uid}" in page.read_text(encoding="utf-8")
    (pdf,) = tmp_path.glob("CovidSeg report */report.pdf")
    monkeypatch.setattr(qt.QFileDialog, "getOpenFileName", lambda *_: str(pdf))
    panel.ui.exportPdfBox.checked, panel.ui.exportDatabaseBox.checked = True, False
    press_and_wait(panel, "export", panel.ui.exportButton)
    (exported,) = tmp_path.glob("CovidSeg DICOM *")
    dicom("send", exported, "--to", archive.address)

    objects = retrieve(web, tmp_path / "back")
    assert objects.keys() >= {"Lungs and infection", "Zones of the lungs", "Lesions", "Measurements", "Report"}
    grid = read_source(tmp_path / "ct").volume.grid
    masks = read_segments(objects["Lungs and infection"], tmp_path / "read", grid)
    flipped = grid.affine_lps[:3, 2] @ grid_of(ct).affine_lps[:3, 2] < 0
    for name, label in LABELS.items():
        expected = corrected[name][::-1] if flipped else corrected[name]
        np.testing.assert_array_equal(masks[label], expected, err_msg=label)
    for name in ("Lungs and infection", "Zones of the lungs", "Lesions"):
        segments = pydicom.dcmread(objects[name]).SegmentSequence
        assert {item.SegmentAlgorithmType for item in segments} == {"SEMIAUTOMATIC"}
    measured = read_report(objects["Measurements"], tmp_path / "read.json")["Measurements"]
    volumes = {group["TrackingIdentifier"]: float(group["measurementItems"][0]["value"]) for group in measured}
    ml = {label: corrected[name].sum() * grid.voxel_ml for name, label in LABELS.items()}
    assert {label: volumes[label] for label in ml} == pytest.approx(ml, abs=1e-3)
    document = pydicom.dcmread(objects["Report"])
    assert document.EncapsulatedDocument[: document.EncapsulatedDocumentLength] == pdf.read_bytes()
    assert (document.PatientName, document.StudyInstanceUID) == ("Doe^Jane", "1.2.3.4")
