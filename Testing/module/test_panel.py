"""The panel as the user meets it: its buttons are clicked, its words are read."""

import itertools
import statistics
import time

import harness
import pytest
import qt
import slicer
import vtk
from PySide6.QtTest import QTest

from CovidSegLib.models import installed
from CovidSegModule import scene, tables
from CovidSegModule.install import InstallError


def click(button):
    QTest.mouseClick(button, qt.Qt.LeftButton)


def start(panel, mode):
    panel.logic.program = harness.fake(mode)
    click(panel.ui.applyButton)


def segment(panel, mode="done"):
    start(panel, mode)
    harness.wait_until(lambda: panel.run is None)


def shown(widget):
    return widget.isVisibleTo(widget.window())


def column(panel, index):
    table = panel.ui.resultsTable
    return [table.item(row, index).text() for row in range(table.rowCount)]


def test_nothing_to_segment(panel):
    assert not panel.ui.applyButton.enabled
    assert panel.ui.applyButton.toolTip == "Select a chest CT first."
    assert panel.ui.disclaimerLabel.text == "For research. Not for diagnosis."
    assert not shown(panel.ui.progressPanel)
    assert not shown(panel.ui.resultsPanel)


def test_everything_has_a_tool_tip(panel):
    kinds = ("Selector", "Button", "Label", "Bar")
    widgets = [widget for name, widget in vars(panel.ui).items() if name.endswith(kinds)]
    assert len(widgets) > 12
    assert [widget.name for widget in widgets if not widget.toolTip] == []
    table = panel.ui.resultsTable
    assert all(table.horizontalHeaderItem(index).toolTip() for index in range(1, table.columnCount))


def test_without_a_model_the_button_says_so(panel):
    harness.make_ct()
    panel.ui.modelSelector.clear()
    panel.updatePanel()
    assert not panel.ui.applyButton.enabled
    assert "No model" in panel.ui.applyButton.toolTip


def test_the_card_of_the_model_can_be_read(panel):
    assert panel.ui.cardButton.enabled
    click(panel.ui.cardButton)
    assert 'There is no model "chs-net"' in panel.ui.statusLabel.text  # another program has removed it
    model = installed()[0]
    panel.ui.modelSelector.setItemData(0, model.name)
    click(panel.ui.cardButton)
    text = panel._card.findChild(qt.QTextBrowser)
    assert shown(text) and panel._card.windowTitle == "About this model"
    for told in (model.title, "Not for diagnosis", model.card["limits"][0], model.card["sha256"]):
        assert told in text.toPlainText()
    panel._card.close()


def test_the_first_ct_is_selected(panel):
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    ct = harness.make_ct()
    assert panel.ui.inputSelector.currentNode() is ct
    assert panel.ui.applyButton.enabled
    entries = [panel.ui.inputSelector.itemText(index) for index in range(panel.ui.inputSelector.count)]
    assert entries == ["Select a chest CT", "CT"]


def test_segment(panel):
    ct = harness.make_ct()
    segment(panel)
    node = slicer.mrmlScene.GetFirstNodeByName("CT infection")
    assert node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()) is ct
    assert panel.ui.statusLabel.text.startswith("Done in")
    assert shown(panel.ui.resultsPanel)
    assert panel.ui.headlineLabel.text == "Infection in 2.5 % of the lungs"
    assert column(panel, 0) == ["Right lung", "Left lung", "Both lungs"]
    assert column(panel, 5) == ["1", "0", "1"]
    assert column(panel, 4)[1] == "−851"
    both = tables.read_rows(tables.table_of(node))[2]
    assert column(panel, 1)[2] == f"{both.volume_ml:.0f}"


def test_progress_and_time_left_are_shown(panel):
    harness.make_ct()
    start(panel, "slow")
    assert panel.ui.applyButton.text == "Cancel"
    assert panel.ui.applyButton.enabled
    assert shown(panel.ui.progressPanel)
    assert not panel.ui.inputSelector.enabled
    harness.wait_until(lambda: panel.ui.progressBar.value >= 400)
    assert panel.ui.stageLabel.text == "Finding the infection"
    assert panel.ui.timeLabel.text == "about 70 s left"
    click(panel.ui.applyButton)


def test_the_application_stays_alive(panel):
    harness.make_ct()
    start(panel, "slow")
    beats = []
    timer = qt.QTimer()
    timer.timeout.connect(lambda: beats.append(time.monotonic()))
    timer.start(20)
    end = time.monotonic() + 1
    harness.wait_until(lambda: time.monotonic() > end)
    timer.stop()
    # Every 20 ms; a busy machine may delay a single one.
    assert statistics.median(later - earlier for earlier, later in itertools.pairwise(beats)) < 0.06
    assert len(beats) > 15
    click(panel.ui.applyButton)


def test_cancel(panel, clean):
    harness.make_ct()
    before = scene.node_ids()
    start(panel, "slow")
    harness.wait_until(lambda: panel.ui.progressBar.value >= 400)
    click(panel.ui.applyButton)
    assert panel.ui.statusLabel.text == "Cancelled. Nothing was changed in the scene."
    assert panel.ui.applyButton.text == "Segment infection"
    assert panel.ui.applyButton.enabled
    assert not shown(panel.ui.progressPanel)
    assert scene.node_ids() == before
    assert not list(clean.iterdir())


def test_after_cancel_it_can_be_segmented(panel):
    harness.make_ct()
    start(panel, "slow")
    click(panel.ui.applyButton)
    segment(panel)
    assert slicer.mrmlScene.GetFirstNodeByName("CT infection")


def test_the_childs_sentence_is_shown(panel):
    harness.make_ct()
    segment(panel, "unusable")
    assert panel.ui.statusLabel.text == "This is not a chest CT: no lungs were found. Select another volume."
    assert shown(panel.ui.statusLabel)
    assert panel.ui.applyButton.enabled


def test_a_crash_is_told_in_plain_words(panel):
    harness.make_ct()
    segment(panel, "crash")
    assert "stopped unexpectedly" in panel.ui.statusLabel.text
    assert "Traceback" not in panel.ui.statusLabel.text


def test_warnings_are_shown(panel):
    harness.make_ct()
    segment(panel, "warn")
    assert "10 mm thick" in panel.ui.statusLabel.text


def test_nothing_found_is_said(panel):
    array = harness.painted()
    array[array == -500] = -850
    harness.make_ct(array=array)
    segment(panel)
    assert panel.ui.headlineLabel.text == "No infection was found."
    assert column(panel, 3) == ["0.0", "0.0", "0.0"]


def test_closing_the_scene_ends_the_run(panel, clean):
    harness.make_ct()
    start(panel, "slow")
    process = panel.run._worker._process
    slicer.mrmlScene.Clear(False)
    assert panel.run is None
    assert process.poll() is not None
    assert not list(clean.iterdir())
    assert not panel.ui.applyButton.enabled
    assert not shown(panel.ui.statusLabel)
    harness.make_ct("another")
    segment(panel)
    assert slicer.mrmlScene.GetFirstNodeByName("another infection")


def test_deleting_the_ct_ends_the_run(panel, clean):
    ct = harness.make_ct()
    start(panel, "slow")
    process = panel.run._worker._process
    slicer.mrmlScene.RemoveNode(ct)
    assert panel.run is None
    assert process.poll() is not None
    assert "removed" in panel.ui.statusLabel.text
    assert not list(clean.iterdir())


def test_leaving_the_module_or_the_application_ends_the_run(panel, clean):
    harness.make_ct()
    start(panel, "slow")
    process = panel.run._worker._process
    panel.cleanup()
    assert process.poll() is not None
    assert not list(clean.iterdir())
    harness.make_ct("later")  # nobody listens any more


def test_show_3d(panel):
    harness.make_ct()
    segment(panel)
    node = slicer.mrmlScene.GetFirstNodeByName("CT infection")
    assert panel.ui.show3DButton.checked
    assert scene.is_in_3d(node)
    click(panel.ui.show3DButton)
    assert not scene.is_in_3d(node)
    assert panel.ui.show3DButton.text == "Show 3D"
    node.RemoveClosedSurfaceRepresentation()
    click(panel.ui.show3DButton)
    assert scene.is_in_3d(node)
    assert node.GetSegmentation().ContainsRepresentation("Closed surface")


def test_deleting_the_result_hides_its_numbers(panel):
    harness.make_ct()
    segment(panel)
    slicer.mrmlScene.RemoveNode(slicer.mrmlScene.GetFirstNodeByName("CT infection"))
    assert not shown(panel.ui.resultsPanel)
    segment(panel)
    assert shown(panel.ui.resultsPanel)
    slicer.mrmlScene.RemoveNode(tables.table_of(panel.logic.choices().result))
    assert not shown(panel.ui.resultsPanel)


def test_a_table_that_the_user_changed_does_no_harm(panel):
    harness.make_ct()
    segment(panel)
    table = tables.table_of(panel.logic.choices().result)
    table.RemoveColumn(2)
    panel.updatePanel()
    assert not shown(panel.ui.resultsPanel)


def test_model_and_device_reach_the_child(panel, monkeypatch):
    harness.make_ct()
    asked = []
    monkeypatch.setattr("CovidSegModule.run.segment_command", lambda *arguments: asked.append(arguments) or ["false"])
    panel.ui.modelSelector.setCurrentIndex(1)
    panel.ui.deviceSelector.setCurrentIndex(1)
    segment(panel)
    assert asked[0][1:] == ("ct.nrrd", "result", "unet-3d", "cuda")


def test_a_colour_image_is_refused(panel):
    node = harness.make_ct("photo")
    image = vtk.vtkImageData()
    image.SetDimensions(6, 5, 4)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 3)
    node.SetAndObserveImageData(image)
    click(panel.ui.applyButton)
    assert panel.run is None
    assert "colour image" in panel.ui.statusLabel.text


def test_choices_and_result_are_saved_with_the_scene(panel, tmp_path):
    harness.make_ct("first")
    second = harness.make_ct("second")
    panel.ui.inputSelector.setCurrentNode(second)
    panel.ui.modelSelector.setCurrentIndex(1)
    panel.ui.deviceSelector.setCurrentIndex(2)
    segment(panel)
    numbers = column(panel, 2)
    assert slicer.mrmlScene.WriteToMRB(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(False)
    assert panel.ui.modelSelector.currentIndex == 0
    assert panel.ui.deviceSelector.currentIndex == 0
    assert slicer.mrmlScene.ReadFromMRB(str(tmp_path / "scene.mrb"))
    assert panel.ui.inputSelector.currentNode().GetName() == "second"
    assert panel.ui.modelSelector.currentText == "U-Net 3D"
    assert panel.ui.deviceSelector.currentData == "cpu"
    assert column(panel, 2) == numbers
    assert shown(panel.ui.resultsPanel)


def test_a_scene_with_an_unknown_model_falls_back_to_the_first(panel):
    harness.make_ct()
    panel.logic.choices().model = "from-another-computer"
    assert panel.ui.modelSelector.currentText == "CHS-Net"
    assert panel.ui.applyButton.enabled


def test_packages_are_installed_after_asking(panel, monkeypatch):
    harness.make_ct()
    asked = []
    monkeypatch.setattr(slicer.app, "testingEnabled", lambda: False)
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text, title: asked.append(text) or True)
    panel.logic.installer = harness.FakeInstaller(["torch", "monai"])
    segment(panel)
    assert panel.logic.installer.calls == ["install"]
    assert "torch, monai" in asked[0]
    assert "GB" in asked[0]
    assert panel.ui.statusLabel.text.startswith("Done in")


@pytest.mark.parametrize("agreed", [True, False])
def test_without_packages_nothing_runs(panel, monkeypatch, agreed):
    harness.make_ct()
    monkeypatch.setattr(slicer.app, "testingEnabled", lambda: False)
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text, title: agreed)
    panel.logic.installer = harness.FakeInstaller(["torch"], InstallError("Check the internet connection."))
    click(panel.ui.applyButton)
    assert panel.run is None
    assert panel.ui.statusLabel.text == (
        "Check the internet connection." if agreed else "Python packages are missing: torch."
    )
    assert panel.ui.applyButton.enabled


def test_a_damaged_package_is_found_and_offered_anew(panel):
    harness.make_ct()
    segment(panel, "broken")
    assert panel.logic.installer.calls == ["find_broken"]
    assert "Press the button again" in panel.ui.statusLabel.text


def test_pictures(panel, request):
    """Grabs the panel in its states; with --basetemp they stay for a look."""
    folder = request.getfixturevalue("tmp_path")
    harness.make_ct()
    for name, act in (
        ("idle", lambda: None),
        ("running", lambda: (start(panel, "slow"), harness.wait_until(lambda: panel.ui.progressBar.value >= 400))),
        ("done", lambda: (click(panel.ui.applyButton), segment(panel, "warn"))),
    ):
        act()
        slicer.app.processEvents()
        picture = panel.parent.grab().toImage()
        assert picture.save(str(folder / f"panel_{name}.png"))
        colours = {picture.pixel(x, y) for x in range(0, picture.width(), 7) for y in range(0, picture.height(), 7)}
        assert len(colours) > 10
