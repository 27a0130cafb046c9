"""How CTs and results are shown."""

import time

import harness
import numpy as np
import pytest

from CovidSegModule.scene import display


@pytest.mark.parametrize("mode", display.MODES)
def test_each_mode_is_shown_and_recognised(mode):
    node = harness.segment_ct(harness.make_ct()).segmentation
    display.set_result_display(node)
    display.set_mode(node, mode)
    shown = node.GetDisplayNode()
    assert display.mode_of(node) == mode
    assert bool(shown.GetVisibility2D()) == (mode != display.OFF)
    assert shown.GetSegmentOpacity2DFill("infection") == (display.FILL_OPACITY if mode == display.FILL else 0)
    assert shown.GetSegmentOpacity2DFill("right_lung") == shown.GetSegmentOpacity2DFill("left_lung") == 0
    assert shown.GetSegmentOpacity3D("left_lung") == display.GLASS_OPACITY


def test_a_hidden_result_is_off_and_a_mode_shows_it_again():
    node = harness.segment_ct(harness.make_ct()).segmentation
    node.GetDisplayNode().SetVisibility(False)
    assert display.mode_of(node) == display.OFF
    display.set_mode(node, display.OUTLINE)
    assert display.mode_of(node) == display.OUTLINE


def test_the_modes_follow_each_other_in_a_circle():
    modes = [display.FILL]
    for _ in range(3):
        modes.append(display.next_mode(modes[-1]))
    assert modes == ["fill", "outline", "off", "fill"]


def test_the_lung_window_is_set_once():
    ct = harness.make_ct()
    display.set_lung_window_once(ct)
    shown = ct.GetDisplayNode()
    assert (shown.GetWindow(), shown.GetLevel(), shown.GetAutoWindowLevel()) == (1500, -600, 0)
    shown.SetWindowLevel(400, 40)
    display.set_lung_window_once(ct)
    assert (shown.GetWindow(), shown.GetLevel()) == (400, 40)
    display.set_lung_window(ct)
    assert (shown.GetWindow(), shown.GetLevel()) == (1500, -600)


def test_the_lung_window_needs_no_pass_over_the_voxels():
    """Slicer's default display node computes a window from all voxels, which freezes it for a second."""
    ct = harness.make_ct(array=np.zeros((300, 512, 512), np.int16))
    ct.SetAndObserveDisplayNodeID(None)
    start = time.thread_time()
    display.set_lung_window(ct)
    assert time.thread_time() - start < 0.2
    shown = ct.GetDisplayNode()
    assert (shown.GetWindow(), shown.GetLevel(), shown.GetAutoWindowLevel()) == (*display.LUNG_WINDOW, 0)
    assert shown.GetColorNodeID() == "vtkMRMLColorTableNodeGrey"
