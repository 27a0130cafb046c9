"""How CTs and results are displayed: lung window, outlines or fill, transparent lungs."""

from __future__ import annotations

import slicer

from .segmentations import INFECTION, LUNGS

#: Window and level in HU in which radiologists read lungs.
LUNG_WINDOW = (1500.0, -600.0)
#: Attribute of a CT that has been shown in the lung window once. It is stored in scenes.
WINDOW_ATTRIBUTE = "CovidSeg.LungWindow"
#: Ways to show the infection in slice views, in the order in which a key switches through them.
OUTLINE, FILL, OFF = "outline", "fill", "off"
MODES = (FILL, OUTLINE, OFF)
#: Opacities: infection filled in slice views; lungs in 3D as glass.
FILL_OPACITY, GLASS_OPACITY = 0.5, 0.15


def set_lung_window(ct: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Show a CT in the lung window."""
    ct.SetAttribute(WINDOW_ATTRIBUTE, "1")  # first, because the panel is updated when a display node is added
    display = ct.GetDisplayNode()
    if display is None:
        # CreateDefaultDisplayNodes would compute a window from all voxels first, which takes a second.
        display = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScalarVolumeDisplayNode")
        display.UnRegister(None)
        display.SetAutoWindowLevel(False)
        display = slicer.mrmlScene.AddNode(display)
        display.SetDefaultColorMap()
        ct.SetAndObserveDisplayNodeID(display.GetID())
    display.SetAutoWindowLevel(False)
    display.SetWindowLevel(*LUNG_WINDOW)


def set_lung_window_once(ct: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Show a CT in the lung window unless this was done before. A window that the user has chosen since then stays."""
    if ct.GetImageData() is not None and not ct.GetAttribute(WINDOW_ATTRIBUTE):
        set_lung_window(ct)


def set_mode(node: slicer.vtkMRMLSegmentationNode, mode: str) -> None:
    """Show the segments in slice views as outlines, with the infection filled, or not at all."""
    display = node.GetDisplayNode()
    display.SetVisibility(True)
    display.SetVisibility2D(mode != OFF)
    display.SetSegmentOpacity2DFill(INFECTION, FILL_OPACITY if mode == FILL else 0.0)


def mode_of(node: slicer.vtkMRMLSegmentationNode) -> str:
    """Return how the segments are shown in slice views."""
    display = node.GetDisplayNode()
    if display is None or not display.GetVisibility() or not display.GetVisibility2D():
        return OFF
    return FILL if display.GetSegmentOpacity2DFill(INFECTION) > 0 else OUTLINE


def next_mode(mode: str) -> str:
    """Return the mode that follows."""
    return MODES[(MODES.index(mode) + 1) % len(MODES)]


def set_result_display(node: slicer.vtkMRMLSegmentationNode) -> None:
    """Show lungs as outlines in 2D and as glass in 3D, so that they hide neither anatomy nor infection."""
    display = node.GetDisplayNode()
    for lung in LUNGS:
        display.SetSegmentOpacity2DFill(lung, 0.0)
        display.SetSegmentOpacity3D(lung, GLASS_OPACITY)
    display.SetSegmentOpacity2DFill(INFECTION, FILL_OPACITY)
    display.SetVisibility3D(True)
