"""The section "export": the result as DICOM objects."""

from __future__ import annotations

import logging
from pathlib import Path

import qt
from slicer.i18n import tr as _

from ..logic.export import ExportLogic
from ..process.export_run import ExportRun
from .files_section import FilesSection
from .section import SectionHost


class ExportSection(FilesSection[ExportRun]):
    """Export the current result as DICOM. The section is hidden if there is no result.

    Args:
        panel: The panel that the section is part of.
        logic: The logic of this section.
    """

    name = "export"
    title = _("DICOM")

    def __init__(self, panel: SectionHost, logic: ExportLogic):
        super().__init__(panel)
        self.logic = logic

    def setup(self) -> None:
        """Connect the button."""
        super().setup()
        self.ui.exportButton.connect("clicked(bool)", self.on_export_button)

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
            self._cancel()
            return
        result = self._result
        parent = self._ask_for_folder(_("Folder for the DICOM files")) if result is not None else None
        if parent is None:
            return
        pdf = None
        if self.ui.exportPdfBox.checked:
            chosen = qt.QFileDialog.getOpenFileName(self.widget, _("PDF report"), str(parent), _("PDF (*.pdf)"))
            # PythonQt returns the path, PySide6 also the filter.
            path = str(chosen[0] if isinstance(chosen, tuple) else chosen)
            if not path:
                return
            pdf = Path(path)
        self._follow(self.logic.start(result, self.logic.folder_in(parent), pdf))

    def _written(self, task: ExportRun) -> None:
        """Report what was written, and add it to the database if the user wants that."""
        self._report(_('{n} DICOM files were saved in "{folder}".').format(n=len(task.files), folder=task.folder))
        if self.ui.exportDatabaseBox.checked:
            self._add_to_database(task)

    def _add_to_database(self, task: ExportRun) -> None:
        try:
            self.logic.add_to_database(task.folder)
        except Exception:  # whatever happens to the database, the files are saved
            logging.exception("CovidSeg: cannot add the export to the DICOM database")
            text = _("They could not be added to the DICOM database. Import the folder in the module DICOM.")
            self._report(f"{self.ui.exportStatusLabel.text} {text}", problem=True)
