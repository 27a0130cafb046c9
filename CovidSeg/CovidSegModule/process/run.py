"""One run: write the CT, start the child process, load the result. A cancelled run leaves the scene unchanged."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import slicer
import vtk

import CovidSegLib
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
from .background import Background
from .command import python_executable, segment_command
from .folders import create_folder, remove_folder, remove_leftovers
from .run_log import last_words, run_log, scrub
from .worker import ChildProcess, Event, Worker

#: Exit code of the child process for an input that it cannot use.
UNUSABLE_INPUT = 2
#: Names of the CT and of the folder with the results in a run's temporary folder.
CT, OUTPUT = "ct.nrrd", "result"


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


class Run:
    """Segment one CT. Call `start` once, then `poll` from a timer until `finished` is True.

    Args:
        ct: The volume node to segment.
        model: Name of an installed model; empty for the default model.
        device: "auto", "cuda" or "cpu".
        program: The program to run; by default CovidSegLib in Slicer's Python.
        worker: How to run it; by default as a child process.

    Attributes:
        stage: Current stage, as shown to the user.
        fraction: Finished fraction of the whole run, 0 to 1.
        seconds_left: Estimated remaining time in seconds, or None if unknown.
        warnings: Warnings for the user.
        error: Error message for the user if the run failed, otherwise None.
        gpu_memory: True if the run failed because the GPU has too little memory.
        log: What can be sent to the developers if the process has crashed, without names; otherwise empty.
        broken_installation: True if the run failed because a Python package cannot be loaded.
        result: The new nodes, or None.
        loading: True while the result is read and added to the scene.
        finished: True if the run is over: successful, failed or cancelled.
    """

    def __init__(
        self,
        ct: slicer.vtkMRMLScalarVolumeNode,
        model: str = "",
        device: str = "auto",
        program: list[str] | None = None,
        worker: Worker | None = None,
    ):
        self._ct_id, self._model, self._device = ct.GetID(), model, device
        self._program = program or [python_executable(), "-m", "CovidSegLib"]
        self._worker = worker or ChildProcess()
        self._folder: Path | None = None
        self._grid: Grid | None = None
        self._reported_error = ""
        #: What the next call of `poll` does: one of the methods under "steps".
        self._step: Callable[[], None] = self._follow
        self._background: Background[Any] | None = None
        self._files: tuple[ResultFiles, BoxArray] | None = None
        self._surfaces: dict[str, vtk.vtkPolyData] = {}
        self.stage = messages.starting()
        self.fraction = 0.0
        self.seconds_left: float | None = None
        self.warnings: list[str] = []
        self.error: str | None = None
        self.broken_installation = False
        self.gpu_memory = False
        self.log = ""
        self.result: Result | None = None
        self.loading = False
        self.finished = False

    @property
    def ct(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """The CT, or None if it was removed from the scene."""
        return slicer.mrmlScene.GetNodeByID(self._ct_id)

    def start(self) -> None:
        """Copy the CT and begin to write it for the child process. If this fails, `error` has the message."""
        try:
            remove_leftovers()
            voxels, grid = snapshot(self.ct)
            self._folder, self._grid = create_folder(), grid
            path = self._folder / CT
            self._background = Background(lambda: write_nrrd(voxels, grid, path))
            self._step = self._start_child
        except InputError as error:
            self._finish(str(error))
        except Exception:
            logging.exception("CovidSeg: cannot write the CT")
            self._finish(messages.cannot_start())

    def poll(self) -> None:
        """Do the next small step if there is something to do. No step blocks the application for long."""
        if self.finished:
            return
        if self.ct is None:
            self.cancel(messages.ct_removed())
            return
        self._step()

    def cancel(self, error: str | None = None) -> None:
        """Kill the child process and remove its files.

        Args:
            error: The reason, if the run was not cancelled by the user.
        """
        if not self.finished:
            self._finish(error)

    # --- steps, in this order ---

    def _start_child(self) -> None:
        """Start the child process as soon as the CT is written."""
        assert self._background is not None and self._folder is not None, "the run was not started"
        if not self._background.done:
            return
        try:
            self._background.result()
            command = segment_command(self._program, CT, OUTPUT, self._model, self._device)
            self._worker.start(command, self._folder)
            self._step = self._follow
        except Exception:
            logging.exception("CovidSeg: cannot start the child process")
            self._finish(messages.cannot_start())

    def _follow(self) -> None:
        """Process new events of the child process, and begin to read the result when it has ended."""
        # Read the exit code before the events: if the process has ended, the events that follow are complete.
        exit_code = self._worker.exit_code
        for event in self._worker.poll():
            try:
                self._process_event(event)
            except (TypeError, ValueError):
                logging.exception("CovidSeg: the child process reported %s", event)
        if exit_code == 0:
            assert self._folder is not None, "the run was not started"
            output = self._folder / OUTPUT
            self.loading, self.stage, self.fraction, self.seconds_left = True, messages.loading_result(), 1.0, None
            self._background = Background(lambda: _read_files(output))
            self._step = self._read
        elif exit_code is not None:
            self._fail(exit_code)

    def _read(self) -> None:
        """Wait for the voxels of the result, then read one surface at a time."""
        assert self._background is not None and self._folder is not None, "the run was not started"
        if not self._background.done:
            return
        try:
            self._files = self._background.result()
            files, _original = self._files
            missing = [segment.identifier for segment in files.segments if segment.identifier not in self._surfaces]
            if missing:
                self._surfaces[missing[0]] = read_surface(self._folder / OUTPUT, missing[0])
            else:
                self._step = self._load
        except Exception:
            logging.exception("CovidSeg: cannot read the result")
            self._finish(messages.cannot_load())

    def _load(self) -> None:
        """Add the result to the scene."""
        ct = self.ct
        assert ct is not None and self._files is not None, "the result was not read"
        if grid_of(ct) != self._grid:
            self._finish(messages.ct_changed())
            return
        try:
            self.result = self._add_nodes(ct, *self._files)
            self._finish(None)
        except Exception:
            logging.exception("CovidSeg: cannot load the result")
            self._finish(messages.cannot_load())

    # --- their parts ---

    def _process_event(self, event: Event) -> None:
        kind = event["event"]
        if kind == "progress":
            self.stage = str(event.get("stage", self.stage))
            self.fraction = min(max(float(event.get("fraction") or 0.0), 0.0), 1.0)
            self.seconds_left = event.get("seconds_left")
        elif kind == "warning":
            self.warnings.append(str(event.get("message", "")))
        elif kind == "error":
            self._reported_error = str(event.get("message", ""))
            self.gpu_memory = event.get("kind") == "gpu_memory"

    def _fail(self, exit_code: int) -> None:
        if exit_code == UNUSABLE_INPUT and self._reported_error:
            # The child's message about an unusable input is meant for the user, and is not an error of the application.
            logging.info("CovidSeg: %s", self._reported_error)
            self._finish(self._reported_error)
            return
        output = self._worker.error_output
        logging.error("CovidSeg: the child process ended with exit code %d\n%s", exit_code, output)
        self.broken_installation = messages.mentions_broken_package(output)
        secrets = [self.ct.GetName()] if self.ct else []
        self.log = run_log(exit_code, output, CovidSegLib.__version__, self._model, self._device, secrets)
        self._finish(messages.crashed(exit_code, output + self._reported_error, scrub(last_words(output), secrets)))

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

    def _finish(self, error: str | None) -> None:
        self.error, self.finished = error, True
        self._files, self._surfaces = None, {}
        self._worker.stop()
        if self._folder is not None:
            remove_folder(self._folder)


def _read_files(output: Path) -> tuple[ResultFiles, BoxArray]:
    """Read the voxels of a result and prepare those of the nodes."""
    files = read_result_files(output)
    return files, original_codes({segment.identifier: files.mask(segment) for segment in files.segments})
