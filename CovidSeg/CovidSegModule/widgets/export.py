"""The section "export": the result as DICOM objects."""

from __future__ import annotations

import logging
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from .. import messages
from ..logic.export import ExportLogic
from ..process.export_run import ExportRun
from ..terms import translated
from .section import Section, SectionHost

#: Time between two looks at the export, in milliseconds.
POLL_MILLISECONDS = 200


class ExportSection(Section):
    """Export the current result as DICOM. The section is hidden if there is no result.

    Args:
        panel: The panel that the section is part of.
        logic: The logic of this section.

    Attributes:
        task: The export in progress, or None.
        timer: Polls it.
    """

    name = "export"
    title = _("DICOM")

    def __init__(self, panel: SectionHost, logic: ExportLogic):
        super().__init__(panel)
        self.logic = logic
        self.task: ExportRun | None = None
        self.timer = qt.QTimer()
        self.poll_milliseconds = POLL_MILLISECONDS

    def setup(self) -> None:
        """Connect the button."""
        self.timer.timeout.connect(self.on_timer)
        self.ui.exportButton.connect("clicked(bool)", self.on_export_button)
        self._report("")

    def scene_closing(self) -> None:
        """Cancel the export."""
        self._stop()

    def scene_closed(self) -> None:
        """Clear the message about the previous scene."""
        self._report("")

    def cleanup(self) -> None:
        """Cancel the export."""
        self._stop()

    def nodes_changed(self) -> None:
        """Let the export find out whether its nodes are still there."""
        self.on_timer()

    def update(self) -> None:
        """Show whether the current result can be exported."""
        result = self._result
        has_ct = result is not None and self.logic.ct_of(result) is not None
        self.ui.exportPanel.visible = has_ct
        if result is None or not has_ct:
            return
        running = self.task is not None
        obstacle = self.logic.obstacle(result)
        self.ui.exportButton.text = _("Cancel") if running else _("Export DICOM...")
        self.ui.exportButton.enabled = running or not obstacle
        self.ui.exportButton.toolTip = (
            _("Stop the export. Nothing is written.")
            if running
            else obstacle
            or _(
                "Write the segmentation, the lesions and the measurements as DICOM objects of the study of this CT. "
                "Choose a folder first."
            )
        )
        for box in (self.ui.exportPdfBox, self.ui.exportDatabaseBox):
            box.enabled = not running and not obstacle
        self.ui.exportObstacleLabel.text = obstacle
        self.ui.exportObstacleLabel.visible = bool(obstacle)
        self.ui.exportProgressPanel.visible = running

    def on_export_button(self, _checked: bool = False) -> None:
        """Ask for a folder and start the export, or cancel the current one."""
        if self.task:
            self.task.cancel()
            self._finish()
            return
        result = self._result
        if result is None:
            return
        parent = qt.QFileDialog.getExistingDirectory(self.widget, _("Folder for the DICOM files"))
        if not parent:
            return
        pdf = None
        if self.ui.exportPdfBox.checked:
            chosen = qt.QFileDialog.getOpenFileName(self.widget, _("PDF report"), str(parent), _("PDF (*.pdf)"))
            # PythonQt returns the path, PySide6 also the filter.
            path = str(chosen[0] if isinstance(chosen, tuple) else chosen)
            if not path:
                return
            pdf = Path(path)
        self._report("")
        self.task = self.logic.start(result, self.logic.folder_in(Path(str(parent))), pdf)
        self.timer.start(self.poll_milliseconds)
        self.panel.update()
        self.on_timer()

    def on_timer(self) -> None:
        """Poll the export and show its progress, or finish it."""
        task = self.task
        if task is None:
            return
        task.poll()
        if task.finished:
            self._finish()
        else:
            self.ui.exportStageLabel.text = translated(task.stage)
            self.ui.exportProgressBar.value = round(1000 * task.fraction)

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
            self._report(_('{n} DICOM files were saved in "{folder}".').format(n=len(task.files), folder=task.folder))
            if self.ui.exportDatabaseBox.checked:
                self._add_to_database(task)
        self.panel.update()

    def _add_to_database(self, task: ExportRun) -> None:
        try:
            self.logic.add_to_database(task.folder)
        except Exception:  # whatever happens to the database, the files are saved
            logging.exception("CovidSeg: cannot add the export to the DICOM database")
            text = _("They could not be added to the DICOM database. Import the folder in the module DICOM.")
            self._report(f"{self.ui.exportStatusLabel.text} {text}", problem=True)

    def _stop(self) -> None:
        self.timer.stop()
        if self.task:
            self.task.cancel()
            self.task = None

    @property
    def _result(self) -> slicer.vtkMRMLSegmentationNode | None:
        return self.parameters.result if self.parameters else None

    def _report(self, text: str, problem: bool = False) -> None:
        self.ui.exportStatusLabel.text = text
        self.ui.exportStatusLabel.visible = bool(text)
        self.ui.exportStatusLabel.setStyleSheet("color: #e03131;" if problem else "")
