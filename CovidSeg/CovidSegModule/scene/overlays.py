"""Masks that are shown on top of a result for a while: the doubtful places, and the model's own outlines.

They are segmentation nodes that are neither listed in selectors nor saved with the scene.
"""

from __future__ import annotations

from dataclasses import dataclass

import slicer
from slicer.i18n import tr as _

from .voxels import BoxArray, set_segment_voxels


@dataclass(frozen=True)
class Overlay:
    """How an overlay looks.

    Attributes:
        role: Role of the reference from the segmentation node of the result.
        name: Name of the node and of its segment.
        color: Red, green and blue, each from 0 to 1.
        fill: Opacity of the fill, 0 for outlines only.
    """

    role: str
    name: str
    color: tuple[float, float, float]
    fill: float


DOUBT = Overlay("CovidSeg.Doubt", _("Doubtful"), (0.941, 0.894, 0.259), 0.35)
AI_OUTLINE = Overlay("CovidSeg.AIOutline", _("AI original"), (0.0, 0.620, 0.451), 0.0)


def show(
    segmentation: slicer.vtkMRMLSegmentationNode,
    overlay: Overlay,
    mask: BoxArray,
    ct: slicer.vtkMRMLScalarVolumeNode,
) -> None:
    """Show a mask in the slice views."""
    node = segmentation.GetNodeReference(overlay.role)
    if node is None:
        node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLSegmentationNode")
        node.UnRegister(None)
        node.SetName(overlay.name)
        node.SetHideFromEditors(True)
        node.SetSaveWithScene(False)
        node = slicer.mrmlScene.AddNode(node)
        node.CreateDefaultDisplayNodes()
        node.GetDisplayNode().SetSaveWithScene(False)
        node.GetSegmentation().AddEmptySegment(overlay.role, overlay.name, overlay.color)
        segmentation.SetNodeReferenceID(overlay.role, node.GetID())
    node.SetAndObserveTransformNodeID(ct.GetTransformNodeID())
    node.SetReferenceImageGeometryParameterFromVolumeNode(ct)
    set_segment_voxels(node, overlay.role, mask, ct)
    display = node.GetDisplayNode()
    display.SetVisibility3D(False)
    display.SetSliceIntersectionThickness(2)
    display.SetSegmentOpacity2DFill(overlay.role, overlay.fill)
    display.SetVisibility(True)


def hide(segmentation: slicer.vtkMRMLSegmentationNode, overlay: Overlay) -> None:
    """Hide a mask. Its node is removed, because it is made anew when it is needed."""
    node = segmentation.GetNodeReference(overlay.role)
    if node is not None:
        slicer.mrmlScene.RemoveNode(node)


def is_shown(segmentation: slicer.vtkMRMLSegmentationNode, overlay: Overlay) -> bool:
    """Return True if a mask is shown."""
    node = segmentation.GetNodeReference(overlay.role)
    return bool(node and node.GetDisplayNode() and node.GetDisplayNode().GetVisibility())
