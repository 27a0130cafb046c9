"""The section "agreement": how far two readers of the worklist agree."""

from __future__ import annotations

from pathlib import Path

import qt
from slicer.i18n import tr as _

from CovidSegLib.errors import InputError

from ..logic.agreement import AgreementLogic, cells, summary
from .section import Section, SectionHost

#: Time between two looks at the comparison, in milliseconds.
POLL_MILLISECONDS = 100


class AgreementSection(Section):
    """Compare two readers. The section is hidden if no worklist is open.

    Args:
        panel: The panel that the section is part of.
        logic: The logic of this section.
    """

    name = "agreement"
    title = _("Agreement of two readers")

    def __init__(self, panel: SectionHost, logic: AgreementLogic):
        super().__init__(panel)
        self.logic = logic
        self._timer = qt.QTimer()
        self._readers: list[str] = []

    def setup(self) -> None:
        """Set up the table and connect the buttons."""
        header = self.ui.agreementTable.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        header.setSectionResizeMode(0, qt.QHeaderView.Stretch)
        header.setHighlightSections(False)
        self._timer.setInterval(POLL_MILLISECONDS)
        self._timer.timeout.connect(self.on_timer)
        self.ui.compareReadersButton.connect("clicked(bool)", self.on_compare)
        self.ui.exportAgreementButton.connect("clicked(bool)", self.on_export)

    def cleanup(self) -> None:
        """Stop the comparison."""
        self._timer.stop()
        self.logic.forget()

    def update(self) -> None:
        """Show the readers and the last comparison."""
        self.ui.agreementPanel.visible = self.logic.is_available
        self.logic.forget_other_list()
        if self.logic.is_available and not self.logic.is_running:
            self._show_readers()
        self._show()

    def on_compare(self, _checked: bool = False) -> None:
        """Start to compare, or stop."""
        if self.logic.is_running:
            self.logic.forget()
        else:
            self.logic.start(
                str(self.ui.firstReaderSelector.currentText), str(self.ui.secondReaderSelector.currentText)
            )
            self._timer.start()
        self._show()

    def on_timer(self) -> None:
        """Follow the comparison."""
        self.logic.poll()
        if not self.logic.is_running:
            self._timer.stop()
        self._show()

    def on_export(self, _checked: bool = False) -> None:
        """Ask for a file, and write the table to it."""
        chosen = qt.QFileDialog.getSaveFileName(self.widget, _("Save agreement"), "agreement.csv", _("CSV (*.csv)"))
        # PythonQt returns the path, PySide6 also the filter.
        path = str(chosen[0] if isinstance(chosen, tuple) else chosen)
        if not path:
            return
        try:
            self.logic.write_csv(Path(path))
        except InputError as error:
            self.logic.problem = str(error)
        else:
            self.logic.problem = ""
            self.ui.agreementLabel.text = _('Saved as "{name}".').format(name=Path(path).name)
            return
        self._show()

    def _show_readers(self) -> None:
        readers = self.logic.readers()
        if readers == self._readers:
            return
        self._readers = readers
        taken = ""
        for selector in (self.ui.firstReaderSelector, self.ui.secondReaderSelector):
            chosen = str(selector.currentText)
            selector.clear()
            for reader in readers:
                selector.addItem(reader)
            others = [reader for reader in readers if reader != taken] or readers
            taken = chosen if chosen in others else "".join(others[:1])
            selector.setCurrentIndex(selector.findText(taken))

    def _show(self) -> None:
        running, comparison = self.logic.is_running, self.logic.comparison
        done, count = self.logic.progress
        self.ui.compareReadersButton.text = _("Stop") if running else _("Compare")
        self.ui.compareReadersButton.enabled = running or len(self._readers) > 1
        self.ui.agreementProgressBar.visible = running
        self.ui.agreementProgressBar.maximum = max(count, 1)
        self.ui.agreementProgressBar.value = done
        self.ui.agreementTable.visible = comparison is not None and bool(comparison.cases)
        self.ui.exportAgreementButton.visible = comparison is not None and bool(comparison.cases)
        text = self.logic.problem
        if not text and comparison is not None:
            text = summary(comparison)
            self._fill()
        elif not text and len(self._readers) < 2:
            text = _("Two readers have to review cases first.")
        self.ui.agreementLabel.text = text
        self.ui.agreementLabel.visible = bool(text)

    def _fill(self) -> None:
        comparison, table = self.logic.comparison, self.ui.agreementTable
        assert comparison is not None
        first, second = comparison.readers
        table.setHorizontalHeaderLabels([_("Case"), _("Dice"), f"{first} ml", f"{second} ml", _("Difference")])
        table.setRowCount(len(comparison.cases))
        for at, case in enumerate(comparison.cases):
            for column, text in enumerate(cells(case)):
                item = qt.QTableWidgetItem(text)
                if column:
                    item.setTextAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
                table.setItem(at, column, item)
