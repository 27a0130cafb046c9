"""Which results belong to a CT, and which of them is shown."""

from __future__ import annotations

import slicer

from . import follow_up_nodes
from .segmentations import INFECTION, LUNGS


def results_of(ct: slicer.vtkMRMLScalarVolumeNode) -> list[slicer.vtkMRMLSegmentationNode]:
    """Return the results on a CT, the oldest first."""
    return [node for node in _results() if _ct_of(node) is ct]


def result_to_show(ct: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkMRMLSegmentationNode | None:
    """Return the result on a CT that the user works with: the latest visible one, otherwise the latest; or None."""
    results = results_of(ct)
    visible = [node for node in results if node.GetDisplayNode() and node.GetDisplayNode().GetVisibility()]
    return (visible or results or [None])[-1]


def hide_other_cts(ct: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Hide the results of other CTs, which would be drawn over this one. Those of this CT stay as they are."""
    for node in _results():
        if _ct_of(node) is not ct and node.GetDisplayNode():
            node.GetDisplayNode().SetVisibility(False)


def _ct_of(node: slicer.vtkMRMLSegmentationNode) -> slicer.vtkMRMLNode | None:
    return node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole())


def _results() -> list[slicer.vtkMRMLSegmentationNode]:
    return [
        node
        for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
        if not node.GetAttribute(follow_up_nodes.REPORT_ATTRIBUTE)
        and all(node.GetSegmentation().GetSegment(name) for name in (*LUNGS, INFECTION))
    ]
