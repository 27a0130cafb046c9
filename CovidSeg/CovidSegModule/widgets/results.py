"""The section "results": headline, table and surfaces of a segmentation."""

from __future__ import annotations

from collections.abc import Iterator

import qt
import slicer
from slicer.i18n import tr as _

from ..logic.results import ResultsLogic, cells, headline
from .fonts import enlarge, fit_table
from .section import Section, SectionHost
from .views import center_3d_views

#: Time without edits after which lesions are counted, in milliseconds.
LESIONS_MILLISECONDS = 300
#: Time without edits after which surfaces are made, in milliseconds.
SURFACES_MILLISECONDS = 500
_DONE = object()


class ResultsSection(Section):
    """Show the numbers of the current result. The section is hidden if there are none.

    Args:
        panel: The panel that the section is part of.
        logic: The logic of this section.
    """

    name = "results"

    def __init__(self, panel: SectionHost, logic: ResultsLogic):
        super().__init__(panel)
        self.logic = logic
        self._of: slicer.vtkMRMLSegmentationNode | None = None
        self._lesions: Iterator[bool] = iter(())
        self._lesions_timer = qt.QTimer()
        self._surfaces: Iterator[None] = iter(())
        self._surfaces_timer = qt.QTimer()

    def setup(self) -> None:
        """Set up the table and connect the button."""
        enlarge(self.ui.headlineLabel, 1.3)
        header = self.ui.resultsTable.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        header.setSectionResizeMode(0, qt.QHeaderView.Stretch)
        header.setDefaultAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
        header.setHighlightSections(False)
        self._lesions_timer.setSingleShot(True)
        self._lesions_timer.setInterval(LESIONS_MILLISECONDS)
        self._lesions_timer.timeout.connect(self._count_lesions)
        self._surfaces_timer.setSingleShot(True)
        self._surfaces_timer.timeout.connect(self._make_surfaces)
        self.ui.show3DButton.connect("clicked(bool)", self.on_show_3d)

    def update(self) -> None:
        """Show the numbers of the current result."""
        segmentation = self.parameters.result if self.parameters else None
        if segmentation is not self._of:  # its nodes may be removed while steps are left
            self._stop()
            self._of = segmentation
        rows = self.logic.rows(segmentation)
        self.ui.resultsPanel.visible = bool(rows)
        if segmentation is None or not rows:
            return
        self.ui.headlineLabel.text = headline(rows)
        self.ui.resultLabel.text = segmentation.GetName()
        self._fill_table(cells(rows))
        in_3d = self.logic.is_shown_in_3d(segmentation)
        self.ui.show3DButton.checked = in_3d
        self.ui.show3DButton.text = _("Hide 3D") if in_3d else _("Show 3D")

    def masks_changed(self) -> None:
        """Show the numbers of the edited masks at once, and the number of lesions when the user pauses."""
        if self.parameters and self.parameters.result:
            self.logic.follow_edits(self.parameters.result)
            self.update()
            self._lesions = self.logic.count_lesions(self.parameters.result)
            self._lesions_timer.setInterval(LESIONS_MILLISECONDS)
            self._lesions_timer.start()
            self._surfaces = self.logic.surface_steps(self.parameters.result)
            self._surfaces_timer.setInterval(SURFACES_MILLISECONDS)
            self._surfaces_timer.start()

    def scene_closing(self) -> None:
        """Stop counting and making surfaces."""
        self._stop()

    def cleanup(self) -> None:
        """Stop counting and making surfaces."""
        self._stop()

    def _stop(self) -> None:
        self._lesions_timer.stop()
        self._surfaces_timer.stop()
        self._lesions, self._surfaces = iter(()), iter(())

    def _count_lesions(self) -> None:
        """Do the next step of counting."""
        if next(self._lesions, None):
            self._lesions_timer.setInterval(0)
            self._lesions_timer.start()
        else:
            self.update()

    def _make_surfaces(self) -> None:
        """Do the next step of making surfaces."""
        if next(self._surfaces, _DONE) is not _DONE:
            self._surfaces_timer.setInterval(0)
            self._surfaces_timer.start()

    def on_show_3d(self, visible: bool = False) -> None:
        """Show or hide the surfaces of the current result."""
        if self.parameters and self.parameters.result:
            self.logic.show_in_3d(self.parameters.result, visible)
            if visible:
                center_3d_views(self.parameters.result)
            self.update()

    def _fill_table(self, texts: list[list[str]]) -> None:
        """Fill the table. The last row, both lungs, is bold."""
        self.ui.resultsTable.setRowCount(len(texts))
        for row, row_texts in enumerate(texts):
            for column, text in enumerate(row_texts):
                item = qt.QTableWidgetItem(text)
                side = qt.Qt.AlignRight if column else qt.Qt.AlignLeft
                item.setTextAlignment(side | qt.Qt.AlignVCenter)
                font = item.font()
                font.setBold(row == len(texts) - 1)
                item.setFont(font)
                self.ui.resultsTable.setItem(row, column, item)
        fit_table(self.ui.resultsTable)
