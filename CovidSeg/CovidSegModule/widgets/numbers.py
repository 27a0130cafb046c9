"""The section "numbers": tables by region, severity, histogram, CSV and clipboard."""

from __future__ import annotations

from pathlib import Path

import qt
from slicer.i18n import tr as _

from CovidSegLib.quantification.numbers import Numbers, RegionNumbers

from ..logic.numbers import DEFAULT_BOUNDS, Bounds, NumbersLogic
from ..logic.results import format_number
from ..terms import translated
from .fonts import fit_table
from .section import Section, SectionHost
from .views import show_chart


class NumbersSection(Section):
    """Show all numbers of the current result. They follow every edit.

    Args:
        panel: The panel that the section is part of.
        logic: The logic of this section.
    """

    name = "numbers"
    title = _("Numbers")

    def __init__(self, panel: SectionHost, logic: NumbersLogic):
        super().__init__(panel)
        self.logic = logic
        self._work_timer = qt.QTimer()
        self._boxes = (self.ui.groundGlassBox, self.ui.consolidationBox, self.ui.consolidationEndBox)

    def setup(self) -> None:
        """Fill the selector and connect all signals."""
        self._report("")
        for title in (_("Infection"), _("Ground glass and consolidation"), _("Tissue, as in Lung CT Analyzer")):
            self.ui.numbersViewSelector.addItem(title)
        self._work_timer.setSingleShot(True)
        self._work_timer.setInterval(0)
        self._work_timer.timeout.connect(self._work)
        self.ui.numbersViewSelector.connect("currentIndexChanged(int)", self.on_view)
        for box in self._boxes:
            box.connect("valueChanged(int)", self.on_bounds)
        self.ui.copyNumbersButton.connect("clicked(bool)", self.on_copy)
        self.ui.saveNumbersButton.connect("clicked(bool)", self.on_save)
        self.ui.histogramButton.connect("clicked(bool)", self.on_histogram)

    # --- what happens to the module and to the scene ---

    def masks_changed(self) -> None:
        """Show the numbers of the edited masks."""
        self.update()

    def scene_closing(self) -> None:
        """Forget the result."""
        self._work_timer.stop()
        self.logic.forget()

    def cleanup(self) -> None:
        """Stop counting."""
        self._work_timer.stop()
        self.logic.forget()

    # --- what the user does ---

    def on_view(self, _index: int = -1) -> None:
        """Show other numbers."""
        self.update()

    def on_bounds(self, _value: int = 0) -> None:
        """Store the bounds of ground glass and consolidation, in rising order."""
        if self.parameters:
            low, middle, high = sorted(box.value for box in self._boxes)
            self.parameters.tissue_bounds = low, middle, high

    def on_copy(self, _checked: bool = False) -> None:
        """Copy the numbers to the clipboard. Spreadsheets put values between tabulators into cells."""
        numbers = self._numbers()
        if numbers:
            qt.QApplication.clipboard().setText(self.logic.as_csv(numbers, delimiter="\t"))
            self._report(_("Copied."))

    def on_save(self, _checked: bool = False) -> None:
        """Save the numbers to a file that the user chooses."""
        numbers = self._numbers()
        if not numbers:
            return
        path = qt.QFileDialog.getSaveFileName(self.widget, _("Save the numbers"), "numbers.csv", _("CSV (*.csv)"))
        path = path[0] if isinstance(path, tuple) else path
        if path:
            try:
                self.logic.write_csv(Path(path), numbers)
            except OSError as error:
                text = _("The file could not be written: {reason}. Choose another folder.")
                self._report(text.format(reason=error.strerror))
            else:
                self._report(_("Saved."))

    def on_histogram(self, _checked: bool = False) -> None:
        """Show the histogram in a plot view."""
        result = self.parameters.result if self.parameters else None
        numbers = self._numbers()
        if result and numbers:
            show_chart(self.logic.write_nodes(result, numbers))

    # --- what is shown ---

    def update(self) -> None:
        """Show the numbers of the current result."""
        result = self.parameters.result if self.parameters else None
        available = result is not None and self.logic.is_available(result)
        self.ui.numbersPanel.visible = available
        self._show_bounds()
        if not available:
            return
        if not self.logic.is_ready(result):
            self.ui.severityLabel.text = _("Counting...")
            self._work_timer.start()
            return
        numbers = self._numbers()
        if numbers is None:
            self.ui.severityLabel.text = _("There are no lungs to measure.")
            self.ui.numbersTable.setRowCount(0)
            return
        self._show(numbers)
        with self.panel.held_updates():  # the first call adds nodes to the scene
            self.logic.write_nodes(result, numbers)

    def _report(self, text: str) -> None:
        self.ui.numbersStatusLabel.text = text
        self.ui.numbersStatusLabel.visible = bool(text)

    def _work(self) -> None:
        """Count piece by piece, so that Slicer stays responsive."""
        result = self.parameters.result if self.parameters else None
        if result is None or not self.logic.is_available(result):
            return
        if self.logic.prepare(result):
            self._work_timer.start()
        else:
            self.panel.update()

    def _numbers(self) -> Numbers | None:
        result = self.parameters.result if self.parameters else None
        return self.logic.numbers(result, self._bounds()) if result else None

    def _bounds(self) -> Bounds:
        return (self.parameters.tissue_bounds if self.parameters else None) or DEFAULT_BOUNDS

    def _show_bounds(self) -> None:
        for box, value in zip(self._boxes, self._bounds(), strict=True):
            blocked = box.blockSignals(True)
            box.value = value
            box.blockSignals(blocked)

    def _show(self, numbers: Numbers) -> None:
        severity = numbers.severity
        score = "–" if severity.score is None else str(severity.score)
        text = _("{name}: {score} of {maximum}").format(
            name=translated(severity.name), score=score, maximum=severity.maximum
        )
        if not numbers.lungs[2].infection_ml:
            text = _("No infection was found. {severity}").format(severity=text)
        if numbers.outside_ml:
            text += "\n" + _("{ml} ml of infection lie outside the lungs and are not counted.").format(
                ml=format_number(numbers.outside_ml, 1)
            )
        self.ui.severityLabel.text = text
        self.ui.severityLabel.toolTip = f"{translated(severity.definition)}\n{severity.source}."
        titles, cells = _VIEWS[max(self.ui.numbersViewSelector.currentIndex, 0)]
        table = self.ui.numbersTable
        table.setColumnCount(1 + len(titles()))
        table.setHorizontalHeaderLabels(["", *titles()])
        table.setRowCount(len(numbers.regions))
        for row, region in enumerate(numbers.regions):
            for column, cell in enumerate([translated(region.name), *cells(region)]):
                item = qt.QTableWidgetItem(cell)
                item.setTextAlignment((qt.Qt.AlignRight if column else qt.Qt.AlignLeft) | qt.Qt.AlignVCenter)
                font = item.font()
                font.setBold(row < 3)
                item.setFont(font)
                table.setItem(row, column, item)
        fit_table(table)
        header = table.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.Stretch)
        header.setSectionResizeMode(0, qt.QHeaderView.ResizeToContents)
        header.setDefaultAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)


def _infection_titles() -> list[str]:
    return [_("Volume\nml"), _("Infection\nml"), _("Involved\n%"), _("Mean\nHU")]


def _infection_cells(region: RegionNumbers) -> list[str]:
    return [
        format_number(region.volume_ml),
        format_number(region.infection_ml, 1),
        format_number(region.involvement_percent, 1),
        format_number(region.mean_hu),
    ]


def _kinds_titles() -> list[str]:
    return [_("Ground glass\nml"), _("Consolidation\nml"), _("Mean HU\nin infection")]


def _kinds_cells(region: RegionNumbers) -> list[str]:
    return [
        *(format_number(volume, 1) for volume in region.infection_kinds_ml.values()),
        format_number(region.infection_mean_hu),
    ]


def _tissue_titles() -> list[str]:
    return [_("Emphysema\n%"), _("Inflated\n%"), _("Infiltrated\n%"), _("Collapsed\n%")]


def _tissue_cells(region: RegionNumbers) -> list[str]:
    return [format_number(share, 1) for share in region.kinds_percent.values()]


_VIEWS = (
    (_infection_titles, _infection_cells),
    (_kinds_titles, _kinds_cells),
    (_tissue_titles, _tissue_cells),
)
