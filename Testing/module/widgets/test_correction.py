"""The section "correction": Slicer's real masking and history, driven through the Segment Editor and its rules."""

import harness
import numpy as np
import pytest
import slicer
from harness import click, press, settle, show_result, shown
from stand_ins.mrml_widgets import retire

import CovidSeg
from CovidSegModule.logic.correction import EFFECTS, REMOVING, STROKES
from CovidSegModule.scene.segmentations import INFECTION, LUNGS


@pytest.fixture
def section(panel):
    show_result(panel, harness.make_ct(array=harness.several_lesions()))
    return panel.sections["correction"]


@pytest.fixture
def tools(panel, section):
    """The section with its tools shown."""
    click(panel.ui.correctButton)
    return section


def voxels(section, segment_id=INFECTION):
    mask = section.logic.review_of(section.parameters.result).mask(segment_id)
    return int(mask.array.sum()) if mask else 0


def hu(panel):
    return slicer.util.arrayFromVolume(panel.parameters.ct)


def draw(section, effect, mask):
    """Use a tool on all voxels of a mask."""
    section.editor.setActiveEffectByName(effect)
    section.editor.activeEffect().modify(mask)
    slicer.app.processEvents()


def everywhere(panel):
    return np.ones(hu(panel).shape, bool)


def test_the_section_is_hidden_without_a_result(panel):
    assert not shown(panel.ui.correctionPanel)
    show_result(panel)
    assert shown(panel.ui.correctionPanel)
    assert not shown(panel.ui.toolsPanel)


def test_the_editor_is_set_up(panel, tools):
    node = tools.editor.mrmlSegmentEditorNode()
    assert node is slicer.mrmlScene.GetSingletonNode("CovidSeg", "vtkMRMLSegmentEditorNode")
    assert tools.editor.segmentationNode() is panel.parameters.result
    assert tools.editor.sourceVolumeNode() is panel.parameters.ct
    assert tools.editor.currentSegmentID() == INFECTION
    assert tools.editor.activeEffect().name == "Paint"
    assert node.GetOverwriteMode() == node.OverwriteNone
    assert node.GetSourceVolumeIntensityMaskRange() == (-750, 50)
    assert (node.GetAttribute("BrushSphere"), node.GetAttribute("BrushDiameterIsRelative")) == ("1", "1")
    names = [tools.editor.effectByIndex(index).name for index in range(1, 11)]
    assert names == list(EFFECTS)
    assert tools.editor.effectByIndex(11) is None, "other effects are hidden"


def test_slicers_own_masking_is_off_only_for_strokes(panel, tools):
    """It takes more than a second for each stroke in a large CT."""
    node, inside = tools.editor.mrmlSegmentEditorNode(), slicer.vtkMRMLSegmentationNode.EditAllowedInsideAllSegments
    for effect in EFFECTS:
        tools.editor.setActiveEffectByName(effect)
        assert (node.GetMaskMode() == inside) is (effect not in STROKES), effect
        assert node.GetSourceVolumeIntensityMask() is (effect not in (*STROKES, *REMOVING)), effect
    tools.editor.setActiveEffect(None)
    assert node.GetMaskMode() == inside


@pytest.mark.parametrize("effect", ["Paint", "Threshold"])
def test_painting_stays_in_the_lungs_and_in_the_range(panel, tools, effect):
    array = hu(panel)
    array[10:12, 20:28, 12:20] = -400  # ground glass that the model missed
    array[12:13, 20:28, 12:20] = 80  # a vessel
    review = tools.logic.review_of(panel.parameters.result)
    before = {name: review.mask(name).full(array.shape) for name in (*LUNGS, INFECTION)}
    draw(tools, effect, everywhere(panel))
    added = review.mask(INFECTION).full(array.shape) & ~before[INFECTION]
    in_range = (array >= -750) & (array <= 50)
    assert np.array_equal(added, in_range & (before[LUNGS[0]] | before[LUNGS[1]]) & ~before[INFECTION])
    assert added.sum() > 100
    for name in LUNGS:
        assert np.array_equal(review.mask(name).full(array.shape), before[name]), "the lungs are as they were"


def test_painting_into_an_empty_infection_stays_in_the_limits(panel, tools):
    draw(tools, "Erase", everywhere(panel))
    assert voxels(tools) == 0
    hu(panel)[10:12, 20:28, 12:20] = -400
    draw(tools, "Paint", everywhere(panel))
    array = hu(panel)
    assert voxels(tools) == np.count_nonzero((array >= -750) & (array < 40))


def test_each_stroke_is_undone_by_itself(panel, tools):
    """What a stroke adds outside the limits must not be part of any state of the history."""
    counts = [voxels(tools)]
    for column in (12, 16, 40):
        hu(panel)[10:12, 20:28, column : column + 4] = -400
        part = ~everywhere(panel)
        part[8:14, :, column - 2 : column + 8] = True
        draw(tools, "Paint", part)
        counts.append(voxels(tools))
    assert counts == sorted(set(counts))
    for count in reversed(counts[:-1]):
        tools.editor.undo()
        assert voxels(tools) == count
    for count in counts[1:]:
        tools.editor.redo()
        assert voxels(tools) == count


def test_undo_brings_back_what_was_painted_without_the_range(panel, tools):
    click(panel.ui.limitRangeBox)
    draw(tools, "Paint", everywhere(panel))
    painted = voxels(tools)
    draw(tools, "Erase", everywhere(panel))
    click(panel.ui.limitRangeBox)
    tools.editor.setActiveEffectByName("Paint")
    tools.editor.undo()
    assert voxels(tools) == painted


def test_a_segment_that_shares_its_labelmap_is_masked_by_slicer(panel, tools):
    """A stroke may give such a segment another labelmap, as an undo does."""
    contents = panel.parameters.result.GetSegmentation()
    contents.AddEmptySegment("other")
    contents.GetSegment("other").AddRepresentation(
        "Binary labelmap", contents.GetSegment(INFECTION).GetRepresentation("Binary labelmap")
    )
    contents.GetSegment("other").SetLabelValue(2)
    tools.editor.setActiveEffectByName("Draw")
    node = tools.editor.mrmlSegmentEditorNode()
    assert node.GetMaskMode() == slicer.vtkMRMLSegmentationNode.EditAllowedInsideAllSegments
    assert node.GetSourceVolumeIntensityMask()


def test_one_tick_lifts_the_range(panel, tools):
    draw(tools, "Paint", everywhere(panel))
    limited = voxels(tools)
    click(panel.ui.limitRangeBox)
    draw(tools, "Paint", everywhere(panel))
    assert voxels(tools) == voxels(tools, LUNGS[0]) + voxels(tools, LUNGS[1]) > limited
    tools.editor.undo()
    click(panel.ui.limitRangeBox)
    draw(tools, "Paint", everywhere(panel))
    assert voxels(tools) == limited, "the range is back"


def test_the_range_can_be_changed(panel, tools):
    panel.ui.lowSpinBox.value = -860
    assert tools.editor.mrmlSegmentEditorNode().GetSourceVolumeIntensityMaskRange() == (-860, 50)
    draw(tools, "Paint", everywhere(panel))
    assert voxels(tools) == voxels(tools, LUNGS[0]) + voxels(tools, LUNGS[1])


def test_erasing_is_not_limited_to_the_range(panel, tools):
    """Slicer applies the range to Erase as well. The infection would keep voxels that nobody can remove."""
    array = hu(panel)
    array[array == -500] = 200
    draw(tools, "Erase", everywhere(panel))
    assert voxels(tools) == 0
    assert voxels(tools, LUNGS[0]) > 0
    draw(tools, "Paint", everywhere(panel))
    assert voxels(tools) == 0, "the range is back"


def test_undo_and_redo_by_key(panel, tools, module_widget):
    before = voxels(tools)
    hu(panel)[10:12, 20:28, 12:20] = -400
    draw(tools, "Paint", everywhere(panel))
    painted = voxels(tools)
    assert painted > before
    press(panel, "Ctrl+Z")
    assert voxels(tools) == before
    press(panel, "Y")
    assert voxels(tools) == painted


def test_undo_works_after_loading_a_scene(panel, tools, tmp_path):
    panel.ui.lowSpinBox.value = -800
    assert slicer.mrmlScene.WriteToMRB(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(False)
    assert not shown(panel.ui.correctionPanel)
    assert slicer.mrmlScene.ReadFromMRB(str(tmp_path / "scene.mrb"))
    assert tools.editor.segmentationNode() is panel.parameters.result
    assert tools.editor.currentSegmentID() == INFECTION
    assert panel.ui.lowSpinBox.value == -800, "the range is saved with the scene"
    before = voxels(tools)
    draw(tools, "Erase", everywhere(panel))
    assert voxels(tools) == 0
    tools.editor.undo()
    assert voxels(tools) == before


def test_a_panel_that_was_cleaned_up_selects_nothing_any_more(panel, tools, tmp_path):
    """Qt deletes the widgets of a reloaded module later. Until then, a scene may be loaded."""
    old = CovidSeg.CovidSegWidget(logic=harness.make_logic())
    old.setup()
    old.enter()
    old.cleanup()
    assert slicer.mrmlScene.WriteToMRB(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(False)
    assert slicer.mrmlScene.ReadFromMRB(str(tmp_path / "scene.mrb"))
    assert tools.editor.currentSegmentID() == INFECTION
    retire(old.parent)


def test_keys_undo_and_redo_decisions_from_before_loading(panel, tools, tmp_path, module_widget):
    before = voxels(tools)
    panel.ui.lesionsTable.setCurrentCell(0, 0)
    click(panel.ui.rejectButton)
    rejected = voxels(tools)
    settle()
    assert slicer.mrmlScene.WriteToMRB(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(False)
    assert slicer.mrmlScene.ReadFromMRB(str(tmp_path / "scene.mrb"))
    settle()
    assert voxels(tools) == rejected < before
    press(panel, "Ctrl+Z")
    assert voxels(tools) == before
    settle()
    assert panel.ui.lesionsTable.item(0, 7).text() == "proposed"
    press(panel, "Ctrl+Y")
    assert voxels(tools) == rejected


def test_decisions_and_edits_have_one_history(panel, tools, module_widget):
    table = panel.ui.lesionsTable
    table.setCurrentCell(0, 0)
    click(panel.ui.rejectButton)
    rejected = voxels(tools)
    draw(tools, "Erase", everywhere(panel))
    press(panel, "Z")
    assert voxels(tools) == rejected
    press(panel, "Z")
    settle()
    assert table.item(0, 7).text() == "proposed"
    assert voxels(tools) > rejected


def test_correcting_the_lungs(panel, tools):
    click(panel.ui.correctLungsBox)
    node = tools.editor.mrmlSegmentEditorNode()
    assert node.GetSelectedSegmentID() == LUNGS[0]
    assert node.GetMaskMode() == slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere
    assert not node.GetSourceVolumeIntensityMask()
    assert not panel.ui.lowSpinBox.enabled
    infection = voxels(tools)
    part = everywhere(panel)
    part[:14] = False
    draw(tools, "Erase", part)
    tools.masks_changed()
    assert voxels(tools) == infection, "infection outside the new lungs is kept"
    assert shown(panel.ui.outsideLabel)
    assert "outside the lungs" in panel.ui.outsideLabel.text
    settle()
    assert "outside" in [panel.ui.lesionsTable.item(row, 1).text() for row in range(panel.ui.lesionsTable.rowCount)]
    tools.editor.undo()
    tools.masks_changed()
    assert not shown(panel.ui.outsideLabel)
    click(panel.ui.correctLungsBox)
    assert node.GetSelectedSegmentID() == INFECTION
    assert not node.GetSourceVolumeIntensityMask(), "Erase is still active"
    tools.editor.setActiveEffectByName("Threshold")
    assert node.GetSourceVolumeIntensityMask()


def test_a_lung_chosen_in_the_editor_follows_the_same_rules(panel, tools):
    tools.editor.setCurrentSegmentID(LUNGS[1])
    assert panel.ui.correctLungsBox.checked
    assert tools.editor.mrmlSegmentEditorNode().GetMaskMode() == 0
    tools.editor.setCurrentSegmentID(INFECTION)
    assert not panel.ui.correctLungsBox.checked


def test_keys_choose_effects_and_show_the_tools(panel, section, module_widget):
    press(panel, "2")
    assert section.editor.activeEffect().name == "Erase"
    assert shown(panel.ui.toolsPanel)
    press(panel, "E")
    assert section.editor.activeEffect() is None
    assert not shown(panel.ui.toolsPanel)


def test_leaving_the_module_puts_the_tool_down(panel, tools, module_widget):
    assert tools.editor.viewsObserved
    panel.exit()
    assert tools.editor.activeEffect() is None
    assert not tools.editor.viewsObserved
    press(panel, "1")
    assert tools.editor.activeEffect() is None, "the shortcuts are gone"
    panel.enter()
    press(panel, "1")
    assert tools.editor.activeEffect().name == "Paint"


def test_keys_do_not_edit_another_segmentation(panel, module_widget):
    """The editor selects any segmentation by itself. Without a result, its keys must do nothing."""
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    other.GetSegmentation().AddEmptySegment("someone's")
    panel.update()
    press(panel, "1")
    assert panel.sections["correction"].editor.activeEffect() is None


def test_two_results_in_turn(panel, tools):
    first = panel.parameters.result
    second = show_result(panel)
    assert tools.editor.segmentationNode() is second
    assert tools.editor.currentSegmentID() == INFECTION
    draw(tools, "Erase", everywhere(panel))
    panel.parameters.result = first
    assert tools.editor.segmentationNode() is first
    assert voxels(tools) > 0
    review = tools.logic.review_of(second)
    assert review.editor is not tools.editor
    assert tools.logic.review_of(first).editor is tools.editor
    slicer.mrmlScene.RemoveNode(first)
    assert not shown(panel.ui.correctionPanel)


def test_segmenting_another_ct_edits_the_new_result(panel, tools):
    harness.make_ct("another")
    panel.ui.inputSelector.setCurrentNode(slicer.mrmlScene.GetFirstNodeByName("another"))
    harness.segment(panel)
    assert tools.editor.segmentationNode() is panel.parameters.result
    assert tools.editor.currentSegmentID() == INFECTION


def test_names_that_are_stored(panel, tools):
    node = tools.editor.mrmlSegmentEditorNode()
    assert node.GetSingletonTag() == "CovidSeg"
    assert node.GetAttribute("CovidSeg.LimitHU") == "1"


def surface_models():
    nodes = slicer.util.getNodesByClass("vtkMRMLModelNode")
    return {node.GetAttribute("CovidSeg.Surface") for node in nodes if node.GetAttribute("CovidSeg.Surface")}


def test_surfaces_are_off_the_segments_while_tools_are_open(panel, tools, tmp_path):
    """Otherwise, Slicer makes the surface of the segment anew with each stroke."""
    segment = panel.parameters.result.GetSegmentation().GetSegment(INFECTION)
    assert segment.GetRepresentation("Closed surface") is None
    assert surface_models() == {INFECTION, *LUNGS}
    panel.exit()
    assert surface_models() == set()
    assert segment.GetRepresentation("Closed surface").GetNumberOfPoints() > 0
    panel.enter()
    assert surface_models() == {INFECTION, *LUNGS}
    click(panel.ui.correctButton)
    assert surface_models() == set()
    click(panel.ui.correctButton)
    assert slicer.mrmlScene.WriteToMRB(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(False)
    assert slicer.mrmlScene.ReadFromMRB(str(tmp_path / "scene.mrb"))
    harness.wait_until(lambda: panel.ui.correctButton.checked)  # the tool is saved with the scene
    assert surface_models() == {INFECTION, *LUNGS}
    click(panel.ui.correctButton)
    contents = panel.parameters.result.GetSegmentation()
    assert contents.GetSegment(INFECTION).GetRepresentation("Closed surface").GetNumberOfPoints() > 0


def test_cleanup(module_widget, panel, tools):
    module_widget.cleanup()
    assert tools.editor.activeEffect() is None
    harness.make_ct("later")


def test_picture(module_widget, panel, tools, tmp_path):
    """Grab the panel with the tools. With --basetemp, the picture can be inspected afterwards."""
    module_widget.parent.resize(400, 1200)
    slicer.app.processEvents()
    assert module_widget.parent.grab().toImage().save(str(tmp_path / "panel_correction.png"))
