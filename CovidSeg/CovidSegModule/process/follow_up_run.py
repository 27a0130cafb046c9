"""One comparison of two CTs: write CTs and masks, start the child process, load the comparison."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import slicer

from CovidSegLib.errors import InputError
from CovidSegLib.volume import Grid

from .. import messages
from ..scene.follow_up_files import FollowUpFiles, read_follow_up_files, write_masks
from ..scene.follow_up_nodes import add_comparison
from ..scene.nodes import removed_on_failure
from ..scene.volumes import grid_of, snapshot, write_nrrd
from ..scene.voxels import BoxArray
from .child_run import OUTPUT, ChildRun
from .command import follow_up_command
from .worker import Worker

#: Names of the two CTs in a run's temporary folder. The folders with their masks have the same names.
SIDES = ("current", "prior")


@dataclass(frozen=True)
class Scan:
    """A CT of a comparison.

    Attributes:
        ct: The CT.
        result: Its result.
        masks: The present masks of the result, by the ID of the segment.
        provenance: How the masks were made.
        date: Date of the study as in ISO 8601, or None.
    """

    ct: slicer.vtkMRMLScalarVolumeNode
    result: slicer.vtkMRMLSegmentationNode
    masks: dict[str, BoxArray | None]
    provenance: dict[str, Any] = field(default_factory=dict)
    date: str | None = None


class FollowUpRun(ChildRun):
    """Compare a CT with an earlier one. Call `start` once, then `poll` from a timer until `finished` is True.

    Args:
        current: The current CT.
        prior: The earlier CT.
        days: Days between them; None if they are not known.
        earlier: Reports of earlier comparisons of the same patient.
        program: The program to run; by default CovidSegLib in Slicer's Python.
        worker: How to run it; by default as a child process.

    Attributes:
        comparison: The new comparison, or None.
    """

    def __init__(
        self,
        current: Scan,
        prior: Scan,
        days: int | None = None,
        earlier: list[dict[str, Any]] | None = None,
        program: list[str] | None = None,
        worker: Worker | None = None,
    ):
        super().__init__("", "cpu", program, worker)
        self._scans = current, prior
        self._ids = [node.GetID() for scan in self._scans for node in (scan.ct, scan.result)]
        self._grids: tuple[Grid, ...] = ()
        self._days, self._earlier = days, earlier or []
        self.comparison: slicer.vtkMRMLSegmentationNode | None = None

    def _prepare(self) -> Callable[[Path], None]:
        voxels = [snapshot(scan.ct) for scan in self._scans]
        self._grids = tuple(grid for _, grid in voxels)

        def write(folder: Path) -> None:
            for name, (array, grid), scan in zip(SIDES, voxels, self._scans, strict=True):
                write_nrrd(array, grid, folder / f"{name}.nrrd")
                write_masks(scan.masks, scan.provenance, grid, folder / name)
            for name, report in zip(self._report_names(), self._earlier, strict=True):
                (folder / name).write_text(json.dumps(report), encoding="utf-8")

        return write

    def _report_names(self) -> list[str]:
        return [f"earlier-{number}.json" for number in range(1, len(self._earlier) + 1)]

    def _command(self) -> list[str]:
        scans = f"{SIDES[0]}.nrrd", f"{SIDES[1]}.nrrd"
        return follow_up_command(self._program, scans, SIDES, OUTPUT, self._days, self._report_names())

    def _obstacle(self) -> str | None:
        if any(slicer.mrmlScene.GetNodeByID(node_id) is None for node_id in self._ids):
            return messages.follow_up_removed()
        return None

    def _secrets(self) -> list[str]:
        return [scan.ct.GetName() for scan in self._scans]

    def _read_output(self, output: Path) -> FollowUpFiles:
        return read_follow_up_files(output)

    def _loaded(self, files: FollowUpFiles) -> bool:
        current, prior = self._scans
        if tuple(grid_of(scan.ct) for scan in self._scans) != self._grids:
            raise InputError(messages.ct_changed())
        self._add_dates(files.report)
        with removed_on_failure():
            self.comparison = add_comparison(files, current.result, current.ct, prior.ct, prior.result)
        self.warnings = list(dict.fromkeys([*self.warnings, *files.report.get("warnings", [])]))
        return True

    def _add_dates(self, report: dict[str, Any]) -> None:
        """Add the dates of the studies, which the files for the child process do not state."""
        for name, scan in zip(SIDES, self._scans, strict=True):
            report[name]["date"] = scan.date
            for point in report["timeline"]:
                if point["fingerprint"] == report[name]["fingerprint"]:
                    point["date"] = point["date"] or scan.date
