"""The section "lesions", as the user meets it."""

import harness
import pytest
import qt
import slicer
from harness import click, press, settle, show_result, shown, wait_until

from CovidSegModule.scene import lesions as nodes
from CovidSegModule.scene.voxels import ras_of


@pytest.fixture
def result(panel):
    node = show_result(panel, harness.make_ct(array=harness.several_lesions()))
    wait_until(lambda: panel.ui.lesionsTable.rowCount == 4)  # they are found in steps
    return node


@pytest.fixture
def section(panel, result):
    return panel.sections["lesions"]


def texts(panel, column):
    table = panel.ui.lesionsTable
    return [table.item(row, column).text() for row in range(table.rowCount)]


def select(panel, *rows):
    """Select rows with the mouse."""
    table = panel.ui.lesionsTable
    table.clearSelection()
    for row in rows:
        table.setCurrentCell(row, 0, qt.QItemSelectionModel.Select | qt.QItemSelectionModel.Rows)


def volume(section):
    return harness.infection_ml(section.logic.of(section.parameters.result).review)


def test_the_section_is_hidden_without_a_result(panel):
    assert not shown(panel.ui.lesionsPanel)
    show_result(panel)
    assert shown(panel.ui.lesionsPanel)
    panel.parameters.result = None
    assert not shown(panel.ui.lesionsPanel)


def test_one_row_for_each_lesion(panel, section):
    assert texts(panel, 0) == ["1", "2", "3", "4"]
    assert texts(panel, 1) == ["right", "right", "left", "right"]
    assert texts(panel, 5) == ["−500"] * 4
    assert texts(panel, 7) == ["proposed"] * 4
    assert panel.ui.lesionsLabel.text == "Lesions: 4, 4 to review, 0 rejected"
    assert panel.ui.lesionsTable.isColumnHidden(3), "there is no segmentation of the lobes"


def test_split_off_a_part_by_key(panel, section):
    """The views meet at the edge of the lesion."""
    node = slicer.vtkMRMLSliceNode()
    node.SetName("Red")
    node.SetLayoutName("Red")
    node = slicer.mrmlScene.AddNode(node)  # or the one that outlived the scene of another test
    press(panel, "L")
    node.JumpSliceByCentering(*ras_of((0, 0, 0), section.parameters.ct))
    press(panel, "Shift+S")
    assert "do not meet" in panel.ui.lesionStatusLabel.text
    lesions = section.logic.of(section.parameters.result)
    first = [int(index[0]) for index in lesions.tracker.mask(1).nonzero()]
    voxel = [along.start + index for along, index in zip(lesions.tracker.boxes[1], first, strict=True)]
    node.JumpSliceByCentering(*ras_of(tuple(voxel), section.parameters.ct))
    press(panel, "Shift+S")
    settle()
    assert sorted(texts(panel, 0)) == ["1", "2", "3", "4", "5"]
    press(panel, "Z")
    settle()
    assert sorted(texts(panel, 0)) == ["1", "2", "3", "4"]


def test_headings_sort(panel, section):
    header = panel.ui.lesionsTable.horizontalHeader()
    header.sectionClicked.emit(4)
    assert texts(panel, 0) == ["1", "2", "3", "4"]
    header.sectionClicked.emit(4)
    assert texts(panel, 0) == ["4", "3", "2", "1"]
    header.sectionClicked.emit(1)
    assert texts(panel, 1) == ["left", "right", "right", "right"]


def test_a_click_shows_the_lesion(panel, section):
    view = slicer.mrmlScene.AddNode(slicer.vtkMRMLSliceNode())
    ct = panel.parameters.ct
    panel.ui.lesionsTable.setCurrentCell(2, 0)
    lesion = section.shown[2]
    assert lesion.number == 3
    height = ras_of(lesion.inside, ct)[2]
    assert view.GetSliceToRAS().GetElement(2, 3) == pytest.approx(height)
    assert nodes.outline_node().GetPolyData().GetNumberOfPoints() > 20
    panel.exit()
    assert nodes.outline_node() is None


def test_keys_go_through_the_lesions(panel, section, module_widget):
    for expected in (1, 2, 3, 4, 1):
        press(panel, "L")
        assert section.selected() == [expected]
    press(panel, "Shift+L")
    assert section.selected() == [4]


def test_accept_and_reject_by_key(panel, section, module_widget):
    before, second = volume(section), section.shown[1].volume_ml
    press(panel, "L")
    press(panel, "C")
    assert texts(panel, 7)[0] == "accepted"
    assert section.selected() == [2], "the next one to review"
    press(panel, "X")
    assert texts(panel, 7)[:2] == ["accepted", "rejected"]
    assert volume(section) == pytest.approx(before - second)
    assert section.selected() == [3]
    assert panel.ui.lesionsLabel.text == "Lesions: 3, 2 to review, 1 rejected"
    press(panel, "Ctrl+Z")
    settle()
    assert texts(panel, 7)[:2] == ["accepted", "proposed"]
    assert volume(section) == pytest.approx(before)
    press(panel, "Ctrl+Z")
    settle()
    assert texts(panel, 7)[0] == "proposed"
    press(panel, "Ctrl+Y")
    press(panel, "Ctrl+Y")
    settle()
    assert texts(panel, 7)[:2] == ["accepted", "rejected"]


def test_take_back_a_rejection(panel, section):
    before = volume(section)
    select(panel, 0, 1)
    click(panel.ui.rejectButton)
    select(panel, 0)
    assert panel.ui.rejectButton.text == "Take back"
    click(panel.ui.rejectButton)
    assert texts(panel, 7)[:2] == ["proposed", "rejected"]
    select(panel, 1)
    click(panel.ui.acceptButton)
    assert texts(panel, 7)[:2] == ["proposed", "accepted"]
    assert volume(section) == pytest.approx(before)


def test_merge_and_split(panel, section):
    select(panel, 0, 2)
    click(panel.ui.mergeButton)
    assert "same lung" in panel.ui.lesionStatusLabel.text
    select(panel, 0, 1)
    click(panel.ui.mergeButton)
    assert texts(panel, 0) == ["1", "3", "4"]
    assert section.selected() == [1]
    assert not panel.ui.mergeButton.enabled
    click(panel.ui.splitButton)
    assert texts(panel, 0) == ["1", "3", "4", "5"]
    select(panel, 2)
    click(panel.ui.splitButton)
    assert "press Shift+S" in panel.ui.lesionStatusLabel.text
    click(panel.ui.undoButton)
    click(panel.ui.undoButton)
    settle()
    assert texts(panel, 0) == ["1", "2", "3", "4"]
    click(panel.ui.redoButton)
    settle()
    assert texts(panel, 0) == ["1", "3", "4"]


@pytest.mark.parametrize("button", ["acceptButton", "rejectButton", "mergeButton", "splitButton"])
def test_a_decision_right_after_an_undo_about_lesions_that_are_gone(panel, section, button):
    """The table follows the undo in steps, so that it still shows the parts of a lesion that was split."""
    select(panel, 0, 1)
    click(panel.ui.mergeButton)
    click(panel.ui.splitButton)
    assert texts(panel, 0) == ["1", "3", "4", "5"]
    select(panel, *([0, 3] if button == "mergeButton" else [3]))
    click(panel.ui.undoButton)
    click(getattr(panel.ui, button))
    assert "Select them again" in panel.ui.lesionStatusLabel.text
    settle()
    assert texts(panel, 0) == ["1", "3", "4"]
    assert set(texts(panel, 7)) <= {"proposed", "edited"}


def test_reject_all_below(panel, section):
    panel.ui.smallestSpinBox.value = 7.0
    click(panel.ui.rejectSmallButton)
    assert panel.ui.lesionStatusLabel.text == "2 lesions below 7.0 ml were rejected."
    assert texts(panel, 7) == ["proposed", "proposed", "rejected", "rejected"]


def test_shortcuts_are_removed_on_leaving(panel, section, module_widget):
    panel.exit()
    press(panel, "L")
    assert section.selected() == []
    panel.enter()
    press(panel, "L")
    assert section.selected() == [1]


def test_two_results_in_turn(panel, section):
    first = panel.parameters.result
    select(panel, 0)
    click(panel.ui.acceptButton)
    second = show_result(panel, harness.make_ct())
    wait_until(lambda: texts(panel, 7) == ["proposed"])
    select(panel, 0)
    click(panel.ui.rejectButton)
    first.SetName("another name")
    panel.parameters.result = first
    assert texts(panel, 7) == ["accepted", "proposed", "proposed", "proposed"]
    panel.parameters.result = second
    assert texts(panel, 7) == ["rejected"]
    click(panel.ui.undoButton)
    settle()
    assert texts(panel, 7) == ["rejected"], "the history of a result begins when it is shown"
    slicer.mrmlScene.RemoveNode(second)
    assert not shown(panel.ui.lesionsPanel)


def test_save_close_load_and_go_on(panel, section, tmp_path):
    select(panel, 0)
    click(panel.ui.acceptButton)
    select(panel, 2)
    click(panel.ui.rejectButton)
    expected = texts(panel, 7)
    assert slicer.mrmlScene.WriteToMRB(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(False)
    assert not shown(panel.ui.lesionsPanel)
    assert slicer.mrmlScene.ReadFromMRB(str(tmp_path / "scene.mrb"))
    settle()
    assert texts(panel, 7) == expected == ["accepted", "proposed", "rejected", "proposed"]
    select(panel, 1)
    click(panel.ui.rejectButton)
    assert texts(panel, 7)[1] == "rejected"
    click(panel.ui.undoButton)
    settle()
    assert texts(panel, 7) == expected


def test_a_result_without_lesions(panel):
    array = harness.painted()
    array[array == -500] = -850
    show_result(panel, harness.make_ct(array=array))
    assert panel.ui.lesionsLabel.text == "No lesions of at least 0.1 ml"
    assert not panel.ui.acceptButton.enabled
    assert not panel.ui.nextLesionButton.enabled


def test_picture(module_widget, panel, section, tmp_path):
    """Grab the panel with the table. With --basetemp, the picture can be inspected afterwards."""
    select(panel, 0)
    click(panel.ui.acceptButton)
    click(panel.ui.rejectButton)
    module_widget.parent.resize(400, 900)
    slicer.app.processEvents()
    assert module_widget.parent.grab().toImage().save(str(tmp_path / "panel_lesions.png"))
