"""The section "lesions": a table of the lesions, and what a reader decides about each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
from slicer.i18n import tr as _

from CovidSegLib.quantification.lesion_measures import Lesion
from CovidSegLib.quantification.lesion_tracking import ACCEPTED, EDITED, PROPOSED, REJECTED

from ..lesion_rows import COLUMNS, cells, sort
from ..logic.lesions import DecisionError, LesionReview, LesionsLogic
from .fonts import enlarge, fit_columns, fit_table
from .section import Section, SectionHost
from .shortcuts import REDO_KEYS, UNDO_KEYS, Shortcut, Shortcuts

#: Colours of the states, readable on light and dark backgrounds.
_COLOURS = {ACCEPTED: "#2f9e44", REJECTED: "#868e96", EDITED: "#1c7ed6"}
_NUMBERS = ("volume_ml", "mean_hu", "mean_probability")
_LOBE, _STATE = COLUMNS.index("lobe"), COLUMNS.index("state")


class LesionsSection(Section):
    """Let the user go through the lesions and decide about each.

    Args:
        panel: The panel that the section is part of.
        logic: The logic of this section.

    Attributes:
        shown: The lesions in the order of the table.
        shortcuts: The keyboard shortcuts.
    """

    name = "lesions"
    title = _("Lesions")

    def __init__(self, panel: SectionHost, logic: LesionsLogic):
        super().__init__(panel)
        self.logic = logic
        self.shown: list[Lesion] = []
        self._sorted_by, self._descending = COLUMNS[0], False
        self._filling = False
        self._of: LesionReview | None = None
        self._work_timer = qt.QTimer()
        self.shortcuts = Shortcuts(
            [
                Shortcut("L", _("Go to the next lesion"), lambda: self.step(1)),
                Shortcut("Shift+L", _("Go to the previous lesion"), lambda: self.step(-1)),
                Shortcut("C", _("Accept the selected lesions"), self.on_accept),
                Shortcut("X", _("Reject the selected lesions, or take it back"), self.on_reject),
                Shortcut("M", _("Merge the selected lesions"), self.on_merge),
                Shortcut("S", _("Split the selected lesion"), self.on_split),
                Shortcut("Shift+S", _("Split off the part in which the slice views meet"), self.on_split_at_views),
                Shortcut(UNDO_KEYS[0], _("Undo the last decision or edit"), self.on_undo, UNDO_KEYS[1:]),
                Shortcut(REDO_KEYS[0], _("Redo what was undone"), self.on_redo, REDO_KEYS[1:]),
            ]
        )

    def setup(self) -> None:
        """Set up the table and connect all signals."""
        self._report("")
        enlarge(self.ui.lesionsLabel, 1.15)
        table = self.ui.lesionsTable
        header = table.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.Interactive)
        header.setSectionResizeMode(_STATE, qt.QHeaderView.Stretch)
        header.setHighlightSections(False)
        header.setSortIndicatorShown(True)
        header.setSectionsClickable(True)
        header.sectionClicked.connect(self.on_heading)
        self._work_timer.setSingleShot(True)
        self._work_timer.setInterval(0)
        self._work_timer.timeout.connect(self.update)
        table.connect("currentCellChanged(int,int,int,int)", self.on_current_cell)
        table.connect("cellClicked(int,int)", self.on_current_cell)
        table.connect("itemSelectionChanged()", self.show_buttons)
        for button, action in (
            (self.ui.previousLesionButton, lambda: self.step(-1)),
            (self.ui.nextLesionButton, lambda: self.step(1)),
            (self.ui.acceptButton, self.on_accept),
            (self.ui.rejectButton, self.on_reject),
            (self.ui.mergeButton, self.on_merge),
            (self.ui.splitButton, self.on_split),
            (self.ui.undoButton, self.on_undo),
            (self.ui.redoButton, self.on_redo),
            (self.ui.rejectSmallButton, self.on_reject_small),
        ):
            button.connect("clicked(bool)", lambda _checked=False, action=action: action())

    # --- what happens to the module and to the scene ---

    def enter(self) -> None:
        """Install the shortcuts."""
        self.shortcuts.install(self.widget)

    def exit(self) -> None:
        """Remove the shortcuts and the outline."""
        self.shortcuts.remove()
        self.logic.hide_outline()

    def cleanup(self) -> None:
        """Remove the shortcuts and the outline."""
        self._work_timer.stop()
        self.exit()

    def scene_closing(self) -> None:
        """Forget the lesions of this scene."""
        self._work_timer.stop()
        self.logic.clear()

    def scene_closed(self) -> None:
        """Clear the message about the previous scene."""
        self._report("")

    def update(self) -> None:
        """Show the lesions of the current result, after they were followed in steps."""
        lesions = self._lesions()
        if lesions is not self._of:  # lesions of another result have the same numbers
            self._of = lesions
            self._forget_selection()
        self.ui.lesionsPanel.visible = lesions is not None
        if lesions is not None and lesions.prepare():
            self._work_timer.start()
        else:
            self._fill(lesions.lesions() if lesions else [])

    def masks_changed(self) -> None:
        """Show the lesions after an edit."""
        self.update()

    # --- what the user does ---

    def on_heading(self, column: int) -> None:
        """Sort by a column; a second click reverses the order."""
        name = COLUMNS[column]
        self._descending = not self._descending if name == self._sorted_by else name not in ("number", "side", "zone")
        self._sorted_by = name
        self.update()

    def on_current_cell(self, row: int = -1, *_cells: int) -> None:
        """Show the lesion of a row in all views."""
        if not self._filling and 0 <= row < len(self.shown):
            self._show(self.shown[row].number)

    def step(self, by: int) -> None:
        """Go to the next or the previous lesion of the table."""
        if self.shown:
            row = self.ui.lesionsTable.currentRow()
            self._go_to((row + by) % len(self.shown) if row >= 0 else 0)

    def on_accept(self) -> None:
        """Accept the selected lesions."""
        self._decide(lambda lesions, numbers: lesions.accept(numbers), go_on=True)

    def on_reject(self) -> None:
        """Reject the selected lesions, or take it back if all of them are rejected."""
        if self._all_rejected():
            self._decide(lambda lesions, numbers: lesions.restore(numbers))
        else:
            self._decide(lambda lesions, numbers: lesions.reject(numbers), go_on=True)

    def on_merge(self) -> None:
        """Merge the selected lesions."""
        if len(self.selected()) > 1:
            self._decide(lambda lesions, numbers: [lesions.merge(numbers)])

    def on_split(self) -> None:
        """Split the selected lesion."""
        if len(self.selected()) == 1:
            self._decide(lambda lesions, numbers: lesions.split(numbers[0]))

    def on_split_at_views(self) -> None:
        """Split off the part of the selected lesion in which the slice views meet."""
        if len(self.selected()) == 1:
            self._decide(lambda lesions, numbers: lesions.split_at_views(numbers[0]))

    def on_reject_small(self) -> None:
        """Reject all proposed lesions below a volume."""
        lesions, ml = self._lesions(), self.ui.smallestSpinBox.value
        if lesions:
            count = lesions.reject_smaller(ml)
            self._fill(lesions.lesions())
            self._report(_("{n} lesions below {ml:.1f} ml were rejected.").format(n=count, ml=ml))

    def on_undo(self) -> None:
        """Undo the last decision or edit."""
        lesions = self._lesions()
        if lesions:
            lesions.undo()
            self._report("")
            self.update()

    def on_redo(self) -> None:
        """Redo what was undone."""
        lesions = self._lesions()
        if lesions:
            lesions.redo()
            self._report("")
            self.update()

    # --- what is shown ---

    def selected(self) -> list[int]:
        """Return the numbers of the selected lesions."""
        table = self.ui.lesionsTable
        return [lesion.number for row, lesion in enumerate(self.shown) if table.item(row, 0).isSelected()]

    def show_buttons(self) -> None:
        """Enable what can be done with the selected lesions."""
        numbers = self.selected()
        for button in (self.ui.acceptButton, self.ui.rejectButton):
            button.enabled = bool(numbers)
        self.ui.rejectButton.text = _("Take back") if self._all_rejected() else _("Reject")
        self.ui.mergeButton.enabled = len(numbers) > 1
        self.ui.splitButton.enabled = len(numbers) == 1
        for button in (self.ui.previousLesionButton, self.ui.nextLesionButton, self.ui.rejectSmallButton):
            button.enabled = bool(self.shown)

    def _lesions(self) -> LesionReview | None:
        return self.logic.of(self.parameters.result if self.parameters else None)

    def _all_rejected(self) -> bool:
        numbers = self.selected()
        states = {lesion.number: lesion.state for lesion in self.shown}
        return bool(numbers) and all(states[number] == REJECTED for number in numbers)

    def _decide(self, act: Callable[[LesionReview, list[int]], Any], go_on: bool = False) -> None:
        """Carry out a decision about the selected lesions, and select what to look at next."""
        lesions, numbers = self._lesions(), self.selected()
        if lesions is None or not numbers:
            return
        if not lesions.has(numbers):  # they are gone after an edit or an undo, which the table follows in steps
            self._fill(lesions.lesions())
            self._report(_("The selected lesions have just changed. Select them again."))
            return
        row = self.ui.lesionsTable.currentRow()
        try:
            changed = act(lesions, numbers)
        except DecisionError as error:
            self._report(str(error))
            return
        self._report("")
        self._fill(lesions.lesions())
        if changed:
            self._select(changed)
        elif go_on:
            pending = [at for at, lesion in enumerate(self.shown) if lesion.state in (PROPOSED, EDITED)]
            following = [at for at in pending if at > row] or pending
            if following:
                self._go_to(following[0])

    def _go_to(self, row: int) -> None:
        """Select one row and show its lesion."""
        self.ui.lesionsTable.clearSelection()
        self.ui.lesionsTable.setCurrentCell(row, 0)
        self._show(self.shown[row].number)

    def _show(self, number: int) -> None:
        lesions = self._lesions()
        if lesions:
            lesions.show(number)

    def _select(self, numbers: list[int]) -> None:
        table = self.ui.lesionsTable
        self._filling = True
        table.clearSelection()
        for row, lesion in enumerate(self.shown):
            if lesion.number in numbers:
                for column in range(len(COLUMNS)):
                    table.item(row, column).setSelected(True)
        self._filling = False
        self.show_buttons()

    def _forget_selection(self) -> None:
        self._filling = True
        self.ui.lesionsTable.setCurrentCell(-1, 0)
        self._filling = False

    def _fill(self, lesions: list[Lesion]) -> None:
        """Fill the table. The same lesions stay selected."""
        shown = sort(lesions, self._sorted_by, self._descending)
        table = self.ui.lesionsTable
        order = qt.Qt.DescendingOrder if self._descending else qt.Qt.AscendingOrder
        table.horizontalHeader().setSortIndicator(COLUMNS.index(self._sorted_by), order)
        self.ui.lesionsLabel.text = _headline(lesions)
        if shown != self.shown:
            row = table.currentRow()
            current = self.shown[row].number if 0 <= row < len(self.shown) else None
            numbers = self.selected()
            self._filling = True
            self.shown = shown
            table.setColumnHidden(_LOBE, all(lesion.lobe is None for lesion in shown))
            table.setRowCount(len(shown))
            for row, lesion in enumerate(shown):
                self._fill_row(row, lesion)
            fit_table(table)
            fit_columns(table, _STATE, COLUMNS.index(self._sorted_by))
            rows = [row for row, lesion in enumerate(shown) if lesion.number == current]
            table.setCurrentCell(rows[0] if rows else -1, 0)
            self._filling = False
            self._select(numbers)
        self.show_buttons()

    def _fill_row(self, row: int, lesion: Lesion) -> None:
        for column, text in enumerate(cells(lesion)):
            item = qt.QTableWidgetItem(text)
            side = (
                qt.Qt.AlignRight if COLUMNS[column] in ("volume_ml", "mean_hu", "mean_probability") else qt.Qt.AlignLeft
            )
            item.setTextAlignment(side | qt.Qt.AlignVCenter)
            if column == _STATE and lesion.state in _COLOURS:
                item.setForeground(qt.QBrush(qt.QColor(_COLOURS[lesion.state])))
            font = item.font()
            font.setStrikeOut(lesion.state == REJECTED and column != _STATE)
            item.setFont(font)
            self.ui.lesionsTable.setItem(row, column, item)

    def _report(self, text: str) -> None:
        self.ui.lesionStatusLabel.text = text
        self.ui.lesionStatusLabel.visible = bool(text)


def _headline(lesions: list[Lesion]) -> str:
    """Return how many lesions there are, and how many are to be reviewed."""
    kept = [lesion for lesion in lesions if lesion.state != REJECTED]
    if not lesions:
        return _("No lesions of at least 0.1 ml")
    waiting = sum(lesion.state in (PROPOSED, EDITED) for lesion in kept)
    return _("Lesions: {n}, {waiting} to review, {rejected} rejected").format(
        n=len(kept), waiting=waiting, rejected=len(lesions) - len(kept)
    )
