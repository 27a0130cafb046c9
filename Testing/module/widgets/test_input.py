"""The section "input", as the user meets it: tests click its buttons and read its texts."""

import itertools
import statistics
import time
from types import SimpleNamespace

import harness
import pytest
import qt
import slicer
from harness import click, current_run, segment, shown, start
from stand_ins import views

from CovidSegLib.models import installed
from CovidSegModule.logic.input import InputLogic
from CovidSegModule.packages.installer import InstallError
from CovidSegModule.scene.nodes import node_ids


@pytest.fixture
def logic(panel):
    """The logic of the section."""
    return panel.sections["input"].logic


def test_an_empty_scene(panel):
    assert not panel.ui.applyButton.enabled
    assert panel.ui.applyButton.toolTip == "Select a chest CT first."
    assert not shown(panel.ui.progressPanel)
    assert not shown(panel.ui.statusLabel)


def test_without_a_model_the_button_is_disabled(panel):
    harness.make_ct()
    panel.ui.modelSelector.clear()
    panel.update()
    assert not panel.ui.applyButton.enabled
    assert "No model" in panel.ui.applyButton.toolTip


def test_the_card_of_the_model_can_be_read(panel):
    assert panel.ui.cardButton.enabled
    click(panel.ui.cardButton)
    status = panel.ui.statusLabel.text  # CovidSegLib does not know the model, as if it had just been removed
    assert status.startswith("There is no model") and "chs-net" in status
    model = installed()[0]
    panel.ui.modelSelector.setItemData(0, model.name)
    click(panel.ui.cardButton)
    card = panel.sections["input"].card
    text = card.findChild(qt.QTextBrowser)
    assert shown(text) and card.windowTitle == "About this model"
    assert text.wordWrapMode == qt.QTextOption.WordWrap, "names of patients are broken over two lines"
    for expected in (model.title, "Not for diagnosis", model.card["limits"][0], model.card["sha256"]):
        assert expected in text.toPlainText()
    card.close()


@pytest.mark.parametrize("model", installed(), ids=lambda model: model.name)
def test_headings_of_cards_hold_no_code(logic, model):
    """Qt 5.15 draws the rest of such a heading in another size."""
    headings = [line for line in logic.model_card(model.name).splitlines() if line.startswith("#")]
    assert headings
    assert not any("`" in heading for heading in headings)


def test_the_ct_is_shown_in_the_lung_window(panel):
    ct = harness.make_ct()
    display = ct.GetDisplayNode()
    display.SetWindowLevel(80, 40)  # as Slicer's DICOM reader does after it has added the node
    slicer.app.processEvents()
    assert (display.GetWindow(), display.GetLevel()) == (1500, -600)
    display.SetWindowLevel(400, 40)  # the user looks at soft tissue
    panel.update()
    harness.make_ct("another")
    slicer.app.processEvents()
    assert (display.GetWindow(), display.GetLevel()) == (400, 40)
    panel.ui.inputSelector.setCurrentNode(slicer.mrmlScene.GetFirstNodeByName("CT"))
    segment(panel)
    assert (display.GetWindow(), display.GetLevel()) == (1500, -600)


def test_the_lungs_fill_the_3d_view(panel, monkeypatch):
    layout = views.LayoutManager()
    monkeypatch.setattr(slicer.app, "layoutManager", lambda: layout)
    harness.make_ct()
    segment(panel)
    assert 0.6 < layout.filled_by(panel.parameters.result) < 1


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
    assert panel.parameters.result is node
    assert panel.ui.statusLabel.text.startswith("Done in")


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


def test_the_application_stays_responsive(panel):
    harness.make_ct()
    start(panel, "slow")
    beats = []
    timer = qt.QTimer()
    timer.timeout.connect(lambda: beats.append(time.monotonic()))
    timer.start(20)
    end = time.monotonic() + 1
    harness.wait_until(lambda: time.monotonic() > end)
    timer.stop()
    # The timer fires every 20 ms. A busy machine may delay it once.
    assert statistics.median(later - earlier for earlier, later in itertools.pairwise(beats)) < 0.06
    assert len(beats) > 15
    click(panel.ui.applyButton)


def test_cancel(panel, clean):
    harness.make_ct()
    before = node_ids()
    start(panel, "slow")
    harness.wait_until(lambda: panel.ui.progressBar.value >= 400)
    click(panel.ui.applyButton)
    assert panel.ui.statusLabel.text == "Cancelled. Nothing was changed in the scene."
    assert panel.ui.applyButton.text == "Segment infection"
    assert panel.ui.applyButton.enabled
    assert not shown(panel.ui.progressPanel)
    assert node_ids() == before
    assert not list(clean.iterdir())


def test_warnings_are_not_shown_after_cancel(panel):
    """They are about a result that does not exist."""
    harness.make_ct()
    start(panel, "warn")
    run = current_run(panel)
    run._read = lambda: None  # as if reading the result took long
    harness.wait_until(lambda: run.loading)
    assert run.warnings
    click(panel.ui.applyButton)
    assert panel.ui.statusLabel.text == "Cancelled. Nothing was changed in the scene."
    assert not panel.parameters.result


def test_a_hidden_result_is_mentioned(panel):
    harness.make_ct()
    segment(panel)
    segment(panel)
    assert 'The earlier result "CT infection" is hidden.' in panel.ui.statusLabel.text


def test_segment_after_cancel(panel):
    harness.make_ct()
    start(panel, "slow")
    click(panel.ui.applyButton)
    segment(panel)
    assert slicer.mrmlScene.GetFirstNodeByName("CT infection")


def test_the_message_of_the_child_process_is_shown(panel):
    harness.make_ct()
    segment(panel, "unusable")
    assert panel.ui.statusLabel.text == "This is not a chest CT: no lungs were found. Select another volume."
    assert shown(panel.ui.statusLabel)
    assert panel.ui.applyButton.enabled


def test_a_crash_is_reported_without_technical_details(panel):
    harness.make_ct()
    segment(panel, "crash")
    assert "stopped unexpectedly" in panel.ui.statusLabel.text
    assert "Traceback" not in panel.ui.statusLabel.text


def test_warnings_are_shown(panel):
    harness.make_ct()
    segment(panel, "warn")
    assert "10 mm thick" in panel.ui.statusLabel.text


def test_a_crash_shows_the_last_words_and_saves_a_log(panel, monkeypatch, tmp_path):
    harness.make_ct("Doe^John")
    segment(panel, "crash")
    assert panel.ui.statusLabel.text.splitlines()[1] == "RuntimeError: index 3 is out of bounds"
    assert shown(panel.ui.logButton)
    monkeypatch.setattr(qt.QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "log.txt"), ""))
    click(panel.ui.logButton)
    log = (tmp_path / "log.txt").read_text()
    assert "Traceback" in log and "index 3 is out of bounds" in log
    assert "Doe" not in log and str(tmp_path) not in log
    segment(panel)
    assert not shown(panel.ui.logButton)


def test_too_little_gpu_memory_asks_before_using_the_cpu(panel, logic, monkeypatch):
    questions, devices = [], []
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text, title: questions.append(text) or True)
    begin = logic.start

    def start_on(ct, model, device):
        devices.append(device)
        logic.program = harness.fake("done" if device == "cpu" else "gpu_memory")
        return begin(ct, model, device)

    monkeypatch.setattr(logic, "start", start_on)
    harness.make_ct()
    segment(panel)
    assert devices == ["auto", "cpu"]
    assert "Compute on the processor instead?" in questions[0]
    assert panel.parameters.device == "auto"
    assert panel.parameters.result


def test_a_restrictive_licence_is_asked_for_once_per_version(panel, logic, monkeypatch):
    questions, answers = [], [False, True, True]
    monkeypatch.setattr(
        slicer.util, "confirmOkCancelDisplay", lambda text, title: questions.append(text) or answers[len(questions) - 1]
    )
    model = SimpleNamespace(
        name="chs-net", title="CHS-Net", summary="", card={"licence": "CC BY-NC-SA 4.0", "sha256": "1"}
    )
    monkeypatch.setattr(logic, "_list_models", lambda: [model])
    harness.make_ct()
    click(panel.ui.applyButton)
    assert current_run(panel) is None and "not accepted" in panel.ui.statusLabel.text
    assert "CC BY-NC-SA 4.0" in questions[0]
    segment(panel)
    segment(panel)
    assert len(questions) == 2, "asked again for the same version"
    model.card["sha256"] = "2"
    segment(panel)
    assert len(questions) == 3


@pytest.mark.parametrize("model", installed(), ids=lambda model: model.name)
def test_the_models_of_today_are_for_research_only(model):
    assert InputLogic(harness.FakeInstaller()).licence_question(model.name)


def test_model_and_device_reach_the_child_process(panel, logic):
    worker = harness.FailingWorker()
    logic.create_worker = lambda: worker
    harness.make_ct()
    panel.ui.modelSelector.setCurrentIndex(1)
    panel.ui.deviceSelector.setCurrentIndex(1)
    segment(panel)
    options = dict(itertools.pairwise(worker.command))
    assert options["segment"] == "ct.nrrd"
    assert (options["--model"], options["--device"], options["--output"]) == ("unet-3d", "cuda", "result")


def test_an_unknown_model_in_a_scene_falls_back_to_the_first(panel):
    harness.make_ct()
    panel.parameters.model = "from-another-computer"
    assert panel.ui.modelSelector.currentText == "CHS-Net"
    assert panel.ui.applyButton.enabled


def test_packages_are_installed_after_asking(panel, logic, monkeypatch):
    harness.make_ct()
    questions = []
    monkeypatch.setattr(slicer.app, "testingEnabled", lambda: False)
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text, title: questions.append(text) or True)
    logic.installer = harness.FakeInstaller(["torch", "monai"])
    segment(panel)
    assert logic.installer.calls == ["install"]
    assert "torch, monai" in questions[0]
    assert "GB" in questions[0]
    assert panel.ui.statusLabel.text.startswith("Done in")


@pytest.mark.parametrize("agreed", [True, False])
def test_without_packages_nothing_runs(panel, logic, monkeypatch, agreed):
    harness.make_ct()
    monkeypatch.setattr(slicer.app, "testingEnabled", lambda: False)
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text, title: agreed)
    logic.installer = harness.FakeInstaller(["torch"], InstallError("Check the internet connection."))
    click(panel.ui.applyButton)
    assert current_run(panel) is None
    assert panel.ui.statusLabel.text == (
        "Check the internet connection."
        if agreed
        else "Python packages are missing: torch. Press the button again to install them."
    )
    assert panel.ui.applyButton.enabled


def test_a_test_in_slicer_does_not_install_anything(panel, logic):
    """With --testing, Slicer answers every question with yes."""
    harness.make_ct()
    logic.installer = harness.FakeInstaller(["torch"])
    click(panel.ui.applyButton)
    assert logic.installer.calls == []
    assert current_run(panel) is None


def test_a_damaged_package_can_be_reinstalled(panel, logic):
    harness.make_ct()
    segment(panel, "broken")
    assert logic.installer.calls == ["find_broken"]
    assert "Press the button again to reinstall it." in panel.ui.statusLabel.text
