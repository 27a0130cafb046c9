"""Add the nodes of a case of a worklist, and remove them again, in short steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

from CovidSegLib.volume import Volume

from . import number_nodes, overlays, review, tables
from .display import set_lung_window, set_result_display
from .lesions import REJECTED_SEGMENT
from .nodes import remove_with_helpers
from .provenance import set_provenance
from .result_files import ResultFiles
from .review import Review
from .segmentations import add_segmentation
from .voxels import BoxArray

#: Roles by which a result refers to nodes that belong to it alone.
_OWN_ROLES = (
    tables.TABLE_ROLE,
    review.PROBABILITY_ROLE,
    review.ORIGINAL_ROLE,
    number_nodes.REGIONS_ROLE,
    number_nodes.HISTOGRAM_ROLE,
    number_nodes.CHART_ROLE,
    *(overlay.role for overlay in (overlays.DOUBT, overlays.AI_OUTLINE)),
)
#: Kinds of nodes that may refer to a CT because a user has made them.
_USERS_NODES = ("vtkMRMLDisplayableNode", "vtkMRMLTableNode", "vtkMRMLPlotChartNode")


def add_ct(volume: Volume, name: str) -> slicer.vtkMRMLScalarVolumeNode:
    """Add a CT to the scene, in the lung window. It receives its voxels first, so that views show it once."""
    node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScalarVolumeNode")
    node.UnRegister(None)
    slicer.util.updateVolumeFromArray(node, volume.array)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(volume.grid.affine_ras))
    node.SetName(_free_name(name))
    node = slicer.mrmlScene.AddNode(node)
    set_lung_window(node)
    return node


def add_masks(files: ResultFiles, ct: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkMRMLSegmentationNode:
    """Add the masks of a case as a result, with empty surfaces, and with a table that is filled later."""
    surfaces = {segment.identifier: vtk.vtkPolyData() for segment in files.segments}
    node = add_segmentation(files, surfaces, ct)
    node.SetName(_free_name(f"{ct.GetName()} infection", node))
    set_result_display(node)
    rejected = node.GetSegmentation().GetSegment(REJECTED_SEGMENT)
    if rejected is not None:
        rejected.SetName(_("rejected"))
        node.GetDisplayNode().SetSegmentOpacity2DFill(REJECTED_SEGMENT, 0.0)
        node.GetDisplayNode().SetSegmentVisibility3D(REJECTED_SEGMENT, False)
    if files.report.get("provenance"):
        set_provenance(node, files.report["provenance"])
    return node


def add_extras(
    node: slicer.vtkMRMLSegmentationNode,
    ct: slicer.vtkMRMLScalarVolumeNode,
    original: BoxArray | None,
    probability: BoxArray | None,
) -> Iterator[None]:
    """Add what else belongs to a result, one node in each step."""
    if original is not None:
        review.add_original(node, ct, original)
        yield
    if probability is not None:
        review.add_probability(node, ct, probability)
        yield
    tables.add_table([], node, ct)


def announce_masks(result: Review) -> None:
    """Let sections follow the masks of a result that was added: table, lesions and surfaces, in steps of their own."""
    result.surfaces.forget()
    contents = result.segmentation.GetSegmentation()
    contents.InvokeEvent(contents.SourceRepresentationModified)


def remove_case(
    ct: slicer.vtkMRMLScalarVolumeNode | None, result: slicer.vtkMRMLSegmentationNode | None
) -> Iterator[None]:
    """Remove the nodes of a case, one in each step. If nodes of the user need its CT, it stays and is hidden."""
    own = [] if result is None else [*_referenced(result), result]
    if ct is not None and not _is_needed(ct, [*own, ct]):
        own.append(ct)
    elif result is not None and result.GetDisplayNode() is not None:
        own = []
        result.GetDisplayNode().SetVisibility(False)
    for node in own:
        if slicer.mrmlScene.IsNodePresent(node):
            remove_with_helpers(node)
            yield


def _free_name(name: str, node: Any = None) -> str:
    """Return a name that no other node has. Slicer's own function never gives a name twice, even after a removal."""
    other = slicer.mrmlScene.GetFirstNodeByName(name)
    return name if other is None or other is node else slicer.mrmlScene.GenerateUniqueName(name)


def _referenced(result: slicer.vtkMRMLSegmentationNode) -> list[Any]:
    """Return the nodes that belong to a result alone, and the curves of its chart."""
    nodes = [node for node in map(result.GetNodeReference, _OWN_ROLES) if node is not None]
    for node in list(nodes):
        if node.IsA("vtkMRMLPlotChartNode"):
            nodes += [node.GetNthPlotSeriesNode(index) for index in range(node.GetNumberOfPlotSeriesNodes())]
    return nodes


def _is_needed(ct: slicer.vtkMRMLScalarVolumeNode, own: list[Any]) -> bool:
    """Return whether nodes other than those of the case refer to its CT."""
    scene = slicer.mrmlScene
    nodes = (scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes()))
    return any(
        node not in own and any(map(node.IsA, _USERS_NODES)) and scene.IsNodeReferencingNodeID(node, ct.GetID())
        for node in nodes
    )
