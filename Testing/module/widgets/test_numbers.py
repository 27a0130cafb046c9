"""The section "numbers", as the user meets it."""

import harness
import numpy as np
import pytest
import qt
import slicer
from harness import click, column, settle, show_result, shown

from CovidSegModule.scene.voxels import BoxArray, whole

SHAPE = (30, 48, 64)


@pytest.fixture
def result(panel):
    return show_result(panel)


def cells(panel, row):
    table = panel.ui.numbersTable
    return [table.item(row, index).text() for index in range(table.columnCount)]


def paint_left(module_widget, result):
    mask = module_widget.logic.reviews.of(result).mask("infection").full(SHAPE)
    mask[10:14, 20:24, 45:49] = True
    module_widget.logic.reviews.of(result).write_infection(BoxArray(mask, whole(SHAPE)))


def test_the_section_is_hidden_without_a_result(panel):
    assert not shown(panel.ui.numbersPanel)


def test_numbers_of_lungs_and_zones(panel, result):
    assert shown(panel.ui.numbersPanel)
    assert cells(panel, 0) == ["Right lung", "472", "23.1", "4.9", "−833"]
    assert cells(panel, 2) == ["Both lungs", "943", "23.1", "2.5", "−842"]
    assert panel.ui.numbersTable.rowCount == 9
    assert panel.ui.severityLabel.text.startswith("Six-zone score: ")
    assert "Yuan" in panel.ui.severityLabel.toolTip


def test_all_numbers_follow_an_edit(panel, module_widget, result):
    severity = panel.ui.severityLabel.text
    paint_left(module_widget, result)
    settle(0.6)
    assert cells(panel, 1)[2] == "3.0"
    assert panel.ui.severityLabel.text != severity
    assert column(panel, 2) == ["23.1", "3.0", "26.2"]
    assert column(panel, 5) == ["1", "1", "2"]
    assert panel.ui.headlineLabel.text == "Infection in 2.8 % of the lungs"
    table = result.GetNodeReference("CovidSeg.Regions")
    assert float(table.GetCellText(1, 2)) == pytest.approx(3.05, abs=0.01)


def test_other_numbers(panel, result):
    panel.ui.numbersViewSelector.setCurrentIndex(1)
    assert cells(panel, 0) == ["Right lung", "23.1", "0.0", "−500"]
    panel.ui.numbersViewSelector.setCurrentIndex(2)
    assert cells(panel, 1) == ["Left lung", "0.0", "100.0", "0.0", "0.0"]


def test_bounds_are_edited_and_saved(panel, result, tmp_path):
    panel.ui.numbersViewSelector.setCurrentIndex(1)
    panel.ui.consolidationBox.setValue(-600)
    assert cells(panel, 0) == ["Right lung", "0.0", "23.1", "−500"]
    assert slicer.mrmlScene.WriteToMRB(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(False)
    assert panel.ui.consolidationBox.value == -300
    assert slicer.mrmlScene.ReadFromMRB(str(tmp_path / "scene.mrb"))
    assert panel.ui.consolidationBox.value == -600


def test_copy(panel, result):
    click(panel.ui.copyNumbersButton)
    lines = qt.QApplication.clipboard().text().splitlines()
    assert lines[0].split("\t")[:2] == ["Region", "Volume (ml)"]
    assert lines[1].split("\t")[0] == "Right lung"
    assert panel.ui.numbersStatusLabel.text == "Copied."


def test_save(panel, result, tmp_path, monkeypatch):
    path = tmp_path / "Müller.csv"
    monkeypatch.setattr(qt.QFileDialog, "getSaveFileName", lambda *_: str(path))
    click(panel.ui.saveNumbersButton)
    assert path.read_text(encoding="utf-8-sig").startswith("Region,Volume (ml)")
    monkeypatch.setattr(qt.QFileDialog, "getSaveFileName", lambda *_: str(tmp_path / "missing" / "x.csv"))
    click(panel.ui.saveNumbersButton)
    assert "could not be written" in panel.ui.numbersStatusLabel.text


def test_histogram(panel, result):
    click(panel.ui.histogramButton)
    assert result.GetNodeReference("CovidSeg.Chart").GetNumberOfPlotSeriesNodes() == 2


def test_without_infection(panel):
    array = harness.painted()
    array[array == -500] = -850
    show_result(panel, harness.make_ct(array=array))
    assert panel.ui.severityLabel.text == "No infection was found. Six-zone score: 0 of 24"


def test_infection_outside_the_lungs_is_mentioned(panel, module_widget, result):
    mask = module_widget.logic.reviews.of(result).mask("infection").full(SHAPE)
    mask[0, :10, :10] = True
    module_widget.logic.reviews.of(result).write_infection(BoxArray(mask, whole(SHAPE)))
    settle()
    assert "lie outside the lungs" in panel.ui.severityLabel.text


def test_removing_the_ct_hides_the_section(panel, result):
    slicer.mrmlScene.RemoveNode(panel.parameters.ct)
    assert not shown(panel.ui.numbersPanel)


def test_no_lungs(panel, module_widget, result):
    for name in ("right_lung", "left_lung", "infection"):
        module_widget.logic.reviews.of(result).write(name, BoxArray(np.zeros(SHAPE, bool), whole(SHAPE)))
    settle()
    assert cells(panel, 2)[1] == "0"
