"""How the result is shown."""

import harness

from CovidSegModule.logic.display import DisplayLogic


def test_filled_outline_off():
    logic = DisplayLogic()
    node = harness.segment_ct(harness.make_ct()).segmentation
    texts = []
    for _ in range(4):
        texts.append(logic.mode_text(node))
        logic.next_mode(node)
    assert texts == ["Filled", "Outline", "Off", "Filled"]
    assert logic.mode_text(None) == ""


def test_outlines_stay_when_the_fill_is_off():
    logic = DisplayLogic()
    node = harness.segment_ct(harness.make_ct()).segmentation
    logic.next_mode(node)
    display = node.GetDisplayNode()
    assert display.GetVisibility2D()
    assert display.GetSegmentOpacity2DFill("infection") == 0
    assert display.GetSegmentOpacity2DOutline("infection") == 1
    logic.next_mode(node)
    assert not display.GetVisibility2D()
    assert display.GetVisibility3D(), "the 3D view has its own button"


def test_lungs_are_glass():
    display = harness.segment_ct(harness.make_ct()).segmentation.GetDisplayNode()
    assert display.GetSegmentOpacity3D("right_lung") < 0.3 < display.GetSegmentOpacity3D("infection")
