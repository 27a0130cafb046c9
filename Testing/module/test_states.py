"""What the user works on survives: two CTs in turn, a reload of the module, and scenes of the version before this."""

import sys
from pathlib import Path

import harness
import pytest
import slicer
from harness import press, settle, show_result, shown

import CovidSeg

SAVED_SCENE = Path(__file__).parent / "data" / "saved_scene.mrb"


def states(panel):
    table = panel.ui.lesionsTable
    return [table.item(row, 7).text() for row in range(table.rowCount)]


def visible(node):
    return bool(node.GetDisplayNode().GetVisibility())


def test_two_cts_in_turn(panel, module_widget):
    """Reject a lesion on one CT, accept one on another, and go back and forth: each has its own state."""
    reviews = module_widget.logic.reviews
    first = show_result(panel, harness.make_ct("first", harness.several_lesions()))
    settle()
    whole = harness.infection_ml(reviews.of(first))
    press(panel, "L")
    press(panel, "X")
    settle()
    left = harness.infection_ml(reviews.of(first))
    assert left < whole

    second = show_result(panel, harness.make_ct("second", harness.several_lesions()))
    settle()
    assert set(states(panel)) == {"proposed"}
    press(panel, "L")
    press(panel, "C")
    settle()
    assert states(panel)[0] == "accepted"

    selector = panel.ui.inputSelector
    selector.setCurrentNode(slicer.mrmlScene.GetFirstNodeByName("first"))
    settle()
    assert panel.parameters.result is first
    assert visible(first) and not visible(second)
    assert states(panel)[0] == "rejected"
    assert panel.ui.resultLabel.text == "first infection"
    press(panel, "L")
    press(panel, "X")  # Slicer's history ends when another segmentation is edited, but a rejection can be taken back
    settle()
    assert states(panel)[0] == "proposed"
    assert harness.infection_ml(reviews.of(first)) == pytest.approx(whole)
    press(panel, "Ctrl+Z")
    settle()
    assert states(panel)[0] == "rejected"

    selector.setCurrentNode(slicer.mrmlScene.GetFirstNodeByName("second"))
    settle()
    assert panel.parameters.result is second
    assert visible(second) and not visible(first)
    assert states(panel)[0] == "accepted"


def test_a_ct_without_a_result_shows_none_and_takes_none_away(panel):
    result = show_result(panel, harness.make_ct("first"))
    panel.ui.inputSelector.setCurrentNode(harness.make_ct("second"))
    settle(0.1)
    assert panel.parameters.result is None
    assert not shown(panel.ui.resultsPanel) and not shown(panel.ui.lesionsPanel)
    assert not visible(result)
    panel.ui.inputSelector.setCurrentNode(slicer.mrmlScene.GetFirstNodeByName("first"))
    settle(0.1)
    assert panel.parameters.result is result
    assert visible(result)


def test_the_result_that_was_visible_is_shown_again(panel):
    ct, other = harness.make_ct("first"), harness.make_ct("second")
    older, newer = show_result(panel, ct), show_result(panel, ct)
    selector = panel.ui.inputSelector
    selector.setCurrentNode(other)
    selector.setCurrentNode(ct)
    assert panel.parameters.result is newer, "both were hidden meanwhile"
    assert visible(newer) and not visible(older)
    selector.setCurrentNode(other)
    older.GetDisplayNode().SetVisibility(True)
    selector.setCurrentNode(ct)
    assert panel.parameters.result is older


def reload(module_widget):
    """Reload the module as Slicer does: clean up, import everything again, and make a new widget."""
    module_widget.cleanup()
    module_widget.onReload()
    del sys.modules["CovidSeg"]
    import CovidSeg as reloaded

    widget = reloaded.CovidSegWidget()
    widget.setup()
    widget.enter()
    widget.parent.resize(400, 520)
    widget.parent.show()
    slicer.app.processEvents()
    return widget


@pytest.fixture
def same_modules():
    """Put the modules back that a reload has replaced, because other tests have imported them."""
    before = {name: module for name, module in sys.modules.items() if name.partition(".")[0].startswith("CovidSeg")}
    yield
    for name in [name for name in sys.modules if name.partition(".")[0].startswith("CovidSeg")]:
        del sys.modules[name]
    sys.modules.update(before)


def test_reload(panel, module_widget, same_modules):
    result = show_result(panel, harness.make_ct(array=harness.several_lesions()))
    settle()
    press(panel, "L")
    press(panel, "X")
    press(panel, "E")
    settle()
    volume = harness.infection_ml(module_widget.logic.reviews.of(result))
    widget = reload(module_widget)
    assert type(widget) is not CovidSeg.CovidSegWidget
    try:
        settle(0.6)
        new = widget.panel
        assert new.parameters.result is result
        assert states(new)[0] == "rejected"
        assert f"{volume:.1f} ml" in new.ui.thresholdVolumeLabel.text
        press(new, "L")
        press(new, "C")
        settle()
        assert "accepted" in states(new)
        assert "accepted" not in states(panel), "the old panel no longer follows the scene"
    finally:
        widget.cleanup()
        widget.parent.close()


def test_a_scene_of_the_version_before_can_be_reviewed(panel, module_widget):
    """It has no probabilities and no masks of the model. Everything else works."""
    assert slicer.mrmlScene.ReadFromMRB(str(SAVED_SCENE))
    settle(0.5)
    assert not shown(panel.ui.thresholdPanel) and not shown(panel.ui.comparisonPanel)
    assert shown(panel.ui.lesionsPanel) and shown(panel.ui.correctionPanel) and shown(panel.ui.numbersPanel)
    assert states(panel) == ["proposed"]
    assert "of 24" in panel.ui.severityLabel.text
    review = module_widget.logic.reviews.of(panel.parameters.result)
    volume = harness.infection_ml(review)
    press(panel, "L")
    press(panel, "X")
    settle()
    assert harness.infection_ml(review) == 0
    assert panel.ui.headlineLabel.text == "No infection was found."
    press(panel, "Ctrl+Z")
    settle()
    assert harness.infection_ml(review) == pytest.approx(volume)
    assert states(panel) == ["proposed"]
