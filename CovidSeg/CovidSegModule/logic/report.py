"""Logic of the section "report": the report of a result as it is now, with what a person has changed."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime
from pathlib import Path

import slicer

from CovidSegLib.reports.review import Edits, Reader, Review, reader_of
from CovidSegLib.reports.rows import ReportLesion, regions_of
from CovidSegLib.volume import Grid

from ..process.report_run import Reported, ReportRun
from ..scene.dicom_source import series_of_ct
from ..scene.provenance import ATTRIBUTES
from ..scene.review import Reviews
from ..scene.segmentations import INFECTION, LUNGS
from .comparison import ComparisonLogic
from .input import InputLogic
from .lesions import LesionReview, LesionsLogic
from .numbers import DEFAULT_BOUNDS, Bounds, NumbersLogic
from .threshold import ThresholdLogic

#: Attribute of a result with the fields that the reader has filled in. It is stored in scenes.
READER_ATTRIBUTE = "CovidSeg.Reader"


class ReportLogic:
    """Write reports of results.

    Args:
        reviews: The results of the scene.
        input_logic: Knows how to start the child process.
        numbers: Numbers of the results.
        comparison: How they differ from the model's masks.
        lesions: Their lesions.
        threshold: Their thresholds.
    """

    def __init__(
        self,
        reviews: Reviews,
        input_logic: InputLogic,
        numbers: NumbersLogic,
        comparison: ComparisonLogic,
        lesions: LesionsLogic,
        threshold: ThresholdLogic,
    ):
        self._reviews, self._input, self._numbers = reviews, input_logic, numbers
        self._comparison, self._lesions, self._threshold = comparison, lesions, threshold

    def is_available(self, result: slicer.vtkMRMLSegmentationNode) -> bool:
        """Return True if a report of a result can be written: if its CT and its lesions are known."""
        return self._lesions.of(result) is not None

    def reader(self, result: slicer.vtkMRMLSegmentationNode) -> Reader:
        """Return the fields that the reader has filled in."""
        try:
            return reader_of(json.loads(result.GetAttribute(READER_ATTRIBUTE) or "{}"))
        except (ValueError, TypeError, AttributeError):
            return Reader()

    def set_reader(self, result: slicer.vtkMRMLSegmentationNode, reader: Reader) -> None:
        """Keep the fields that the reader has filled in. They are saved with the scene."""
        result.SetAttribute(READER_ATTRIBUTE, json.dumps(dataclasses.asdict(reader)))

    def folder_in(self, parent: Path) -> Path:
        """Return a new folder for a report. Its name has the time, and no name of a patient."""
        return parent / datetime.now().strftime("CovidSeg report %Y-%m-%d %H.%M.%S")

    def review(self, result: slicer.vtkMRMLSegmentationNode, bounds: Bounds = DEFAULT_BOUNDS) -> Review:
        """Return what a person did with a result, and its numbers as the panel shows them.

        Args:
            result: The result.
            bounds: Bounds of ground glass and consolidation.
        """
        lesions, ct = self._lesions.of(result), self._reviews.of(result).ct
        numbers = self._numbers.numbers(result, bounds)
        edits = self._comparison.compare(result) if self._comparison.is_available(result) else None
        rows = self._rows(lesions) if lesions else []
        return Review(
            reader=self.reader(result),
            threshold=self._threshold.threshold(result),
            edits=Edits(**dataclasses.asdict(edits)) if edits else None,
            lesions=[dataclasses.asdict(row) for row in rows],
            regions=[dataclasses.asdict(region) for region in regions_of(numbers)] if numbers else None,
            severity=dataclasses.asdict(numbers.severity) if numbers else None,
            series=series_of_ct(ct) if ct is not None else None,
        )

    def _rows(self, lesions: LesionReview) -> list[ReportLesion]:
        grid = lesions.review.grid
        return [
            ReportLesion(
                lesion.number,
                lesion.side,
                lesion.zone,
                lesion.volume_ml,
                lesion.mean_hu,
                lesion.state,
                _ras(lesion.inside, grid),
            )
            for lesion in lesions.lesions()
        ]

    def start(self, result: slicer.vtkMRMLSegmentationNode, folder: Path, bounds: Bounds = DEFAULT_BOUNDS) -> ReportRun:
        """Start to write a report. Call the run's `poll` regularly until it has `finished`.

        Args:
            result: The result.
            folder: Where to, see `folder_in`.
            bounds: Bounds of ground glass and consolidation.
        """
        review = self._reviews.of(result)
        provenance = json.loads(result.GetAttribute(ATTRIBUTES[3]) or "{}")
        masks = {name: review.mask(name) for name in (*LUNGS, INFECTION)}
        reported = Reported(review.ct, result, masks, review.probability(), self.review(result, bounds), provenance)
        run = ReportRun(reported, folder, self._input.program, self._input.create_worker())
        run.start()
        return run


def _ras(voxel: tuple[int, int, int], grid: Grid) -> tuple[float, float, float]:
    """Return the position of a voxel (z, y, x) in the coordinates of the CT, without its parent transforms."""
    x, y, z, _one = (float(part) for part in grid.affine_ras @ [*voxel[::-1], 1])
    return x, y, z
