"""The numbers of a result, as rows and as a table node that is saved with the scene and can be exported."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import slicer
import vtk

from .nodes import add_node, place_beside

#: Role of the reference from a segmentation node to the table with its numbers. It is stored in scenes.
TABLE_ROLE = "CovidSeg.Table"


@dataclass(frozen=True)
class Row:
    """The numbers of one lung or of both lungs. A number that is not defined is None.

    Attributes:
        region: "Right lung", "Left lung" or "Both lungs".
        volume_ml: Volume of the lung in ml, including infection.
        infection_ml: Volume of the infection in the lung, in ml.
        involvement_percent: Infected share of the lung volume, in percent.
        mean_hu: Mean of the lung in HU, including infection.
        infection_mean_hu: Mean of the infection in HU.
        lesions: Number of separate lesions.
    """

    region: str
    volume_ml: float | None = None
    infection_ml: float | None = None
    involvement_percent: float | None = None
    mean_hu: float | None = None
    infection_mean_hu: float | None = None
    lesions: float | None = None


#: Title and unit of each column of the table node, by the name of the field in `Row`. They are stored in scenes.
COLUMNS = {
    "region": ("Region", ""),
    "volume_ml": ("Volume (ml)", "ml"),
    "infection_ml": ("Infection (ml)", "ml"),
    "involvement_percent": ("Involvement (%)", "%"),
    "mean_hu": ("Mean HU", ""),
    "infection_mean_hu": ("Infection mean HU", ""),
    "lesions": ("Lesions", ""),
}
#: Region of each row, by its key in `report.json`.
REGIONS = {"right": "Right lung", "left": "Left lung", "both": "Both lungs"}


def rows_of_report(report: dict[str, Any]) -> list[Row]:
    """Return the rows for the report that the child process writes as `report.json`."""
    rows = []
    lesions = report["lesions"]["list"]
    for key, region in REGIONS.items():
        numbers = {name: report["lungs"][key].get(name) for name in COLUMNS if name not in ("region", "lesions")}
        rows.append(Row(region, **numbers, lesions=sum(key in ("both", lesion["lung"]) for lesion in lesions)))
    return rows


def add_table(
    rows: list[Row], segmentation: slicer.vtkMRMLSegmentationNode, ct: slicer.vtkMRMLScalarVolumeNode
) -> slicer.vtkMRMLTableNode:
    """Add a table node beside the CT, and a reference to it from the segmentation.

    Args:
        rows: The numbers.
        segmentation: The segmentation that the numbers describe.
        ct: The CT that was segmented.

    Returns:
        The new table node.
    """
    node = add_node("vtkMRMLTableNode", f"{segmentation.GetName()} numbers")
    write_rows(node, rows)
    segmentation.SetNodeReferenceID(TABLE_ROLE, node.GetID())
    place_beside(node, ct)
    return node


def write_rows(node: slicer.vtkMRMLTableNode, rows: list[Row]) -> None:
    """Replace the contents of a table node."""
    table = vtk.vtkTable()
    for field, (title, _) in COLUMNS.items():
        column: Any = vtk.vtkStringArray() if field == "region" else vtk.vtkDoubleArray()
        column.SetName(title)
        for row in rows:
            value = getattr(row, field)
            column.InsertNextValue(math.nan if value is None else value)
        table.AddColumn(column)
    node.SetAndObserveTable(table)
    for title, unit in COLUMNS.values():
        # The module Tables appends the unit to the title, and titles of saved scenes contain it already.
        node.SetColumnUnitLabel(title, "" if f"({unit})" in title else unit)
    node.SetUseColumnTitleAsColumnHeader(True)


def read_rows(node: slicer.vtkMRMLTableNode) -> list[Row]:
    """Read the rows of a table node that `write_rows` filled, also after the scene was saved and loaded.

    Returns:
        The rows, or an empty list if the user has changed the columns of the table.
    """
    table = node.GetTable()
    if table is None or any(table.GetColumnByName(title) is None for title, _ in COLUMNS.values()):
        return []
    rows = []
    for index in range(table.GetNumberOfRows()):
        values: dict[str, Any] = {}
        for field, (title, _) in COLUMNS.items():
            value = table.GetValueByName(index, title)
            if field == "region":
                values[field] = value.ToString()
            else:
                number = value.ToDouble() if value.IsValid() and value.ToString() else math.nan
                values[field] = None if math.isnan(number) else number
        rows.append(Row(**values))
    return rows


def table_of(segmentation: slicer.vtkMRMLSegmentationNode | None) -> slicer.vtkMRMLTableNode | None:
    """Return the table with the numbers of a segmentation, or None."""
    return segmentation.GetNodeReference(TABLE_ROLE) if segmentation else None
