"""What all runs of the child process have in common: write the input, follow the child, read what it wrote."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import CovidSegLib
from CovidSegLib.errors import InputError

from .. import messages
from ..sentences import translated_sentence
from .background import Background
from .command import python_executable
from .folders import create_folder, remove_folder, remove_leftovers
from .run_log import last_words, run_log, scrub
from .worker import ChildProcess, Event, Worker

#: Exit code of the child process for an input that it cannot use.
UNUSABLE_INPUT = 2
#: Name of the folder with the results in a run's temporary folder.
OUTPUT = "result"


class ChildRun(ABC):
    """A run of the child process. Call `start` once, then `poll` from a timer until `finished` is True.

    A subclass says what to write for the child, how to start it, and what to do with its results.

    Args:
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
        loading: True while the result is read and added to the scene.
        finished: True if the run is over: successful, failed or cancelled.
    """

    def __init__(
        self,
        model: str = "",
        device: str = "auto",
        program: list[str] | None = None,
        worker: Worker | None = None,
    ):
        self._model, self._device = model, device
        self._program = program or [python_executable(), "-m", "CovidSegLib"]
        self._worker = worker or ChildProcess()
        self._folder: Path | None = None
        self._reported_error = ""
        #: What the next call of `poll` does: one of the methods under "steps", or one of the subclass.
        self._step: Callable[[], None] = self._follow
        self._background: Background[Any] | None = None
        self.stage = messages.starting()
        self.fraction = 0.0
        self.seconds_left: float | None = None
        self.warnings: list[str] = []
        self.error: str | None = None
        self.broken_installation = False
        self.gpu_memory = False
        self.log = ""
        self.loading = False
        self.finished = False

    # --- what a subclass defines ---

    @abstractmethod
    def _prepare(self) -> Callable[[Path], None]:
        """Copy what the child needs. Return a function that writes it to a folder, in a thread.

        Raises:
            InputError: The nodes cannot be used.
        """

    @abstractmethod
    def _command(self) -> list[str]:
        """Return the command that is started in the folder."""

    @abstractmethod
    def _obstacle(self) -> str | None:
        """Return why the run cannot go on, for example because a node was removed; None if it can."""

    @abstractmethod
    def _secrets(self) -> list[str]:
        """Return names that must not appear in the log."""

    @abstractmethod
    def _read_output(self, output: Path) -> Any:
        """Read the files that the child has written, in a thread."""

    @abstractmethod
    def _loaded(self, files: Any) -> bool:
        """Do the next part of loading what `_read_output` returned. Return False if there is more to do."""

    def _forget(self) -> None:
        """Release what was read, because the run is over."""
        self._background = None

    # --- what its owner calls ---

    def start(self) -> None:
        """Copy the input and begin to write it for the child process. If this fails, `error` has the message."""
        try:
            remove_leftovers()
            write = self._prepare()
            folder = self._folder = create_folder()
            self._background = Background(lambda: write(folder))
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
        obstacle = self._obstacle()
        if obstacle:
            self.cancel(obstacle)
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
        """Start the child process as soon as its input is written."""
        assert self._background is not None and self._folder is not None, "the run was not started"
        if not self._background.done:
            return
        try:
            self._background.result()
            self._worker.start(self._command(), self._folder)
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
            self._background = Background(lambda: self._read_output(output))
            self._step = self._load
        elif exit_code is not None:
            self._fail(exit_code)

    def _load(self) -> None:
        """Wait for the files, then load them part by part."""
        assert self._background is not None, "the run was not started"
        if not self._background.done:
            return
        try:
            if self._loaded(self._background.result()):
                self._finish(None)
        except InputError as error:
            self._finish(str(error))
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
            self._finish(translated_sentence(self._reported_error))
            return
        output, secrets = self._worker.error_output, self._secrets()
        logging.error("CovidSeg: the child process ended with exit code %d\n%s", exit_code, output)
        self.broken_installation = messages.mentions_broken_package(output)
        self.log = run_log(exit_code, output, CovidSegLib.__version__, self._model, self._device, secrets)
        self._finish(messages.crashed(exit_code, output + self._reported_error, scrub(last_words(output), secrets)))

    def _finish(self, error: str | None) -> None:
        self.error, self.finished = error, True
        self._forget()
        self._worker.stop()
        if self._folder is not None:
            remove_folder(self._folder)
