"""The section "readiness", as the user meets it."""

import harness
import pytest
import slicer
from harness import click, current_run, segment, shown
from stand_ins.dicom_database import DicomDatabase
from support.dicom_factory import write_series


def test_warnings_can_be_read_before_the_run_and_overridden(panel):
    harness.make_ct(spacing=(2.9, 3.1, 7.0))
    harness.wait_until(lambda: shown(panel.ui.checkLabel))
    assert panel.ui.checkLabel.text.startswith("⚠ The slices are 7 mm apart")
    assert panel.ui.applyButton.enabled
    segment(panel)
    assert panel.parameters.result


def test_an_unusable_image_is_refused_before_the_run(panel):
    harness.make_colour_image()
    harness.wait_until(lambda: "colour image" in panel.ui.checkLabel.text)
    assert shown(panel.ui.checkLabel)
    assert not panel.ui.applyButton.enabled
    assert "colour image" in panel.ui.applyButton.toolTip
    click(panel.ui.applyButton)
    assert current_run(panel) is None


def test_device_and_expected_time_are_shown(panel, monkeypatch):
    monkeypatch.setattr(slicer.app, "testingEnabled", lambda: False)
    harness.make_ct()
    panel.enter()
    harness.wait_until(lambda: shown(panel.ui.planLabel))
    assert panel.ui.planLabel.text == "Will run on NVIDIA RTX 4000 (6.0 GB free)."
    segment(panel)
    assert "take" not in panel.ui.planLabel.text, "there is a result"
    panel.ui.inputSelector.setCurrentNode(harness.make_ct("another"))
    harness.wait_until(lambda: shown(panel.ui.planLabel))
    assert panel.ui.planLabel.text.endswith("It will take about 5\u00a0s.")


def test_without_a_ct_the_section_is_hidden(panel):
    assert not shown(panel.ui.readinessPanel)


@pytest.mark.parametrize(
    ("description", "text"),
    [("Thorax 2.0 B40f", "DICOM series 4: Thorax 2.0 B40f"), ("DOE thorax", "DICOM series 4")],
)
def test_the_dicom_series_is_named_without_the_patient(panel, tmp_path, monkeypatch, description, text):
    files = write_series(
        tmp_path, harness.painted()[:2], edit=lambda data, index: setattr(data, "SeriesDescription", description)
    )
    database = DicomDatabase(files)
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    ct = harness.make_ct("4: Thorax")
    assert not shown(panel.ui.seriesLabel), "it is not from the database"
    ct.SetAttribute("DICOM.instanceUIDs", " ".join(database.files))
    panel.update()
    assert shown(panel.ui.seriesLabel)
    assert panel.ui.seriesLabel.text == text
    assert panel.ui.seriesLabel.toolTip.startswith("Series Instance UID: 1.2.826")
    monkeypatch.setattr(slicer, "dicomDatabase", DicomDatabase())
    harness.make_ct("another").SetAttribute("DICOM.instanceUIDs", "1.2.3")
    panel.ui.inputSelector.setCurrentNode(slicer.mrmlScene.GetFirstNodeByName("another"))
    assert not shown(panel.ui.seriesLabel), "the database no longer has it"
