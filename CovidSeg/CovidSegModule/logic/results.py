"""Logic of the section "results": the numbers as text, and the surfaces."""

from __future__ import annotations

from collections.abc import Iterator

import slicer
from slicer.i18n import tr as _

from ..scene import segmentations, tables
from ..scene.review import Reviews
from ..scene.tables import Row
from ..terms import translated
from .numbers import NumbersLogic


class ResultsLogic:
    """Read the numbers of a segmentation, and show or hide its surfaces.

    Args:
        reviews: The results of the scene.
        numbers: Computes the numbers of edited masks. Without it, the numbers stay those of the model's masks.
    """

    def __init__(self, reviews: Reviews, numbers: NumbersLogic | None = None):
        self._reviews = reviews
        self._numbers = numbers

    def follow_edits(self, segmentation: slicer.vtkMRMLSegmentationNode) -> None:
        """Write the numbers of the present masks to the table, except the number of lesions."""
        if self._numbers:
            self._numbers.update_rows(segmentation)

    def count_lesions(self, segmentation: slicer.vtkMRMLSegmentationNode) -> Iterator[bool]:
        """Write all numbers of the present masks to the table, in short steps."""
        if self._numbers:
            lesions = yield from self._numbers.lesion_steps(segmentation)
            self._numbers.update_rows(segmentation, lesions)

    def rows(self, segmentation: slicer.vtkMRMLSegmentationNode | None) -> list[Row]:
        """Return the numbers of a segmentation: right lung, left lung, both lungs; empty if it has none."""
        table = tables.table_of(segmentation)
        return tables.read_rows(table) if table else []

    def surface_steps(self, segmentation: slicer.vtkMRMLSegmentationNode) -> Iterator[None]:
        """Make the surfaces of masks that have changed, in short steps."""
        return self._reviews.of(segmentation).surfaces.steps()

    def show_in_3d(self, segmentation: slicer.vtkMRMLSegmentationNode, visible: bool) -> None:
        """Show or hide the surfaces of a segmentation."""
        surfaces = self._reviews.of(segmentation).surfaces
        segmentations.show_in_3d(segmentation, visible, create=not surfaces.off)
        surfaces.follow_display()

    def is_shown_in_3d(self, segmentation: slicer.vtkMRMLSegmentationNode) -> bool:
        """Return True if the surfaces of a segmentation are shown."""
        return segmentations.is_shown_in_3d(segmentation)


def headline(rows: list[Row]) -> str:
    """Return the result in one line."""
    both = rows[-1]
    if not both.infection_ml:
        return _("No infection was found.")
    return _("Infection in {share} % of the lungs").format(share=format_number(both.involvement_percent, 1))


def cells(rows: list[Row]) -> list[list[str]]:
    """Return the texts of the panel's table: region, volume, infection, involvement, mean HU, lesions."""
    decimals = 1 if max(row.infection_ml or 0 for row in rows) < 100 else 0
    return [
        [
            translated(row.region),
            format_number(row.volume_ml),
            format_number(row.infection_ml, decimals),
            format_number(row.involvement_percent, 1),
            format_number(row.mean_hu),
            format_number(row.lesions),
        ]
        for row in rows
    ]


def format_number(value: float | None, decimals: int = 0) -> str:
    """Return a number with a typographic minus sign, or a dash for None."""
    return "–" if value is None else f"{value:.{decimals}f}".replace("-", "−")
