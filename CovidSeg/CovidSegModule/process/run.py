"""One run: write the CT, start the child process, load the result. A cancelled run leaves the scene unchanged."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path

import slicer

from CovidSegLib.errors import InputError
from CovidSegLib.volume import Grid

from .. import messages
from ..scene.nodes import removed_on_failure
from ..scene.provenance import set_provenance
from ..scene.review import add_original, add_probability, read_probability
from ..scene.segmentations import load_segmentation
from ..scene.tables import add_table, rows_of_report
from ..scene.volumes import grid_of, write_ct
from .command import python_executable, segment_command
from .folders import create_folder, remove_folder, remove_leftovers
from .worker import ChildProcess, Event, Worker

#: Exit code of the child process for an input that it cannot use.
UNUSABLE_INPUT = 2
#: Names of the CT and of the folder with the results in a run's temporary folder.
CT, OUTPUT = "ct.nrrd", "result"


@dataclass(frozen=True)
class Result:
    """The nodes that a run adds to the scene."""

    segmentation: slicer.vtkMRMLSegmentationNode
    table: slicer.vtkMRMLTableNode


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
        broken_installation: True if the run failed because a Python package cannot be loaded.
        result: The new nodes, or None.
        loading: True if the next call of `poll` loads the result, which takes a few seconds.
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
        self.stage = messages.starting()
        self.fraction = 0.0
        self.seconds_left: float | None = None
        self.warnings: list[str] = []
        self.error: str | None = None
        self.broken_installation = False
        self.result: Result | None = None
        self.loading = False
        self.finished = False

    @property
    def ct(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """The CT, or None if it was removed from the scene."""
        return slicer.mrmlScene.GetNodeByID(self._ct_id)

    def start(self) -> None:
        """Write the CT and start the child process. If this fails, `error` has the message."""
        try:
            remove_leftovers()
            self._folder = create_folder()
            self._grid = write_ct(self.ct, self._folder / CT)
            command = segment_command(self._program, CT, OUTPUT, self._model, self._device)
            self._worker.start(command, self._folder)
        except InputError as error:
            self._finish(str(error))
        except Exception:
            logging.exception("CovidSeg: cannot start the child process")
            self._finish(messages.cannot_start())

    def poll(self) -> None:
        """Process new events, and load the result after the child process has ended. Only loading takes time."""
        if self.finished:
            return
        if self.loading:
            self._load()
            return
        # Read the exit code before the events: if the process has ended, the events that follow are complete.
        exit_code = self._worker.exit_code
        for event in self._worker.poll():
            try:
                self._process_event(event)
            except (TypeError, ValueError):
                logging.exception("CovidSeg: the child process reported %s", event)
        if self.ct is None:
            self.cancel(messages.ct_removed())
        elif exit_code == 0:
            # The next call loads the result. Until then, the panel can show this stage.
            self.loading, self.stage, self.fraction, self.seconds_left = True, messages.loading_result(), 1.0, None
        elif exit_code is not None:
            self._fail(exit_code)

    def cancel(self, error: str | None = None) -> None:
        """Kill the child process and remove its files.

        Args:
            error: The reason, if the run was not cancelled by the user.
        """
        if not self.finished:
            self._finish(error)

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

    def _fail(self, exit_code: int) -> None:
        output = self._worker.error_output
        logging.error("CovidSeg: the child process ended with exit code %d\n%s", exit_code, output)
        self.broken_installation = exit_code != UNUSABLE_INPUT and messages.mentions_broken_package(output)
        # The child's message about an unusable input is meant for the user. Its other messages are technical.
        for_user = self._reported_error if exit_code == UNUSABLE_INPUT else ""
        self._finish(for_user or messages.crashed(exit_code, output + self._reported_error))

    def _load(self) -> None:
        ct = self.ct
        if ct is None:
            self._finish(messages.ct_removed())
            return
        try:
            if grid_of(ct) != self._grid:
                self._finish(messages.ct_changed())
                return
            self.result = self._load_result(ct)
            self._finish(None)
        except Exception:
            logging.exception("CovidSeg: cannot load the result")
            self._finish(messages.cannot_load())

    def _load_result(self, ct: slicer.vtkMRMLScalarVolumeNode) -> Result:
        assert self._folder is not None, "the run was not started"
        output = self._folder / OUTPUT
        report = json.loads((output / "report.json").read_text(encoding="utf-8"))
        with removed_on_failure():
            segmentation = load_segmentation(output / "segmentation.seg.nrrd", ct)
            add_original(segmentation, ct)
            add_probability(segmentation, ct, read_probability(output / "infection_probability.nii.gz"))
            table = add_table(rows_of_report(report), segmentation, ct)
            for node in (segmentation, table):
                set_provenance(node, report.get("provenance", {}))
        self.warnings = list(dict.fromkeys([*self.warnings, *report.get("warnings", [])]))
        return Result(segmentation, table)

    def _finish(self, error: str | None) -> None:
        self.error, self.finished = error, True
        self._worker.stop()
        if self._folder is not None:
            remove_folder(self._folder)
