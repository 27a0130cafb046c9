"""What sections have in common that write files of the current result to a folder, in a run of the child process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Generic, TypeVar

import qt
import slicer

from .. import messages
from ..process.files_run import FilesRun
from ..terms import translated
from .section import Section, SectionHost

#: Time between two looks at the run, in milliseconds.
POLL_MILLISECONDS = 200

Run = TypeVar("Run", bound=FilesRun)


class FilesSection(Section, ABC, Generic[Run]):
    """A section that writes files of the current result.

    Its `.ui` file has the widgets StageLabel, ProgressBar and StatusLabel, each with the name of the section before it.

    Args:
        panel: The panel that the section is part of.

    Attributes:
        task: The run in progress, or None.
        timer: Polls it.
    """

    def __init__(self, panel: SectionHost):
        super().__init__(panel)
        self.task: Run | None = None
        self.timer = qt.QTimer()
        self.poll_milliseconds = POLL_MILLISECONDS

    @abstractmethod
    def _written(self, task: Run) -> None:
        """Report what a run has written."""

    def setup(self) -> None:
        """Connect the timer."""
        self.timer.timeout.connect(self.on_timer)
        self._report("")

    def scene_closing(self) -> None:
        """Cancel the run."""
        self._stop()

    def scene_closed(self) -> None:
        """Clear the message about the previous scene."""
        self._report("")

    def cleanup(self) -> None:
        """Cancel the run."""
        self._stop()

    def nodes_changed(self) -> None:
        """Let the run find out whether its nodes are still there."""
        self.on_timer()

    def on_timer(self) -> None:
        """Poll the run and show its progress, or finish it."""
        task = self.task
        if task is None:
            return
        task.poll()
        if task.finished:
            self._finish()
        else:
            self._widget("StageLabel").text = translated(task.stage)
            self._widget("ProgressBar").value = round(1000 * task.fraction)

    def _ask_for_folder(self, title: str) -> Path | None:
        """Ask for the folder in which a new folder is made. Return None if the user cancels."""
        chosen = qt.QFileDialog.getExistingDirectory(self.widget, title)
        return Path(str(chosen)) if chosen else None

    def _follow(self, task: Run) -> None:
        """Follow a run that was started."""
        self._report("")
        self.task = task
        self.timer.start(self.poll_milliseconds)
        self.panel.update()
        self.on_timer()

    def _cancel(self) -> None:
        """Cancel the run, because the user asked for it."""
        if self.task is not None:
            self.task.cancel()
            self._finish()

    def _finish(self) -> None:
        """Report what was written, or why nothing was."""
        task, self.task = self.task, None
        self.timer.stop()
        if task is None:
            return
        if task.error is not None:
            self._report(task.error, problem=True)
        elif not task.files:
            self._report(messages.cancelled())
        else:
            self._written(task)
        self.panel.update()

    def _stop(self) -> None:
        self.timer.stop()
        if self.task is not None:
            self.task.cancel()
            self.task = None

    @property
    def _result(self) -> slicer.vtkMRMLSegmentationNode | None:
        return self.parameters.result if self.parameters else None

    def _report(self, text: str, problem: bool = False) -> None:
        label = self._widget("StatusLabel")
        label.text = text
        label.visible = bool(text)
        label.setStyleSheet("color: #e03131;" if problem else "")

    def _widget(self, name: str) -> Any:
        return getattr(self.ui, self.name + name)
