"""The section "report": fields for the reader, and the report as HTML and PDF."""

from __future__ import annotations

import qt
from slicer.i18n import tr as _

from CovidSegLib.reports.review import CO_RADS, RSNA, Reader

from ..logic.numbers import DEFAULT_BOUNDS
from ..logic.report import ReportLogic
from ..process.report_run import ReportRun
from .files_section import FilesSection
from .section import SectionHost


class ReportSection(FilesSection[ReportRun]):
    """Write the report of the current result. The section is hidden if there is no result.

    Args:
        panel: The panel that the section is part of.
        logic: The logic of this section.
    """

    name = "report"
    title = _("Report")

    def __init__(self, panel: SectionHost, logic: ReportLogic):
        super().__init__(panel)
        self.logic = logic
        self._filling = False
        self._opened = ""
        self._edits = (self.ui.reportPatientEdit, self.ui.reportReviewedByEdit, self.ui.reportDateEdit)
        self._selectors = (self.ui.reportCoRadsSelector, self.ui.reportRsnaSelector)

    def setup(self) -> None:
        """Fill the selectors and connect all signals."""
        super().setup()
        for selector, classes in zip(self._selectors, (CO_RADS, RSNA), strict=True):
            for text in ("", *classes):
                selector.addItem(text)
            selector.connect("currentIndexChanged(int)", self.on_field)
        for edit in self._edits:
            edit.connect("textChanged(QString)", self.on_field)
        self.ui.reportImpressionEdit.connect("textChanged()", self.on_field)
        self.ui.reportButton.connect("clicked(bool)", self.on_report_button)
        self.ui.viewerButton.connect("clicked(bool)", self.on_viewer_button)

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
            self._cancel()
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
        parent = self._ask_for_folder(_("Folder for the report"))
        if parent is not None:
            bounds = self.parameters.tissue_bounds or DEFAULT_BOUNDS
            self._follow(self.logic.start(result, self.logic.folder_in(parent), bounds))

    def _written(self, task: ReportRun) -> None:
        """Tell where the files are, and open the one that the user asked for."""
        self._report(_('Report and viewer were saved in "{folder}".').format(folder=task.folder))
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(task.folder / self._opened)))

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
