"""The section "results", as the user meets it."""

import harness
import slicer
from harness import click, column, segment, shown

from CovidSegModule.scene.segmentations import is_shown_in_3d
from CovidSegModule.scene.tables import read_rows, table_of


def test_the_section_is_hidden_without_a_result(panel):
    assert not shown(panel.ui.resultsPanel)
    harness.make_ct()
    assert not shown(panel.ui.resultsPanel)


def test_numbers(panel):
    harness.make_ct()
    segment(panel)
    assert shown(panel.ui.resultsPanel)
    assert panel.ui.headlineLabel.text == "Infection in 2.5 % of the lungs"
    assert panel.ui.resultLabel.text == "CT infection"
    assert column(panel, 0) == ["Right lung", "Left lung", "Both lungs"]
    assert column(panel, 5) == ["1", "0", "1"]
    assert column(panel, 4)[1] == "−851"
    both = read_rows(table_of(panel.parameters.result))[2]
    assert column(panel, 1)[2] == f"{both.volume_ml:.0f}"


def test_a_ct_without_infection(panel):
    array = harness.painted()
    array[array == -500] = -850
    harness.make_ct(array=array)
    segment(panel)
    assert panel.ui.headlineLabel.text == "No infection was found."
    assert column(panel, 3) == ["0.0", "0.0", "0.0"]


def test_renaming_the_result_renames_it_in_the_panel(panel):
    harness.make_ct()
    segment(panel)
    panel.parameters.result.SetName("Follow-up")
    assert panel.ui.resultLabel.text == "Follow-up"


def test_show_3d(panel):
    harness.make_ct()
    segment(panel)
    node = panel.parameters.result
    assert panel.ui.show3DButton.checked
    assert is_shown_in_3d(node)
    click(panel.ui.show3DButton)
    assert not is_shown_in_3d(node)
    assert panel.ui.show3DButton.text == "Show 3D"
    node.RemoveClosedSurfaceRepresentation()
    click(panel.ui.show3DButton)
    assert is_shown_in_3d(node)
    assert panel.ui.show3DButton.text == "Hide 3D"
    assert node.GetSegmentation().ContainsRepresentation("Closed surface")


def test_removing_the_result_or_its_table_hides_the_numbers(panel):
    harness.make_ct()
    segment(panel)
    slicer.mrmlScene.RemoveNode(panel.parameters.result)
    assert not shown(panel.ui.resultsPanel)
    segment(panel)
    assert shown(panel.ui.resultsPanel)
    slicer.mrmlScene.RemoveNode(table_of(panel.parameters.result))
    assert not shown(panel.ui.resultsPanel)


def test_a_table_without_a_column_hides_the_numbers(panel):
    harness.make_ct()
    segment(panel)
    table_of(panel.parameters.result).RemoveColumn(2)
    panel.update()
    assert not shown(panel.ui.resultsPanel)
