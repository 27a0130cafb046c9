"""One segmentation: write the CT, start the child process, load the result. Cancelled, it changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import slicer
import vtk

from CovidSegLib.errors import InputError
from CovidSegLib.volume import Grid

from .. import messages
from ..scene.display import set_lung_window, set_result_display
from ..scene.nodes import removed_on_failure
from ..scene.provenance import set_provenance
from ..scene.result_files import ResultFiles, read_result_files, read_surface
from ..scene.review import add_original, add_probability, original_codes
from ..scene.segmentations import add_segmentation, hide_others
from ..scene.tables import add_table, rows_of_report
from ..scene.volumes import grid_of, snapshot, write_nrrd
from ..scene.voxels import BoxArray
from .child_run import OUTPUT, ChildRun
from .command import segment_command
from .worker import Worker

#: Name of the CT in a run's temporary folder.
CT = "ct.nrrd"


@dataclass(frozen=True)
class Result:
    """What a run has changed in the scene.

    Attributes:
        segmentation: The new segmentation.
        table: The new table with its numbers.
        hidden: Names of earlier results on the same CT that were visible and are now hidden.
    """

    segmentation: slicer.vtkMRMLSegmentationNode
    table: slicer.vtkMRMLTableNode
    hidden: tuple[str, ...] = ()


class Run(ChildRun):
    """Segment one CT. Call `start` once, then `poll` from a timer until `finished` is True.

    Args:
        ct: The volume node to segment.
        model: Name of an installed model; empty for the default model.
        device: "auto", "cuda" or "cpu".
        program: The program to run; by default CovidSegLib in Slicer's Python.
        worker: How to run it; by default as a child process.

    Attributes:
        result: The new nodes, or None.
    """

    def __init__(
        self,
        ct: slicer.vtkMRMLScalarVolumeNode,
        model: str = "",
        device: str = "auto",
        program: list[str] | None = None,
        worker: Worker | None = None,
    ):
        super().__init__(model, device, program, worker)
        self._ct_id = ct.GetID()
        self._grid: Grid | None = None
        self._surfaces: dict[str, vtk.vtkPolyData] = {}
        self.result: Result | None = None

    @property
    def ct(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """The CT, or None if it was removed from the scene."""
        return slicer.mrmlScene.GetNodeByID(self._ct_id)

    def _prepare(self) -> Callable[[Path], None]:
        voxels, grid = snapshot(self.ct)
        self._grid = grid
        return lambda folder: write_nrrd(voxels, grid, folder / CT)

    def _command(self) -> list[str]:
        return segment_command(self._program, CT, OUTPUT, self._model, self._device)

    def _obstacle(self) -> str | None:
        return messages.ct_removed() if self.ct is None else None

    def _secrets(self) -> list[str]:
        return [self.ct.GetName()] if self.ct else []

    def _read_output(self, output: Path) -> tuple[ResultFiles, BoxArray]:
        """Read the voxels of the result and prepare those of the nodes."""
        files = read_result_files(output)
        return files, original_codes({segment.identifier: files.mask(segment) for segment in files.segments})

    def _loaded(self, read: tuple[ResultFiles, BoxArray]) -> bool:
        """Read one surface at a time, then add the result to the scene."""
        assert self._folder is not None and self.ct is not None, "the run was not started"
        files, original = read
        missing = [segment.identifier for segment in files.segments if segment.identifier not in self._surfaces]
        if missing:
            self._surfaces[missing[0]] = read_surface(self._folder / OUTPUT, missing[0])
            return False
        if grid_of(self.ct) != self._grid:
            raise InputError(messages.ct_changed())
        self.result = self._add_nodes(self.ct, files, original)
        return True

    def _add_nodes(self, ct: slicer.vtkMRMLScalarVolumeNode, files: ResultFiles, original: BoxArray) -> Result:
        report = files.report
        with removed_on_failure():
            segmentation = add_segmentation(files, self._surfaces, ct)
            set_result_display(segmentation)
            set_lung_window(ct)
            add_original(segmentation, ct, original)
            add_probability(segmentation, ct, files.probability)
            table = add_table(rows_of_report(report), segmentation, ct)
            for node in (segmentation, table):
                set_provenance(node, report.get("provenance", {}))
        hidden = hide_others(segmentation, ct)
        self.warnings = list(dict.fromkeys([*self.warnings, *report.get("warnings", [])]))
        return Result(segmentation, table, tuple(hidden))

    def _forget(self) -> None:
        super()._forget()
        self._surfaces = {}
