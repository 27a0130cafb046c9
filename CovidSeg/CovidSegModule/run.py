"""One press of the button: the CT out, the child process, the result in; or, cancelled, as if nothing had been."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import slicer

from CovidSegLib.errors import InputError

from . import scene, tables, words
from .worker import ChildProcess, Worker, python, segment_command

#: Exit code of the child for an input that it cannot use.
UNUSABLE_INPUT = 2
#: What lies in a run's temporary folder.
CT, OUTPUT = "ct.nrrd", "result"
#: Start of the name of a run's temporary folder.
FOLDER_PREFIX = "CovidSeg-run-"
#: A folder this old, in seconds, was left by an application that did not end by itself.
LEFTOVER_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Result:
    """What a run leaves in the scene."""

    segmentation: slicer.vtkMRMLSegmentationNode
    table: slicer.vtkMRMLTableNode


class Run:
    """Segments one CT. Call `poll` now and then, from a timer, until `finished`.

    Args:
        ct: The volume node to segment.
        model: Name of an installed model, empty for the default.
        device: "auto", "cuda" or "cpu".
        program: What is run, by default CovidSegLib in Slicer's Python.
        worker: How it is run, by default as a child process.

    Attributes:
        stage: What is being done, in plain words.
        fraction: How much of the whole is done, 0 to 1.
        seconds_left: Estimate, or None where it is not known.
        warnings: Sentences for the user.
        error: A sentence for the user where the run failed, else None.
        broken_installation: True where it failed because a Python package cannot be loaded.
        result: The nodes that were made, or None.
        loading: True when the next call of `poll` loads the result, which takes a few seconds.
        finished: True when nothing more will happen.
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
        self._program = program or [python(), "-m", "CovidSegLib"]
        self._worker = worker or ChildProcess()
        self._folder: Path | None = None
        self.loading = False
        self._sentence = ""  # of the child's last error event
        self.stage, self.fraction, self.seconds_left = "Starting", 0.0, None
        self.warnings: list[str] = []
        self.error: str | None = None
        self.broken_installation = False
        self.result: Result | None = None
        self.finished = False

    @property
    def ct(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """The CT, or None when it is no longer in the scene."""
        return slicer.mrmlScene.GetNodeByID(self._ct_id)

    def start(self) -> None:
        """Write the CT and start the child; a failure is in `error`."""
        try:
            remove_leftovers()
            self._folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=temporary_path()))
            self._grid = scene.write_ct(self.ct, self._folder / CT)
            command = segment_command(self._program, CT, OUTPUT, self._model, self._device)
            self._worker.start(command, self._folder)
        except InputError as error:
            self._finish(str(error))
        except Exception:
            logging.exception("CovidSeg: cannot start")
            self._finish(words.cannot_start())

    def poll(self) -> None:
        """Take in what the child reported, and its result when it is done; returns at once but for the loading."""
        if self.finished:
            return
        if self.loading:
            self._load()
            return
        exit_code = self._worker.exit_code  # before the events: those that are there when it has ended are all
        for event in self._worker.poll():
            try:
                self._take(event)
            except (TypeError, ValueError):
                logging.exception("CovidSeg: the child process reported %s", event)
        if self.ct is None:
            self.cancel(words.ct_removed())
        elif exit_code == 0:
            # The next call loads, so that the panel can say so before the application is busy.
            self.loading, self.stage, self.fraction, self.seconds_left = True, words.loading(), 1.0, None
        elif exit_code is not None:
            self._fail(exit_code)

    def cancel(self, error: str | None = None) -> None:
        """Kill the child and leave no trace; `error` where it was not the user who wanted it."""
        if not self.finished:
            self._finish(error)

    def _take(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "progress":
            self.stage = str(event.get("stage", self.stage))
            self.fraction = min(max(float(event.get("fraction") or 0.0), 0.0), 1.0)
            self.seconds_left = event.get("seconds_left")
        elif kind == "warning":
            self.warnings.append(str(event.get("message", "")))
        elif kind == "error":
            self._sentence = str(event.get("message", ""))

    def _fail(self, exit_code: int) -> None:
        output = self._worker.error_output
        logging.error("CovidSeg: the child process ended with exit code %d\n%s", exit_code, output)
        self.broken_installation = exit_code != UNUSABLE_INPUT and words.tells_of_broken_package(output)
        # What it says of an unusable input is meant for the user; of a defect the panel speaks in its own words.
        said = self._sentence if exit_code == UNUSABLE_INPUT else ""
        self._finish(said or words.crashed(exit_code, output + self._sentence))

    def _load(self) -> None:
        ct = self.ct
        if ct is None:
            self._finish(words.ct_removed())
            return
        try:
            if scene.grid_of(ct) != self._grid:
                self._finish(words.ct_changed())
                return
            output = self._folder / OUTPUT
            report = json.loads((output / "report.json").read_text(encoding="utf-8"))
            with scene.undone_on_failure():
                segmentation = scene.load_segmentation(output / "segmentation.seg.nrrd", ct)
                table = tables.add_table(tables.rows_of_report(report), segmentation, ct)
                for node in (segmentation, table):
                    scene.set_provenance(node, report.get("provenance", {}))
            self.warnings = list(dict.fromkeys([*self.warnings, *report.get("warnings", [])]))
            self.result = Result(segmentation, table)
            self._finish(None)
        except Exception:
            logging.exception("CovidSeg: cannot load the result")
            self._finish(words.cannot_load())

    def _finish(self, error: str | None) -> None:
        self.error, self.finished = error, True
        self._worker.stop()
        if self._folder is not None:
            remove_folder(self._folder)


def temporary_path() -> str:
    """Where temporary files go: as set in the application, or else in the system."""
    return getattr(getattr(slicer, "app", None), "temporaryPath", None) or tempfile.gettempdir()


def remove_folder(folder: Path) -> None:
    """Remove a folder that may hold images of a patient; Windows lets go of a killed process's files a moment later."""
    for _ in range(20):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)
    logging.error("CovidSeg: cannot remove the temporary folder %s", folder)


def remove_leftovers() -> None:
    """Remove the folders of runs whose application crashed: they hold images of patients."""
    for folder in Path(temporary_path()).glob(f"{FOLDER_PREFIX}*"):
        try:
            left = time.time() - folder.stat().st_mtime > LEFTOVER_SECONDS
        except OSError:  # somebody else's, or gone meanwhile
            continue
        if left:
            shutil.rmtree(folder, ignore_errors=True)
