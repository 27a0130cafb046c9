"""The section "report": fields for the reader, and the report as HTML and PDF."""

from __future__ import annotations

from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from CovidSegLib.reports.review import CO_RADS, RSNA, Reader

from .. import messages
from ..logic.numbers import DEFAULT_BOUNDS
from ..logic.report import ReportLogic
from ..process.report_run import ReportRun
from ..terms import translated
from .section import Section, SectionHost

#: Time between two looks at the run, in milliseconds.
POLL_MILLISECONDS = 200


class ReportSection(Section):
    """Write the report of the current result. The section is hidden if there is no result.

    Args:
        panel: The panel that the section is part of.
        logic: The logic of this section.

    Attributes:
        task: The report in progress, or None.
        timer: Polls it.
    """

    name = "report"
    title = _("Report")

    def __init__(self, panel: SectionHost, logic: ReportLogic):
        super().__init__(panel)
        self.logic = logic
        self.task: ReportRun | None = None
        self.timer = qt.QTimer()
        self.poll_milliseconds = POLL_MILLISECONDS
        self._filling = False
        self._opened = ""
        self._edits = (self.ui.reportPatientEdit, self.ui.reportReviewedByEdit, self.ui.reportDateEdit)
        self._selectors = (self.ui.reportCoRadsSelector, self.ui.reportRsnaSelector)

    def setup(self) -> None:
        """Fill the selectors and connect all signals."""
        for selector, classes in zip(self._selectors, (CO_RADS, RSNA), strict=True):
            for text in ("", *classes):
                selector.addItem(text)
            selector.connect("currentIndexChanged(int)", self.on_field)
        for edit in self._edits:
            edit.connect("textChanged(QString)", self.on_field)
        self.ui.reportImpressionEdit.connect("textChanged()", self.on_field)
        self.timer.timeout.connect(self.on_timer)
        self.ui.reportButton.connect("clicked(bool)", self.on_report_button)
        self.ui.viewerButton.connect("clicked(bool)", self.on_viewer_button)
        self._report("")

    def scene_closing(self) -> None:
        """Cancel the report."""
        self._stop()

    def scene_closed(self) -> None:
        """Clear the message about the previous scene."""
        self._report("")

    def cleanup(self) -> None:
        """Cancel the report."""
        self._stop()

    def nodes_changed(self) -> None:
        """Let the report find out whether its nodes are still there."""
        self.on_timer()

    def update(self) -> None:
        """Show the fields of the current result."""
        result = self._result
        available = result is not None and self.logic.is_available(result)
        self.ui.reportPanel.visible = available
        if result is None or not available:
            return
        running = self.task is not None
        self.ui.reportButton.text = _("Cancel") if running else _("Report...")
        self.ui.viewerButton.enabled = not running
        self.ui.reportProgressPanel.visible = running
        reader = self.logic.reader(result)
        if reader != self._shown():
            self._fill(reader)

    def on_field(self, _value: object = None) -> None:
        """Keep what the reader has filled in."""
        if self._result is not None and not self._filling:
            self.logic.set_reader(self._result, self._shown())

    def on_report_button(self, _checked: bool = False) -> None:
        """Ask for a folder and start the report, or cancel the current one."""
        if self.task:
            self.task.cancel()
            self._finish()
        else:
            self._start("report.html")

    def on_viewer_button(self, _checked: bool = False) -> None:
        """Ask for a folder and start to write the viewer, with the report."""
        if self.task is None:
            self._start("viewer.html")

    def _start(self, opened: str) -> None:
        """Ask for a folder and start.

        Args:
            opened: Name of the file to open when it is written.
        """
        result = self._result
        if result is None or self.parameters is None:
            return
        self._opened = opened
        parent = qt.QFileDialog.getExistingDirectory(self.widget, _("Folder for the report"))
        if not parent:
            return
        self._report("")
        bounds = self.parameters.tissue_bounds or DEFAULT_BOUNDS
        self.task = self.logic.start(result, self.logic.folder_in(Path(str(parent))), bounds)
        self.timer.start(self.poll_milliseconds)
        self.panel.update()
        self.on_timer()

    def on_timer(self) -> None:
        """Poll the report and show its progress, or finish it."""
        task = self.task
        if task is None:
            return
        task.poll()
        if task.finished:
            self._finish()
        else:
            self.ui.reportStageLabel.text = translated(task.stage)
            self.ui.reportProgressBar.value = round(1000 * task.fraction)

    def _finish(self) -> None:
        """Tell what was written and open it, or tell why nothing was."""
        task, self.task = self.task, None
        self.timer.stop()
        if task is None:
            return
        if task.error is not None:
            self._report(task.error, problem=True)
        elif not task.files:
            self._report(messages.cancelled())
        else:
            self._report(_('Report and viewer were saved in "{folder}".').format(folder=task.folder))
            qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(task.folder / self._opened)))
        self.panel.update()

    def _shown(self) -> Reader:
        """Return the fields as they are shown."""
        patient, reviewed_by, date = (str(edit.text).strip() for edit in self._edits)
        co_rads, rsna = (str(selector.currentText) for selector in self._selectors)
        impression = str(self.ui.reportImpressionEdit.toPlainText()).strip()
        return Reader(patient, impression, co_rads, rsna, reviewed_by, date)

    def _fill(self, reader: Reader) -> None:
        self._filling = True
        try:
            texts = (reader.patient, reader.reviewed_by, reader.date)
            for edit, text in zip(self._edits, texts, strict=True):
                edit.text = text
            for selector, text in zip(self._selectors, (reader.co_rads, reader.rsna), strict=True):
                selector.setCurrentIndex(selector.findText(text))
            self.ui.reportImpressionEdit.setPlainText(reader.impression)
        finally:
            self._filling = False

    def _stop(self) -> None:
        self.timer.stop()
        if self.task:
            self.task.cancel()
            self.task = None

    @property
    def _result(self) -> slicer.vtkMRMLSegmentationNode | None:
        return self.parameters.result if self.parameters else None

    def _report(self, text: str, problem: bool = False) -> None:
        self.ui.reportStatusLabel.text = text
        self.ui.reportStatusLabel.visible = bool(text)
        self.ui.reportStatusLabel.setStyleSheet("color: #e03131;" if problem else "")
