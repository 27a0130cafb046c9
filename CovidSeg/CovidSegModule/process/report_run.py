"""One report: write the masks, start the child process, move what it wrote to the chosen folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import slicer

from CovidSegLib.reports.review import Review
from CovidSegLib.reports.thinning import nifti

from .. import messages
from ..scene.follow_up_files import write_masks
from ..scene.result_files import PROBABILITY
from ..scene.volumes import snapshot, write_nrrd
from ..scene.voxels import BoxArray
from .child_run import OUTPUT
from .command import report_command
from .files_run import FilesRun
from .worker import Worker

#: Names in a run's temporary folder.
CT, MASKS, REVIEW = "ct.nrrd", "masks", "review.json"


@dataclass(frozen=True)
class Reported:
    """A result as it is at the start of a report.

    Attributes:
        ct: Its CT.
        result: The result.
        masks: Its masks by the ID of the segment.
        probability: The probability of infection, uint8, or None.
        review: What a person did with it.
        provenance: How the model's masks were made.
    """

    ct: slicer.vtkMRMLScalarVolumeNode
    result: slicer.vtkMRMLSegmentationNode
    masks: dict[str, BoxArray | None]
    probability: BoxArray | None
    review: Review
    provenance: dict[str, Any] = field(default_factory=dict)


class ReportRun(FilesRun):
    """Write a report. Call `start` once, then `poll` from a timer until `finished` is True.

    Args:
        reported: The result.
        folder: Where to. It is created, and must not hold an earlier report.
        program: The program to run; by default CovidSegLib in Slicer's Python.
        worker: How to run it; by default as a child process.
    """

    def __init__(
        self, reported: Reported, folder: Path, program: list[str] | None = None, worker: Worker | None = None
    ):
        super().__init__((reported.ct, reported.result), messages.report_removed, folder, program, worker)
        self._reported = reported

    def _prepare(self) -> Callable[[Path], None]:
        reported = self._reported
        voxels, grid = snapshot(reported.ct)

        def write(folder: Path) -> None:
            write_nrrd(voxels, grid, folder / CT)
            write_masks(reported.masks, reported.provenance, grid, folder / MASKS)
            if reported.probability is not None:
                probability = nifti(reported.probability.full(grid.shape), grid)
                (folder / MASKS / PROBABILITY).write_bytes(probability)
            (folder / REVIEW).write_text(json.dumps(reported.review.as_json()), encoding="utf-8")

        return write

    def _command(self) -> list[str]:
        return report_command(self._program, MASKS, CT, REVIEW, OUTPUT)

    def _secrets(self) -> list[str]:
        reader = self._reported.review.reader
        names = [self._reported.ct.GetName(), str(self.folder), reader.patient, reader.reviewed_by]
        return [name for name in names if name]
