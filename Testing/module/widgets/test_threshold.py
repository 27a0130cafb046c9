"""The section "threshold", as the user meets it."""

import harness
import numpy as np
import pytest
import qt
import slicer
from harness import click, press, settle, show_result, shown
from PySide6.QtTest import QTest

from CovidSegModule.scene.voxels import BoxArray, whole

SHAPE = (30, 48, 64)


@pytest.fixture
def result(panel):
    node = show_result(panel)
    settle()
    return node


@pytest.fixture
def slice_node():
    """A slice view, to see where it goes."""
    node = slicer.vtkMRMLSliceNode()
    node.SetName("Red")
    node.SetLayoutName("Red")
    return slicer.mrmlScene.AddNode(node)


def infection(module_widget, result):
    mask = module_widget.logic.reviews.of(result).mask("infection")
    return mask.full(SHAPE) if mask else np.zeros(SHAPE, bool)


def move(panel, steps):
    """Move the slider with the arrow keys."""
    panel.ui.thresholdSlider.setFocus()
    key = qt.Qt.Key_Right if steps > 0 else qt.Qt.Key_Left
    for _ in range(abs(steps)):
        QTest.keyClick(panel.ui.thresholdSlider, key)


def test_the_section_is_hidden_without_probabilities(panel, module_widget):
    assert not shown(panel.ui.thresholdPanel)
    result = show_result(panel)
    assert shown(panel.ui.thresholdPanel)
    slicer.mrmlScene.RemoveNode(module_widget.logic.reviews.of(result).probability_node)
    assert not shown(panel.ui.thresholdPanel)


def test_the_slider_cuts_at_once_and_the_volume_follows(panel, module_widget, result):
    assert panel.ui.thresholdSlider.value == 50
    before = panel.ui.thresholdVolumeLabel.text
    count = infection(module_widget, result).sum()
    move(panel, -20)
    assert panel.ui.thresholdSlider.value == 30
    assert infection(module_widget, result).sum() > count
    settle()
    assert panel.ui.thresholdVolumeLabel.text != before
    volume = infection(module_widget, result).sum() * module_widget.logic.reviews.of(result).grid.voxel_ml
    assert f"{volume:.1f} ml" in panel.ui.thresholdVolumeLabel.text
    assert panel.ui.thresholdValueLabel.text == "30 %"


def test_a_movement_is_one_step_of_undo(panel, module_widget, result):
    original = infection(module_widget, result)
    move(panel, -20)
    settle(0.7)
    module_widget.logic.reviews.of(result).editor.undo()
    settle()
    np.testing.assert_array_equal(infection(module_widget, result), original)
    assert panel.ui.thresholdSlider.value == 50


def test_the_surface_follows_after_a_pause(panel, result):
    segment = result.GetSegmentation().GetSegment("infection")
    before = segment.GetRepresentation("Closed surface").GetBounds()
    move(panel, -30)
    assert segment.GetRepresentation("Closed surface").GetBounds() == before
    settle(0.8)
    after = segment.GetRepresentation("Closed surface").GetBounds()
    assert after[1] - after[0] > before[1] - before[0]


def test_reset_returns_to_the_model(panel, module_widget, result):
    original = infection(module_widget, result)
    move(panel, -20)
    assert panel.ui.thresholdResetButton.text == "Model: 50 %"
    click(panel.ui.thresholdResetButton)
    np.testing.assert_array_equal(infection(module_widget, result), original)
    assert panel.ui.thresholdSlider.value == 50


def test_no_infection_is_said_aloud(panel, result):
    move(panel, 45)
    settle()
    assert panel.ui.headlineLabel.text == "No infection was found."
    assert "No infection was found." in panel.ui.severityLabel.text


def test_doubt_by_key_and_button(panel, result):
    overlay = "Doubtful"
    press(panel, "D")
    assert panel.ui.doubtButton.checked
    assert slicer.mrmlScene.GetFirstNodeByName(overlay)
    press(panel, "D")
    assert not panel.ui.doubtButton.checked
    assert slicer.mrmlScene.GetFirstNodeByName(overlay) is None
    click(panel.ui.doubtButton)
    assert slicer.mrmlScene.GetFirstNodeByName(overlay)


def test_next_doubtful_place_jumps_there(panel, module_widget, slice_node):
    array = harness.painted()
    array[10:13, 20:23, 45:48] = -500  # a second, smaller one
    result = show_result(panel, harness.make_ct(array=array))
    settle()
    logic = module_widget.logic.threshold
    places = logic.places(result)
    assert len(places) == 2
    for key, number in (("N", 0), ("N", 1), ("N", 0), ("Shift+N", 1)):
        press(panel, key)
        position = slicer.util.arrayFromVTKMatrix(slice_node.GetSliceToRAS())[:3, 3]
        np.testing.assert_allclose(position, logic.position(result, places[number]), atol=1e-3)
        assert panel.ui.doubtLabel.text.startswith(f"Doubtful place {number + 1} of 2")
    assert panel.ui.doubtButton.checked


def test_keys_work_only_while_the_module_is_open(panel, module_widget, result):
    module_widget.exit()
    press(panel, "D")
    assert not panel.ui.doubtButton.checked
    module_widget.enter()
    press(panel, "D")
    assert panel.ui.doubtButton.checked


def test_keys_are_shown_in_tool_tips(panel):
    assert panel.ui.doubtButton.toolTip.endswith("(D)")
    assert panel.ui.doubtNextButton.toolTip.endswith("(N)")
    assert panel.ui.doubtPreviousButton.toolTip.endswith("(Shift+N)")


def test_the_threshold_of_each_result_is_its_own(panel, result):
    move(panel, -20)
    settle(0.7)
    show_result(panel, harness.make_ct("another"))
    assert panel.ui.thresholdSlider.value == 50
    panel.parameters.result = result
    assert panel.ui.thresholdSlider.value == 30


def test_closing_the_scene_while_the_slider_moves(panel, result):
    move(panel, -5)
    slicer.mrmlScene.Clear(False)
    settle(0.7)
    assert not shown(panel.ui.thresholdPanel)
    assert not panel.sections["threshold"]._pause_timer.active


def test_an_edit_by_hand_stays_through_the_slider(panel, module_widget, result):
    mask = infection(module_widget, result)
    mask[15, 20, 46] = True
    module_widget.logic.reviews.of(result).write_infection(BoxArray(mask, whole(SHAPE)))
    settle()
    move(panel, 45)
    assert infection(module_widget, result)[15, 20, 46]
