"""A comparison of two CTs in the scene.

A comparison is a segmentation node with the lesions of the current CT, coloured by what became of them. Its attribute
holds the report of the child process, and it refers to other nodes by role: the results of both CTs, the registered
earlier CT, the lesions of that, tables, the chart of the trend, and the picture of the fit. All are saved with the
scene, and the comparison works without those that were deleted.
"""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

from .display import set_lung_window
from .follow_up_files import CURRENT, PRIOR, FollowUpFiles
from .nodes import add_node, place_beside, remove_with_helpers
from .segmentations import check_grid
from .volumes import ROLE_ATTRIBUTE, grid_of
from .voxels import BINARY_LABELMAP, BoxArray, labelmap_of, make_volume, whole

#: Attribute with the report of the child process. All names are stored in scenes.
REPORT_ATTRIBUTE = "CovidSeg.FollowUp"
#: Attribute with a checksum of the masks that were compared.
MASKS_ATTRIBUTE = "CovidSeg.FollowUp.Masks"
#: Roles of the references from the segmentation node.
RESULT_ROLE, PRIOR_ROLE, PRIOR_RESULT_ROLE = "CovidSeg.Result", "CovidSeg.Prior", "CovidSeg.PriorResult"
REGISTERED_ROLE, PRIOR_CHANGES_ROLE = "CovidSeg.RegisteredPrior", "CovidSeg.PriorChanges"
LESIONS_ROLE, REGIONS_ROLE, TREND_ROLE = "CovidSeg.ChangedLesions", "CovidSeg.ChangedRegions", "CovidSeg.TrendTable"
CHART_ROLE, FIT_ROLE = "CovidSeg.TrendChart", "CovidSeg.Fit"
#: Opacity of the coloured lesions.
FILL_OPACITY = 0.4
#: Columns of the table of the trend, and the region and colour of the series.
DAYS, LABEL = "Days", "CT"
SERIES = (
    ("Both lungs", "both lungs", (0.2, 0.2, 0.2)),
    ("Right lung", "right lung", (0.337, 0.706, 0.914)),
    ("Left lung", "left lung", (0.0, 0.447, 0.698)),
)


def add_comparison(
    files: FollowUpFiles,
    result: slicer.vtkMRMLSegmentationNode,
    ct: slicer.vtkMRMLScalarVolumeNode,
    prior_ct: slicer.vtkMRMLScalarVolumeNode,
    prior_result: slicer.vtkMRMLSegmentationNode,
) -> slicer.vtkMRMLSegmentationNode:
    """Add a comparison to the scene, beside the current CT and with its parent transform.

    Raises:
        RuntimeError: The comparison does not lie on the grid of the CT.
    """
    check_grid(files.grid, grid_of(ct))
    name = f"{ct.GetName()} since {prior_ct.GetName()}"
    node = _add_segments(files, ct, CURRENT, f"{name} changes")
    node.SetAttribute(REPORT_ATTRIBUTE, json.dumps(files.report))
    node.SetNodeReferenceID(RESULT_ROLE, result.GetID())
    node.SetNodeReferenceID(PRIOR_ROLE, prior_ct.GetID())
    node.SetNodeReferenceID(PRIOR_RESULT_ROLE, prior_result.GetID())
    prior_changes = _add_segments(files, ct, PRIOR, f"{name} changes, earlier CT")
    node.SetNodeReferenceID(PRIOR_CHANGES_ROLE, prior_changes.GetID())
    registered = make_volume("vtkMRMLScalarVolumeNode", BoxArray(files.prior_ct, whole(files.grid.shape)), ct)
    registered.SetAttribute(ROLE_ATTRIBUTE, "registered prior")
    registered.SetName(slicer.mrmlScene.GenerateUniqueName(f"{prior_ct.GetName()} registered"))
    registered = slicer.mrmlScene.AddNode(registered)
    registered.SetAndObserveTransformNodeID(ct.GetTransformNodeID())
    set_lung_window(registered)
    node.SetNodeReferenceID(REGISTERED_ROLE, registered.GetID())
    place_beside(registered, ct)
    fit = add_node("vtkMRMLTextNode", f"{name} fit")
    fit.SetText(base64.b64encode(files.fit).decode("ascii"))
    node.SetNodeReferenceID(FIT_ROLE, fit.GetID())
    write_tables(node, ct, name)
    return node


def comparisons_of(result: slicer.vtkMRMLSegmentationNode | None) -> list[slicer.vtkMRMLSegmentationNode]:
    """Return the comparisons of a result with earlier CTs, in the order in which they were made."""
    nodes = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    return [
        node
        for node in nodes
        if result is not None and node.GetAttribute(REPORT_ATTRIBUTE) and node.GetNodeReference(RESULT_ROLE) is result
    ]


def report_of(comparison: slicer.vtkMRMLSegmentationNode) -> dict[str, Any]:
    """Return the report of a comparison."""
    report: dict[str, Any] = json.loads(comparison.GetAttribute(REPORT_ATTRIBUTE))
    return report


def fit_picture(comparison: slicer.vtkMRMLSegmentationNode) -> bytes | None:
    """Return the PNG of how well the lungs fit, or None if its node was deleted."""
    node = comparison.GetNodeReference(FIT_ROLE)
    return base64.b64decode(node.GetText() or "") if node is not None else None


def remove_comparison(comparison: slicer.vtkMRMLSegmentationNode) -> None:
    """Remove a comparison, with all nodes that belong to it alone."""
    chart = comparison.GetNodeReference(CHART_ROLE)
    nodes = [comparison.GetNodeReference(role) for role in (REGISTERED_ROLE, PRIOR_CHANGES_ROLE, FIT_ROLE)]
    nodes += [comparison.GetNodeReference(role) for role in (LESIONS_ROLE, REGIONS_ROLE, TREND_ROLE)]
    if chart is not None:
        nodes += [chart.GetNthPlotSeriesNode(index) for index in range(chart.GetNumberOfPlotSeriesNodes())]
    for node in [*nodes, chart, comparison]:
        if node is not None:
            remove_with_helpers(node)


# --- tables and chart ---


def write_tables(comparison: slicer.vtkMRMLSegmentationNode, ct: slicer.vtkMRMLScalarVolumeNode, name: str) -> None:
    """Add the tables of lesions and regions, and table and chart of the trend."""
    report = report_of(comparison)
    _add_table(comparison, ct, LESIONS_ROLE, f"{name} lesions", lesion_columns(report))
    _add_table(comparison, ct, REGIONS_ROLE, f"{name} regions", region_columns(report))
    trend = _add_table(comparison, ct, TREND_ROLE, f"{name} trend", trend_columns(report))
    chart = add_node("vtkMRMLPlotChartNode", f"{name} trend")
    for title, _region, colour in SERIES:
        series = add_node("vtkMRMLPlotSeriesNode", title)
        series.SetAndObserveTableNodeID(trend.GetID())
        series.SetXColumnName(DAYS)
        series.SetYColumnName(f"{title} (%)")
        series.SetLabelColumnName(LABEL)
        series.SetPlotType(series.PlotTypeScatter)
        series.SetMarkerStyle(series.MarkerStyleCircle)
        series.SetMarkerSize(9)
        series.SetLineWidth(2)
        series.SetColor(colour)
        chart.AddAndObservePlotSeriesNodeID(series.GetID())
    chart.SetTitle(_("Infection over time"))
    chart.SetXAxisTitle(time_title(report))
    chart.SetYAxisTitle(_("Infected share of the lung (%)"))
    chart.SetYAxisRangeAuto(False)
    chart.SetYAxisRange(0.0, 1.15 * max(0.1, *(_shares(report))))
    comparison.SetNodeReferenceID(CHART_ROLE, chart.GetID())
    place_beside(chart, ct)


def lesion_columns(report: dict[str, Any]) -> dict[str, list[Any]]:
    """Return the columns of the table of lesions, by title."""
    lesions = report["lesions"]["list"]
    titles = {
        "Number": "number",
        "Change": "change",
        "Lung": "lung",
        "Zone": "zone",
        "Earlier (ml)": "prior_ml",
        "Now (ml)": "current_ml",
        "Difference (ml)": "difference_ml",
        "Difference (%)": "difference_percent",
    }
    return {title: [lesion[key] for lesion in lesions] for title, key in titles.items()}


def region_columns(report: dict[str, Any]) -> dict[str, list[Any]]:
    """Return the columns of the table of lungs and zones, by title."""
    columns: dict[str, list[Any]] = {"Region": [region["region"].capitalize() for region in report["regions"]]}
    for key, title in (("infection_ml", "Infection {} (ml)"), ("involvement_percent", "Involved {} (%)")):
        for side, words in (("prior", "earlier"), ("current", "now"), ("difference", "difference")):
            columns[title.format(words)] = [region[side][key] for region in report["regions"]]
    return columns


def trend_columns(report: dict[str, Any]) -> dict[str, list[Any]]:
    """Return the columns of the table of the trend. Without days, the CTs are numbered."""
    points = report["timeline"]
    known = all(point["days"] is not None for point in points)
    columns: dict[str, list[Any]] = {
        LABEL: [point["date"] or f"CT {number}" for number, point in enumerate(points, start=1)],
        DAYS: [float(point["days"] if known else number) for number, point in enumerate(points, start=1)],
    }
    for key, unit in (("involvement_percent", "%"), ("infection_ml", "ml")):
        for title, region, _colour in SERIES:
            columns[f"{title} ({unit})"] = [float(point["regions"][region][key]) for point in points]
    return columns


def time_title(report: dict[str, Any]) -> str:
    """Return the title of the time axis."""
    points = report["timeline"]
    if any(point["days"] is None for point in points):
        return _("Number of the CT")
    if points[-1]["date"]:
        return _("Days, the CT of {date} at 0").format(date=points[-1]["date"])
    return _("Days, the current CT at 0")


def _shares(report: dict[str, Any]) -> list[float]:
    return [
        point["regions"][region]["involvement_percent"] for point in report["timeline"] for _t, region, _c in SERIES
    ]


def _add_table(
    comparison: slicer.vtkMRMLSegmentationNode,
    ct: slicer.vtkMRMLScalarVolumeNode,
    role: str,
    name: str,
    columns: dict[str, list[Any]],
) -> slicer.vtkMRMLTableNode:
    table = vtk.vtkTable()
    for title, values in columns.items():
        text = any(isinstance(value, str) for value in values)
        column: Any = vtk.vtkStringArray() if text else vtk.vtkDoubleArray()
        column.SetName(title)
        for value in values:
            column.InsertNextValue((value or "") if text else math.nan if value is None else float(value))
        table.AddColumn(column)
    node = add_node("vtkMRMLTableNode", name)
    node.SetAndObserveTable(table)
    node.SetUseColumnTitleAsColumnHeader(True)
    comparison.SetNodeReferenceID(role, node.GetID())
    place_beside(node, ct)
    return node


def _add_segments(
    files: FollowUpFiles, ct: slicer.vtkMRMLScalarVolumeNode, kind: str, name: str
) -> slicer.vtkMRMLSegmentationNode:
    """Add the lesions of one CT as a segmentation node, not visible yet. It has no surfaces."""
    node = add_node("vtkMRMLSegmentationNode", name)
    node.SetAndObserveTransformNodeID(ct.GetTransformNodeID())
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetVisibility(False)
    node.SetReferenceImageGeometryParameterFromVolumeNode(ct)
    segmentation = node.GetSegmentation()
    segmentation.SetSourceRepresentationName(BINARY_LABELMAP)
    stored = [segment for segment in files.segments if segment.identifier.startswith(kind)]
    labelmap = labelmap_of(files.layers[stored[0].layer], ct)
    for segment_of_file in stored:
        segment = slicer.vtkSegment()
        segment.SetName(segment_of_file.name)
        segment.SetColor(segment_of_file.color)
        segment.SetLabelValue(segment_of_file.label)
        for tag, value in segment_of_file.tags.items():
            segment.SetTag(tag, value)
        segment.AddRepresentation(BINARY_LABELMAP, labelmap)
        segmentation.AddSegment(segment, segment_of_file.identifier)
    node.GetDisplayNode().SetVisibility3D(False)
    node.GetDisplayNode().SetAllSegmentsOpacity2DFill(FILL_OPACITY)
    place_beside(node, ct)
    return node


def in_world(comparison: slicer.vtkMRMLSegmentationNode, position: list[float]) -> tuple[float, float, float]:
    """Return a position of the report in the world, that is after the parent transforms of the CT."""
    to_world = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(comparison.GetParentTransformNode(), None, to_world)
    x, y, z = to_world.TransformPoint(position)
    return x, y, z
