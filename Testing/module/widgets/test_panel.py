"""The panel as a whole: its sections, and what happens when the scene changes or the module is closed."""

import time

import harness
import pytest
import slicer
from harness import click, column, current_run, segment, shown, start, started_process

import CovidSeg
from CovidSegLib.notices import NOT_FOR_DIAGNOSIS
from CovidSegModule.widgets.section import Section


def test_every_widget_has_a_tool_tip(panel):
    """Containers need none, and parts that Qt adds to widgets have names that begin with "qt_"."""
    containers = {"QWidget", "QFrame", "QGroupBox", "qMRMLWidget", "ctkCollapsibleButton"}
    named = [item for name, item in vars(panel.ui).items() if not name.startswith("qt_")]
    widgets = [item for item in named if hasattr(item, "toolTip") and item.className() not in containers]
    assert len(widgets) > 12
    assert [widget.name for widget in widgets if not widget.toolTip] == []
    table = panel.ui.resultsTable
    assert all(table.horizontalHeaderItem(index).toolTip() for index in range(1, table.columnCount))


def test_the_disclaimer_is_always_shown(panel):
    assert shown(panel.ui.disclaimerLabel)
    assert panel.ui.disclaimerLabel.text == NOT_FOR_DIAGNOSIS


def test_sections_are_in_order(panel):
    names = [
        "install",
        "worklist",
        "input",
        "readiness",
        "results",
        "display",
        "threshold",
        "lesions",
        "correction",
        "comparison",
        "numbers",
        "followup",
        "report",
        "export",
        "agreement",
    ]
    assert list(panel.sections) == names
    layout = panel.ui.sectionsPanel.layout()
    widgets = [layout.itemAt(index).widget() for index in range(layout.count())]
    assert widgets == [panel.folds.get(name, section).widget for name, section in panel.sections.items()]


def test_sections_receive_the_events_of_module_and_scene(panel):
    events = []

    class Recorder(Section):
        name = "results"

        def __getattribute__(self, name):
            if name in ("enter", "exit", "update", "nodes_changed", "scene_closing", "scene_closed", "cleanup"):
                events.append(name)
            return super().__getattribute__(name)

    panel.sections["recorder"] = Recorder(panel)
    for act, expected in (
        (panel.enter, ["update", "enter"]),
        (panel.exit, ["exit"]),
        (harness.make_transform, ["update", "nodes_changed"]),
        (lambda: slicer.mrmlScene.Clear(False), ["scene_closing", "scene_closed", "update"]),
        (panel.cleanup, ["cleanup"]),
    ):
        events.clear()
        act()
        assert list(dict.fromkeys(events)) == expected, act


def test_parameters_are_absent_while_the_scene_closes(module_widget, panel):
    module_widget.parent.isEntered = False
    slicer.mrmlScene.Clear(False)
    assert panel.parameters is None
    harness.make_ct()
    assert not panel.ui.applyButton.enabled
    module_widget.parent.isEntered = True
    module_widget.enter()
    assert panel.ui.inputSelector.currentNode().GetName() == "CT"


def test_closing_the_scene_ends_the_run(panel, clean):
    harness.make_ct()
    start(panel, "slow")
    process = started_process(panel)
    slicer.mrmlScene.Clear(False)
    assert current_run(panel) is None
    assert process.poll() is not None
    assert not list(clean.iterdir())
    assert not panel.ui.applyButton.enabled
    assert not shown(panel.ui.statusLabel)
    harness.make_ct("another")
    segment(panel)
    assert slicer.mrmlScene.GetFirstNodeByName("another infection")


def test_removing_the_ct_ends_the_run(panel, clean):
    ct = harness.make_ct()
    harness.make_ct("another")
    start(panel, "slow")
    process = started_process(panel)
    slicer.mrmlScene.RemoveNode(ct)
    assert current_run(panel) is None
    assert process.poll() is not None
    assert "removed" in panel.ui.statusLabel.text
    assert not panel.ui.inputSelector.currentNode(), "another CT was selected without asking"
    assert not list(clean.iterdir())


def test_closing_the_module_ends_the_run(module_widget, panel, clean):
    harness.make_ct()
    start(panel, "slow")
    process = started_process(panel)
    module_widget.cleanup()
    assert process.poll() is not None
    assert not list(clean.iterdir())
    harness.make_ct("later")  # the scene is no longer observed


def test_parameters_and_result_are_saved_with_the_scene(panel, tmp_path):
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


def test_the_module_creates_its_own_logic(clean):
    """Slicer creates the widget without a logic."""
    widget = CovidSeg.CovidSegWidget()
    widget.setup()
    assert isinstance(widget.logic, CovidSeg.CovidSegLogic)
    assert widget.ui.applyButton is widget.panel.ui.applyButton
    widget.cleanup()


def test_pictures(module_widget, panel, tmp_path):
    """Grab the panel in its states. With --basetemp, the pictures can be inspected afterwards."""
    harness.make_ct()
    for name, act in (
        ("idle", lambda: None),
        ("running", lambda: (start(panel, "slow"), harness.wait_until(lambda: panel.ui.progressBar.value >= 400))),
        ("done", lambda: (click(panel.ui.applyButton), segment(panel, "warn"))),
    ):
        act()
        slicer.app.processEvents()
        picture = module_widget.parent.grab().toImage()
        assert picture.save(str(tmp_path / f"panel_{name}.png"))
        colours = {picture.pixel(x, y) for x in range(0, picture.width(), 7) for y in range(0, picture.height(), 7)}
        assert len(colours) > 10


def test_sections_follow_an_edit_in_several_turns_of_the_event_loop(panel, monkeypatch):
    """All sections together may take half a second after an edit."""
    result = harness.show_result(panel)
    harness.settle()
    calls = []
    for name, section in panel.sections.items():
        monkeypatch.setattr(section, "masks_changed", lambda name=name: (calls.append(name), time.sleep(0.02)))
    contents = result.GetSegmentation()
    contents.InvokeEvent(contents.SourceRepresentationModified)
    harness.wait_until(lambda: calls)
    assert len(calls) < len(panel.sections)
    contents.InvokeEvent(contents.SourceRepresentationModified)  # another edit meanwhile
    harness.wait_until(lambda: len(calls) == 2 * len(panel.sections))
    harness.settle(0.1)
    assert calls == [*panel.sections, *panel.sections]


def test_a_section_that_fails_does_not_keep_others_from_following(panel, monkeypatch):
    """Old numbers would look like those of the edited masks."""
    harness.show_result(panel)
    harness.settle()

    def fail():
        raise RuntimeError("a defect")

    first, *others = panel.sections.values()
    calls = []
    monkeypatch.setattr(first, "masks_changed", fail)
    for section in others:
        monkeypatch.setattr(section, "masks_changed", lambda name=section.name: calls.append(name))
    with pytest.raises(RuntimeError, match="a defect"):
        panel._on_masks_timer()
    harness.wait_until(lambda: len(calls) == len(others))
    assert calls == [section.name for section in others]
