"""The section "report", as the user meets it: from an edited result to its report."""

import html
import json
import re

import harness
import numpy as np
import pypdfium2
import pytest
import qt
import slicer
from harness import click, settle, show_result, shown, wait_until

from CovidSegLib.reports.review import CO_RADS, RSNA
from CovidSegModule.scene.voxels import ras_of

SHAPE = (30, 48, 64)


@pytest.fixture
def opened(monkeypatch):
    """Files that were opened in the browser."""
    paths = []
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", lambda url: paths.append(url.toLocalFile()))
    return paths


@pytest.fixture
def section(panel, tmp_path, monkeypatch, opened):
    section = panel.sections["report"]
    section.poll_milliseconds = 20
    (tmp_path / "chosen").mkdir()
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "chosen"))
    return section


@pytest.fixture
def result(panel, section):
    return show_result(panel, harness.make_ct("Doe^Jane", array=harness.several_lesions()))


def write_report(panel, mode="done"):
    section = panel.sections["report"]
    panel.sections["input"].logic.program = harness.fake(mode)
    click(panel.ui.reportButton)
    wait_until(lambda: section.task is None, 90)


def text_of(page):
    """Return the text of a page without tags."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.read_text(encoding="utf-8"))).split())


def test_report_of_an_edited_result(panel, section, result, tmp_path, opened):
    """The report has what a person changed, and the numbers and lesions that the panel shows."""
    lesions = panel.sections["lesions"].logic.of(result)
    assert len(lesions.lesions()) == 4
    smallest = min(lesions.lesions(), key=lambda lesion: lesion.volume_ml)
    lesions.reject([smallest.number])
    review = lesions.review
    edited = review.mask("infection").full(SHAPE).copy()
    painted = np.zeros(SHAPE, bool)
    painted[14:17, 20:23, 44:48] = True
    painted &= ~edited
    edited |= painted
    harness.edit(review, "infection", edited)
    settle()

    panel.ui.reportPatientEdit.text = "王小明"
    panel.ui.reportImpressionEdit.setPlainText("Basal opacities.\nNo effusion.")
    panel.ui.reportCoRadsSelector.setCurrentIndex(5)
    panel.ui.reportReviewedByEdit.text = "Dr. A. Reader"
    panel.ui.reportDateEdit.text = "28.11.2026"
    write_report(panel)

    (folder,) = (tmp_path / "chosen").iterdir()
    assert panel.ui.reportStatusLabel.text == f'Report and viewer were saved in "{folder}".'
    assert "Doe" not in folder.name and "王" not in folder.name
    assert sorted(path.name for path in folder.iterdir()) == ["report.html", "report.pdf", "viewer.html"]
    assert opened == [str(folder / "report.html")]
    text = text_of(folder / "report.html")
    added = painted.sum() * review.grid.voxel_ml
    assert f"{added:.1f} ml of infection added, {smallest.volume_ml:.1f} ml removed" in text
    comparison = panel.sections["comparison"].logic.compare(result)
    assert f"Dice to the masks of the model {comparison.dice:.3f}" in text
    assert f"Lesions rejected: 1 ({smallest.volume_ml:.1f} ml; no. {smallest.number})" in text
    assert panel.ui.headlineLabel.text in text
    shown_lesions = [lesion for lesion in lesions.lesions() if lesion.state != "rejected"]
    assert f"Lesions: {len(shown_lesions)}" in text
    assert "Doe" not in text
    source = (folder / "report.html").read_text(encoding="utf-8")
    assert "<option selected>CO-RADS 4" in source
    assert "Basal opacities.\nNo effusion." in source
    document = pypdfium2.PdfDocument(folder / "report.pdf")
    first = document[0].get_textpage().get_text_range()
    assert "王小明" in first
    assert CO_RADS[4] in first
    assert "Dr. A. Reader" in first


def test_viewer(panel, section, result, tmp_path, opened):
    click(panel.ui.viewerButton)
    assert not panel.ui.viewerButton.enabled
    wait_until(lambda: section.task is None, 90)
    (folder,) = (tmp_path / "chosen").iterdir()
    assert opened == [str(folder / "viewer.html")]
    page = (folder / "viewer.html").read_text(encoding="utf-8")
    assert "Doe^Jane" not in page
    data = json.loads(re.search(r'id="data">(.*?)</script>', page)[1])
    lesions = panel.sections["lesions"].logic.of(result)
    places = {lesion["number"]: lesion["ras"] for lesion in data["lesions"]}
    assert len(places) == 4
    for lesion in lesions.lesions():
        inside = ras_of(lesion.inside, panel.parameters.ct)
        assert places[lesion.number] == pytest.approx(inside, abs=1e-3)
    assert data["threshold"] == 0.5
    assert 'id="part-probability"' in page


def test_fields_belong_to_the_result_and_are_saved(panel, section, result, tmp_path):
    panel.ui.reportReviewedByEdit.text = "First"
    panel.ui.reportRsnaSelector.setCurrentIndex(1)
    second = show_result(panel, harness.make_ct("other"))
    assert panel.ui.reportReviewedByEdit.text == ""
    assert panel.ui.reportRsnaSelector.currentText == ""
    panel.parameters.result = result
    settle()
    assert panel.ui.reportReviewedByEdit.text == "First"
    assert panel.ui.reportRsnaSelector.currentText == RSNA[0]
    slicer.mrmlScene.RemoveNode(second)
    assert slicer.mrmlScene.WriteToMRB(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(False)
    assert slicer.mrmlScene.ReadFromMRB(str(tmp_path / "scene.mrb"))
    settle()
    assert panel.ui.reportReviewedByEdit.text == "First"


def test_hidden_without_a_result(panel):
    assert not shown(panel.ui.reportPanel)


def test_no_folder_chosen(panel, section, result, monkeypatch):
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_: "")
    click(panel.ui.reportButton)
    assert section.task is None


@pytest.mark.parametrize(("mode", "message"), [("unusable", ""), ("crash", "stopped unexpectedly")])
def test_failures_are_told(panel, section, result, tmp_path, mode, message, opened):
    write_report(panel, mode)
    assert message in panel.ui.reportStatusLabel.text
    assert panel.ui.reportStatusLabel.text
    assert not list((tmp_path / "chosen").iterdir())
    assert opened == []


def test_cancelled(panel, section, result, tmp_path):
    panel.sections["input"].logic.program = harness.fake("slow")
    click(panel.ui.reportButton)
    assert panel.ui.reportButton.text == "Cancel"
    click(panel.ui.reportButton)
    assert section.task is None
    assert not list((tmp_path / "chosen").iterdir())


def test_ct_removed(panel, section, result, tmp_path):
    panel.sections["input"].logic.program = harness.fake("slow")
    click(panel.ui.reportButton)
    slicer.mrmlScene.RemoveNode(panel.parameters.ct)
    wait_until(lambda: section.task is None)
    assert "removed from the scene" in panel.ui.reportStatusLabel.text
    assert not list((tmp_path / "chosen").iterdir())
