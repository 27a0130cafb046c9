"""The section "followup", as the user meets it."""

import json

import harness
import numpy as np
import pytest
import slicer
from harness import click, press, settle, show_result, shown, wait_until
from stand_ins.mrml_widgets import retire
from stand_ins.slice_views import SliceViews

import CovidSeg
from CovidSegModule.process.worker import ChildProcess
from CovidSegModule.scene import compare_views
from CovidSegModule.scene import follow_up_nodes as nodes
from CovidSegModule.scene.voxels import BoxArray, whole

HEADLINE = "Infection 40.8 → 48.3 ml (+7.5 ml), 4.3 → 5.1 % of the lungs"


@pytest.fixture
def views():
    views = SliceViews()
    yield views
    views.close()


@pytest.fixture
def prior(panel, views):
    """An earlier CT of the same patient that is segmented, and the result of a later one, which is shown."""
    prior = harness.make_ct("March", array=harness.several_lesions())
    harness.put_in_dated_study(prior, "4711", "20200302")
    harness.make_result(prior)
    ct = harness.make_ct("April", array=harness.later_lesions())
    harness.put_in_dated_study(ct, "4711", "20200402")
    panel.sections["followup"].poll_milliseconds = 20
    panel.sections["input"].logic.create_worker = harness.DirectWorker
    show_result(panel, ct)
    return prior


@pytest.fixture
def section(panel, prior):
    return panel.sections["followup"]


def start(panel, mode="done"):
    panel.sections["input"].logic.program = harness.fake(mode)
    click(panel.ui.compareButton)


def compare(panel, mode="done"):
    """Press the button and wait until the comparison is over. Return it."""
    start(panel, mode)
    section = panel.sections["followup"]
    wait_until(lambda: section.task is None)
    settle(0.05)
    return section.logic.comparison(panel.parameters.result, panel.parameters.prior)


def texts(table, column):
    return [table.item(row, column).text() for row in range(table.rowCount)]


def ids():
    scene = slicer.mrmlScene
    return {scene.GetNthNode(index).GetID() for index in range(scene.GetNumberOfNodes())}


def visible_in(node, view):
    """Return True if a segmentation node is shown in a slice view."""
    display = node.GetDisplayNode()
    return bool(display.GetVisibility() and display.IsDisplayableInView(f"vtkMRMLSliceNode{view}"))


# --- choosing ---


def test_the_section_is_hidden_without_a_result(panel):
    assert not shown(panel.ui.followupPanel)
    show_result(panel)
    assert shown(panel.ui.followupPanel)
    assert not panel.ui.compareButton.enabled
    assert "Select an earlier CT" in panel.ui.compareButton.toolTip


def test_the_earlier_ct_of_the_patient_is_selected(panel, section, prior):
    assert panel.parameters.prior is prior
    assert panel.ui.priorSelector.currentNode() is prior
    assert panel.ui.daysBox.value == 31
    assert panel.ui.compareButton.enabled
    assert not shown(panel.ui.priorNoteLabel)
    names = [panel.ui.priorSelector.itemText(index) for index in range(panel.ui.priorSelector.count)]
    assert names == ["Select an earlier CT", "March"], "neither the current CT nor parts of results"
    panel.ui.daysBox.value = 12
    assert panel.parameters.days == 12
    unknown = harness.make_ct("Unknown")
    panel.ui.priorSelector.setCurrentNode(unknown)
    assert panel.ui.daysBox.value == -1
    panel.ui.priorSelector.setCurrentNode(prior)
    assert panel.ui.daysBox.value == 31
    other = harness.make_ct("Other")
    harness.put_in_dated_study(other, "0815", "20200502")
    panel.ui.priorSelector.setCurrentNode(other)
    note = panel.ui.priorNoteLabel.text
    assert "different patient IDs" in note and "30 days later" in note and "segmented first" in note
    assert panel.ui.daysBox.value == -1, "unknown"


def test_another_patient_is_asked_about(panel, section, monkeypatch):
    other = harness.make_ct("Other", array=harness.several_lesions())
    harness.put_in_dated_study(other, "0815", "20200302")
    harness.make_result(other)
    panel.ui.priorSelector.setCurrentNode(other)
    questions = []
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text, title: questions.append(text))
    start(panel)
    assert section.task is None and "same patient?" in questions[0]
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text, title: True)
    assert compare(panel) is not None


# --- comparing ---


def test_compare_in_a_child_process(panel, section):
    panel.sections["input"].logic.create_worker = ChildProcess
    assert compare(panel) is not None
    assert panel.ui.followupHeadline.text == f"{HEADLINE} in 31 days"


def test_tables_chart_and_picture(panel, section, module_widget, tmp_path):
    """With --basetemp, the picture of the panel can be inspected afterwards."""
    comparison = compare(panel)
    assert panel.ui.followupHeadline.text == f"{HEADLINE} in 31 days"
    assert panel.ui.changesLabel.text == "Lesions: 1 new, 1 grown, 2 stable, 1 resolved"
    table = panel.ui.changesTable
    assert texts(table, 0) == ["grown", "new", "resolved", "stable", "stable"]
    assert texts(table, 1) == ["left", "left", "right", "right", "right"]
    assert texts(table, 3) == ["4.4", "0.0", "1.3", "23.1", "12.0"]
    assert texts(table, 5) == ["+7.5", "+1.3", "−1.3", "0.0", "0.0"]
    assert texts(table, 6) == ["+170", "–", "−100", "0", "0"]
    regions = panel.ui.regionsTable
    assert regions.rowCount == 9
    assert texts(regions, 3)[:3] == ["−1.3", "+8.8", "+7.5"]
    assert texts(regions, 6)[:3] == ["−0.3", "+1.9", "+0.8"]
    chart = section.logic.chart(comparison)
    assert chart.GetNumberOfPlotSeriesNodes() == 3
    assert chart.GetXAxisTitle() == "Days, the CT of 2020-04-02 at 0"
    table = chart.GetNthPlotSeriesNode(0).GetTableNode().GetTable()
    assert [table.GetValueByName(row, "Days").ToDouble() for row in range(2)] == [-31, 0]
    assert [table.GetValueByName(row, "CT").ToString() for row in range(2)] == ["2020-03-02", "2020-04-02"]
    assert table.GetValueByName(1, "Both lungs (ml)").ToDouble() == pytest.approx(48.3, abs=0.1)
    click(panel.ui.trendButton)  # there is no plot view here
    assert panel.ui.fitButton.text == "Fit 0.97"
    click(panel.ui.fitButton)
    assert section.picture.windowTitle == "How well the lungs fit"
    assert section.picture.width > 900
    section.picture.close()
    module_widget.parent.resize(400, 2100)
    slicer.app.processEvents()
    assert module_widget.parent.grab().toImage().save(str(tmp_path / "panel_followup.png"))


def test_an_earlier_ct_without_masks_is_segmented_first(panel, section):
    unsegmented = harness.make_ct("February", array=harness.several_lesions())
    panel.ui.priorSelector.setCurrentNode(unsegmented)
    comparison = compare(panel)
    result = section.logic.result_of(unsegmented)
    assert comparison.GetNodeReference(nodes.PRIOR_RESULT_ROLE) is result
    assert not result.GetDisplayNode().GetVisibility(), "it lies on the earlier CT"
    assert panel.parameters.result.GetName() == "April infection"
    assert panel.ui.followupHeadline.text == HEADLINE
    assert not shown(panel.ui.priorNoteLabel)


def test_cancel_leaves_the_scene_as_it_was(panel, section):
    before = ids()
    start(panel, "slow")
    wait_until(lambda: panel.ui.followupProgressBar.value > 0)
    assert panel.ui.compareButton.text == "Cancel" and not panel.ui.priorSelector.enabled
    assert panel.ui.followupStageLabel.text == "Finding the infection"
    click(panel.ui.compareButton)
    assert section.task is None
    assert panel.ui.followupStatusLabel.text == "Cancelled. Nothing was changed in the scene."
    assert ids() == before and not shown(panel.ui.followupProgressPanel)
    assert panel.ui.compareButton.text == "Compare with the earlier CT"


def test_failures_are_explained(panel, section):
    before = ids()
    for mode, message in (
        ("unusable", "no lungs were found"),
        ("crash", "stopped"),
        ("nothing", "could not be loaded"),
    ):
        assert compare(panel, mode) is None
        assert message in panel.ui.followupStatusLabel.text
        assert ids() == before


def test_removing_the_earlier_ct_ends_the_comparison(panel, section, prior):
    start(panel, "slow")
    wait_until(lambda: panel.ui.followupProgressBar.value > 0)
    slicer.mrmlScene.RemoveNode(prior)
    assert section.task is None
    assert "removed from the scene during the comparison" in panel.ui.followupStatusLabel.text


def test_comparing_again_replaces_the_comparison(panel, section):
    first = compare(panel)
    count = len(ids())
    first_id = first.GetID()
    assert panel.ui.compareButton.text == "Compare again"
    second = compare(panel)
    assert second.GetID() != first_id
    assert len(ids()) == count
    assert section.logic.comparisons(panel.parameters.result) == [second]
    assert panel.ui.sideBySideButton.checked


# --- looking ---


def green_pixels(picture):
    return (picture[..., 1].astype(int) - picture[..., 0] > 25).sum()


def test_side_by_side(panel, section, views):
    comparison = compare(panel)
    registered = comparison.GetNodeReference(nodes.REGISTERED_ROLE)
    assert views.node.GetViewArrangement() == compare_views.LAYOUT
    for name in compare_views.CURRENT_VIEWS:
        assert views.composite(name).GetBackgroundVolumeID() == panel.parameters.ct.GetID()
    for name in compare_views.PRIOR_VIEWS:
        assert views.composite(name).GetBackgroundVolumeID() == registered.GetID()
        assert visible_in(comparison.GetNodeReference(nodes.PRIOR_CHANGES_ROLE), name)
        assert not visible_in(comparison, name) and not visible_in(panel.parameters.result, name)
    for name in (*compare_views.CURRENT_VIEWS, *compare_views.PRIOR_VIEWS):
        assert views.composite(name).GetLinkedControl() and views.composite(name).GetHotLinkedControl()
    assert visible_in(comparison, "Red") and visible_in(comparison, "Yellow")
    assert not visible_in(comparison.GetNodeReference(nodes.PRIOR_CHANGES_ROLE), "Red")
    assert not panel.parameters.result.GetDisplayNode().GetSegmentVisibility2DFill("infection")
    assert panel.ui.sideBySideButton.checked and panel.ui.coloursButton.checked
    panel.ui.changesTable.setCurrentCell(2, 0)  # resolved
    for name in ("Red", "CovidSegPriorAxial"):
        wait_until(lambda name=name: green_pixels(views.picture(name)) > 20)  # where it was, in green
    click(panel.ui.coloursButton)
    assert np.ptp(views.picture("CovidSegPriorAxial"), axis=-1).max() == 0
    click(panel.ui.coloursButton)
    window = panel.parameters.ct.GetDisplayNode().GetWindow()
    assert registered.GetDisplayNode().GetWindow() == window
    press(panel, "P")
    assert views.node.GetViewArrangement() == views.node.SlicerLayoutFourUpView
    assert not views.composite("Red").GetLinkedControl()
    assert not visible_in(comparison, "Red")
    assert panel.parameters.result.GetDisplayNode().GetSegmentVisibility2DFill("infection")
    assert not panel.ui.sideBySideButton.checked
    click(panel.ui.sideBySideButton)
    assert panel.ui.sideBySideButton.checked
    assert views.node.GetViewArrangement() == compare_views.LAYOUT


def test_rows_and_keys_centre_the_views(panel, section, views):
    comparison = compare(panel)
    view = slicer.mrmlScene.GetNodeByID("vtkMRMLSliceNodeRed")
    panel.ui.changesTable.setCurrentCell(1, 0)
    heights = []
    for _ in range(3):
        heights.append(view.GetSliceToRAS().GetElement(2, 3))
        press(panel, "J")
    lesions = section.logic.report(comparison)["lesions"]["list"]
    assert heights == pytest.approx([lesion["inside_ras_mm"][2] for lesion in lesions[1:4]], abs=0.01)
    press(panel, "Shift+J")
    assert panel.ui.changesTable.currentRow() == 3
    panel.exit()
    press(panel, "J")
    assert panel.ui.changesTable.currentRow() == 3


def test_views_follow_a_parent_transform(panel, section, prior, views):
    transform = harness.make_transform()
    for node in (panel.parameters.ct, panel.parameters.result):
        node.SetAndObserveTransformNodeID(transform.GetID())
    comparison = compare(panel)
    registered = comparison.GetNodeReference(nodes.REGISTERED_ROLE)
    assert registered.GetTransformNodeID() == comparison.GetTransformNodeID() == transform.GetID()
    panel.ui.changesTable.setCurrentCell(0, 0)
    lesion = section.logic.report(comparison)["lesions"]["list"][0]
    matrix = slicer.util.arrayFromTransformMatrix(transform)
    view = slicer.mrmlScene.GetNodeByID("vtkMRMLSliceNodeCovidSegPriorAxial")
    assert view.GetSliceToRAS().GetElement(2, 3) == pytest.approx((matrix @ [*lesion["inside_ras_mm"], 1])[2], abs=0.01)


def test_the_trend_goes_on_over_three_cts(panel, section, prior):
    compare(panel)
    april = panel.parameters.ct
    may = harness.make_ct("May")
    harness.put_in_dated_study(may, "4711", "20200502")
    show_result(panel, may)
    panel.ui.priorSelector.setCurrentNode(april)
    comparison = compare(panel)
    timeline = section.logic.report(comparison)["timeline"]
    assert [(point["days"], point["date"]) for point in timeline] == [
        (-61, "2020-03-02"),
        (-30, "2020-04-02"),
        (0, "2020-05-02"),
    ]


# --- edits ---


def test_edits_make_the_comparison_out_of_date(panel, section, module_widget):
    compare(panel)
    assert not shown(panel.ui.outdatedLabel)
    review = module_widget.logic.reviews.of(panel.parameters.result)
    review.write_infection(BoxArray(np.zeros((30, 48, 64), bool), whole((30, 48, 64))))
    settle()
    assert shown(panel.ui.outdatedLabel)
    assert not panel.ui.coloursButton.checked, "they would hide the edit"
    compare(panel)
    assert not shown(panel.ui.outdatedLabel)
    assert panel.ui.changesLabel.text == "Lesions: 4 resolved"
    report = section.logic.report(section.logic.comparison(panel.parameters.result, panel.parameters.prior))
    assert report["current"]["provenance"]["edited"] is True
    assert "edited" in panel.ui.followupStatusLabel.text


# --- what happens to the scene ---


def test_save_close_load_and_go_on(panel, section, views, tmp_path):
    compare(panel)
    rows = texts(panel.ui.changesTable, 0)
    assert slicer.mrmlScene.WriteToMRB(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(False)
    assert not shown(panel.ui.followupPanel)
    assert views.node.GetViewArrangement() != compare_views.LAYOUT
    assert slicer.mrmlScene.ReadFromMRB(str(tmp_path / "scene.mrb"))
    settle()
    assert panel.ui.followupHeadline.text == f"{HEADLINE} in 31 days"
    assert texts(panel.ui.changesTable, 0) == rows
    assert not shown(panel.ui.outdatedLabel)
    comparison = section.logic.comparison(panel.parameters.result, panel.parameters.prior)
    assert section.logic.fit_picture(comparison).startswith(b"\x89PNG")
    assert section.logic.chart(comparison).GetNumberOfPlotSeriesNodes() == 3
    if panel.ui.sideBySideButton.checked:
        press(panel, "P")
    press(panel, "P")
    registered = comparison.GetNodeReference(nodes.REGISTERED_ROLE)
    assert views.composite("CovidSegPriorAxial").GetBackgroundVolumeID() == registered.GetID()
    assert json.loads(comparison.GetAttribute(nodes.REPORT_ATTRIBUTE))["days"] == 31


def test_nodes_that_are_renamed_or_deleted(panel, section, prior, views):
    comparison = compare(panel)
    comparison.SetName("another name")
    prior.SetName("renamed")
    assert panel.ui.priorSelector.currentText in ("March", "renamed")
    for role in (nodes.CHART_ROLE, nodes.FIT_ROLE, nodes.LESIONS_ROLE, nodes.REGISTERED_ROLE, nodes.PRIOR_CHANGES_ROLE):
        slicer.mrmlScene.RemoveNode(comparison.GetNodeReference(role))
    assert not panel.ui.trendButton.enabled and not panel.ui.fitButton.enabled
    assert panel.ui.changesTable.rowCount == 5
    press(panel, "P")
    press(panel, "P")
    slicer.mrmlScene.RemoveNode(prior)
    assert shown(panel.ui.followupResultPanel), "the comparison does not need the earlier CT"
    click(panel.ui.coloursButton) if not panel.ui.coloursButton.checked else None
    slicer.mrmlScene.RemoveNode(comparison)
    assert not shown(panel.ui.followupResultPanel)
    assert panel.parameters.result.GetDisplayNode().GetSegmentVisibility2DFill("infection"), "shown again"
    press(panel, "P")
    assert views.node.GetViewArrangement() != compare_views.LAYOUT


def test_two_results_in_turn(panel, section, prior, views):
    compare(panel)
    april = panel.parameters.result
    other = show_result(panel, harness.make_ct("Other"))
    assert not shown(panel.ui.followupResultPanel)
    panel.parameters.result = april
    assert panel.ui.followupHeadline.text == f"{HEADLINE} in 31 days"
    assert panel.ui.sideBySideButton.checked
    slicer.mrmlScene.RemoveNode(april)
    panel.parameters.result = other
    assert not shown(panel.ui.followupResultPanel)


def test_closing_the_scene_ends_the_comparison(panel, section):
    start(panel, "slow")
    wait_until(lambda: panel.ui.followupProgressBar.value > 0)
    slicer.mrmlScene.Clear(False)
    assert section.task is None
    assert not shown(panel.ui.followupPanel)


def test_reloading_the_module_keeps_the_comparison(panel, section, module_widget):
    compare(panel)
    module_widget.cleanup()
    widget = CovidSeg.CovidSegWidget(logic=harness.make_logic())
    widget.setup()
    widget.enter()
    again = widget.panel
    again.parameters.result = panel.parameters.result if panel.parameters else again.parameters.result
    settle()
    assert again.ui.followupHeadline.text == f"{HEADLINE} in 31 days"
    assert again.ui.sideBySideButton.checked and not again.ui.outdatedLabel.isVisibleTo(again.ui.followupPanel)
    widget.cleanup()
    retire(widget.parent)
