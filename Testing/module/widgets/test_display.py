"""The section "display", and what all sections have in common: keys, headings, room."""

import harness
import pytest
import qt
import slicer
from harness import click, segment, shown, wait_until
from PySide6.QtTest import QTest

from CovidSegModule import settings
from CovidSegModule.widgets.fold import Fold


def press(panel, key):
    QTest.keyClick(panel.widget.window(), key)


@pytest.fixture
def result(panel):
    harness.make_ct()
    segment(panel)
    panel.widget.window().activateWindow()
    slicer.app.processEvents()
    return panel.parameters.result


def test_a_key_switches_fill_outline_off(panel, result):
    display = result.GetDisplayNode()
    press(panel, qt.Qt.Key_O)
    assert panel.ui.modeButton.text == "Outline"
    assert display.GetSegmentOpacity2DFill("infection") == 0
    press(panel, qt.Qt.Key_O)
    assert not display.GetVisibility2D()
    click(panel.ui.modeButton)
    assert panel.ui.modeButton.text == "Filled"
    assert display.GetVisibility2D()


def test_the_lung_window_by_key(panel, result):
    display = panel.parameters.ct.GetDisplayNode()
    display.SetWindowLevel(400, 40)
    press(panel, qt.Qt.Key_K)
    assert (display.GetWindow(), display.GetLevel()) == (1500, -600)


def test_the_list_of_keys_names_every_key_once(panel, result):
    press(panel, qt.Qt.Key_F2)
    dialog = panel.sections["display"].keys
    text = dialog.findChild(qt.QLabel).text
    keys = [shortcut.key for shortcut in panel.shortcuts()]
    assert len(keys) == len(set(keys)) > 8
    for shortcut in panel.shortcuts():
        assert f"<b>{shortcut.key}</b>" in text
        assert shortcut.description in text
    dialog.close()


def test_keys_leave_those_of_slicer_alone(panel):
    views = set("BFGRTV") | {"Left", "Right", "[", "]"}
    editor = set("0123456789QWYZI,./*") | {"Space", "Esc"}
    assert not {shortcut.key for shortcut in panel.shortcuts()} & (views | editor)


def test_headings_are_hidden_until_they_are_of_use(panel):
    assert [name for name, fold in panel.folds.items() if shown(fold.widget)] == ["worklist"]
    harness.make_ct()
    segment(panel)
    hidden = [name for name, fold in panel.folds.items() if not shown(fold.widget)]
    assert hidden == ["agreement"], "it needs a worklist"


def test_a_folded_section_stays_folded(panel, result):
    fold = panel.folds["numbers"]
    click(fold.button)
    assert not shown(panel.ui.numbersPanel)
    panel.update()
    assert not shown(panel.ui.numbersPanel)
    assert settings.read("Folded/numbers")
    later = Fold(panel.sections["numbers"])
    assert not later.button.checked
    click(later.button)
    assert not settings.read("Folded/numbers")


@pytest.mark.parametrize("points", [10, 12, 15])
def test_the_panel_is_narrow(panel, result, points):
    """On a screen of 1280 x 800 the panel gets about 400 pixels, also with large fonts and with every widget shown."""
    font = panel.widget.font
    font.setPointSize(points)
    panel.widget.setFont(font)
    for widget in vars(panel.ui).values():
        if isinstance(widget, qt.QWidget):
            widget.setVisible(True)
    slicer.app.processEvents()
    assert panel.widget.minimumSizeHint().width() <= 400


@pytest.mark.parametrize("points", [10, 12, 15])
def test_states_of_lesions_are_not_cut_off(panel, result, points):
    font = panel.widget.font
    font.setPointSize(points)
    panel.widget.setFont(font)
    panel.widget.resize(400, 800)
    table = panel.ui.lesionsTable
    panel.sections["lesions"].shown = []  # so that it is filled anew
    panel.update()
    wait_until(lambda: panel.sections["lesions"].shown)
    state = table.columnCount - 1
    needed = qt.QFontMetrics(table.font).boundingRect("proposed").width()
    assert table.item(0, state).text() == "proposed"
    assert table.columnWidth(state) > needed + 4


def test_numbers_in_tables_are_not_cut_off(panel, result):
    """Where large fonts need more room than the panel has, the font of a table is smaller."""
    usual = panel.ui.resultsTable.font.pointSizeF()
    font = panel.widget.font
    font.setPointSizeF(2 * usual)
    panel.widget.setFont(font)
    panel.widget.resize(400, 800)
    panel.update()
    for table in (panel.ui.resultsTable, panel.ui.numbersTable):
        metrics = qt.QFontMetrics(table.font)
        rows = [[table.item(row, column).text() for column in range(table.columnCount)] for row in range(3)]
        widths = [max(metrics.boundingRect(text).width() for text in column) for column in zip(*rows, strict=True)]
        assert sum(widths) < 400
    assert usual < panel.ui.resultsTable.font.pointSizeF() < 2 * usual
