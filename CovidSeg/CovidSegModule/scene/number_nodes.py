"""The nodes that hold all numbers of a result: a table by region, and a plot of its HU histogram."""

from __future__ import annotations

import math
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import numpy_to_vtk

from CovidSegLib.quantification.numbers import Histogram, Numbers

from .nodes import add_node, place_beside

#: Roles of the references from a segmentation node. They are stored in scenes.
REGIONS_ROLE, HISTOGRAM_ROLE, CHART_ROLE = "CovidSeg.Regions", "CovidSeg.Histogram", "CovidSeg.Chart"
#: Columns of the histogram. They are stored in scenes.
HU, LUNGS_ML, INFECTION_ML = "HU", "Lungs (ml)", "Infection (ml)"
#: Series of the chart: column, colour.
SERIES = ((LUNGS_ML, (0.0, 0.447, 0.698)), (INFECTION_ML, (0.835, 0.369, 0.0)))

Rows = list[list[str | float | None]]


def region_table(numbers: Numbers) -> tuple[list[str], Rows]:
    """Return the titles and the rows of the table by region, as in the node, in the CSV file and on the clipboard."""
    first = numbers.regions[0]
    kinds = [name.replace("_", " ") for name in first.infection_kinds_ml]
    titles = ["Region", "Volume (ml)", "Infection (ml)", "Involved (%)", "Mean HU", "Infection mean HU"]
    titles += [f"{kind.capitalize()} in infection (ml)" for kind in kinds]
    titles += [f"{kind.capitalize()} (%)" for kind in first.kinds_percent]
    rows: Rows = [
        [
            region.name.capitalize(),
            region.volume_ml,
            region.infection_ml,
            region.involvement_percent,
            region.mean_hu,
            region.infection_mean_hu,
            *region.infection_kinds_ml.values(),
            *region.kinds_percent.values(),
        ]
        for region in numbers.regions
    ]
    return titles, rows


def write_region_table(
    numbers: Numbers, segmentation: slicer.vtkMRMLSegmentationNode, ct: slicer.vtkMRMLScalarVolumeNode
) -> slicer.vtkMRMLTableNode:
    """Write the numbers of all regions to the table of a result. Add the node to the scene if it is missing."""
    titles, rows = region_table(numbers)
    table = vtk.vtkTable()
    for index, title in enumerate(titles):
        column: Any = vtk.vtkDoubleArray() if index else vtk.vtkStringArray()
        column.SetName(title)
        for row in rows:
            value = row[index]
            column.InsertNextValue(math.nan if value is None else value)
        table.AddColumn(column)
    node = segmentation.GetNodeReference(REGIONS_ROLE)
    if node is None:
        node = _add("vtkMRMLTableNode", f"{segmentation.GetName()} regions", REGIONS_ROLE, segmentation, ct)
    node.SetAndObserveTable(table)
    node.SetUseColumnTitleAsColumnHeader(True)
    severity = numbers.severity
    score = "not defined" if severity.score is None else f"{severity.score} of {severity.maximum}"
    node.SetDescription(f"{severity.name}: {score}. {severity.definition} {severity.source}.")
    return node


def write_histogram(
    histogram: Histogram, segmentation: slicer.vtkMRMLSegmentationNode, ct: slicer.vtkMRMLScalarVolumeNode
) -> slicer.vtkMRMLPlotChartNode:
    """Write the histogram to the table and the chart of a result. Add the nodes to the scene if they are missing."""
    table = vtk.vtkTable()
    columns = ((HU, histogram.hu), (LUNGS_ML, histogram.lungs_ml), (INFECTION_ML, histogram.infection_ml))
    for title, values in columns:
        column = numpy_to_vtk(values.astype(float), deep=True)
        column.SetName(title)
        table.AddColumn(column)
    node = segmentation.GetNodeReference(HISTOGRAM_ROLE)
    if node is None:
        node = _add("vtkMRMLTableNode", f"{segmentation.GetName()} HU", HISTOGRAM_ROLE, segmentation, ct)
    node.SetAndObserveTable(table)
    chart = segmentation.GetNodeReference(CHART_ROLE)
    return chart if chart is not None else _add_chart(node, segmentation, ct)


def _add_chart(
    table: slicer.vtkMRMLTableNode, segmentation: slicer.vtkMRMLSegmentationNode, ct: slicer.vtkMRMLScalarVolumeNode
) -> slicer.vtkMRMLPlotChartNode:
    chart = _add(
        "vtkMRMLPlotChartNode",
        _("{name} HU histogram").format(name=segmentation.GetName()),
        CHART_ROLE,
        segmentation,
        ct,
    )
    for title, colour in SERIES:
        series = add_node("vtkMRMLPlotSeriesNode", title)
        series.SetAndObserveTableNodeID(table.GetID())
        series.SetXColumnName(HU)
        series.SetYColumnName(title)
        series.SetPlotType(series.PlotTypeScatter)
        series.SetMarkerStyle(series.MarkerStyleNone)
        series.SetColor(colour)
        chart.AddAndObservePlotSeriesNodeID(series.GetID())
    chart.SetTitle(_("Hounsfield units"))
    chart.SetXAxisTitle("HU")
    chart.SetYAxisTitle(_("ml per 10 HU"))
    return chart


def _add(
    class_name: str,
    name: str,
    role: str,
    segmentation: slicer.vtkMRMLSegmentationNode,
    ct: slicer.vtkMRMLScalarVolumeNode,
) -> Any:
    node = add_node(class_name, name)
    segmentation.SetNodeReferenceID(role, node.GetID())
    place_beside(node, ct)
    return node
