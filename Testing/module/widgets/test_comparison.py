"""The section "comparison", as the user meets it."""

import harness
import numpy as np
import pytest
import slicer
from harness import click, press, segment, settle, show_result, shown

from CovidSegModule.scene.voxels import BoxArray, whole

SHAPE = (30, 48, 64)
BUTTONS = ("restoreRightButton", "restoreLeftButton", "restoreAllButton")


@pytest.fixture
def review(panel, module_widget):
    return module_widget.logic.reviews.of(show_result(panel))


def erase_everything(review):
    review.write_infection(BoxArray(np.zeros(SHAPE, bool), whole(SHAPE)))
    settle()


def test_nothing_was_edited(panel, review):
    assert shown(panel.ui.comparisonPanel)
    assert panel.ui.comparisonLabel.text == "Nothing was edited."
    assert not any(getattr(panel.ui, name).enabled for name in BUTTONS)


def test_edits_are_shown_and_taken_back(panel, review):
    original = review.mask("infection").full(SHAPE)
    erase_everything(review)
    assert panel.ui.comparisonLabel.text.startswith("Dice 0.000, 0.0 ml added, 23.1 ml removed.")
    click(panel.ui.restoreLeftButton)
    settle()
    assert review.mask("infection") is None
    click(panel.ui.restoreRightButton)
    settle()
    np.testing.assert_array_equal(review.mask("infection").full(SHAPE), original)
    assert panel.ui.comparisonLabel.text == "Nothing was edited."
    assert panel.ui.headlineLabel.text == "Infection in 2.5 % of the lungs"


def test_everything_is_taken_back_and_can_be_undone(panel, review):
    erase_everything(review)
    click(panel.ui.restoreAllButton)
    settle()
    assert panel.ui.comparisonLabel.text == "Nothing was edited."
    review.editor.undo()
    settle()
    assert review.mask("infection") is None
    assert panel.ui.restoreAllButton.enabled


def test_outline_by_key_and_button(panel, review):
    erase_everything(review)
    press(panel, "A")
    assert panel.ui.outlineButton.checked
    assert slicer.mrmlScene.GetFirstNodeByName("AI original")
    click(panel.ui.outlineButton)
    assert not panel.ui.outlineButton.checked
    assert panel.ui.outlineButton.toolTip.endswith("(A)")


def test_running_again_keeps_an_edited_result(panel, review):
    first = review.segmentation
    erase_everything(review)
    segment(panel)
    second = panel.parameters.result
    assert second is not first
    assert review.mask("infection") is None
    assert review.original("infection").array.any()
    panel.parameters.result = first
    settle()
    assert panel.ui.comparisonLabel.text.startswith("Dice 0.000")


def test_saved_and_loaded(panel, module_widget, review, tmp_path):
    erase_everything(review)
    assert slicer.mrmlScene.WriteToMRB(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(False)
    assert slicer.mrmlScene.ReadFromMRB(str(tmp_path / "scene.mrb"))
    assert panel.ui.comparisonLabel.text.startswith("Dice 0.000")
    click(panel.ui.restoreAllButton)
    settle()
    mask = module_widget.logic.reviews.of(panel.parameters.result).mask("infection")
    np.testing.assert_array_equal(mask.full(SHAPE), harness.painted() == -500)


def test_a_result_of_an_earlier_version(panel, review):
    slicer.mrmlScene.RemoveNode(review.original_node)
    assert not shown(panel.ui.comparisonPanel)
    press(panel, "A")
    assert slicer.mrmlScene.GetFirstNodeByName("AI original") is None
