"""The table of the cases of a worklist."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
from slicer.i18n import tr as _

from ..worklist.rows import COLUMNS, FAILED, FILTERS, REVIEWED, CaseRow, cells, choose

#: Colours of the states, readable on light and dark backgrounds.
_COLOURS = {REVIEWED: "#2f9e44", FAILED: "#e03131"}
_STATE = COLUMNS.index("state")
_NUMBERS = (COLUMNS.index("involvement"),)
#: More rows than this make the table slow. A filter or a search shows the others.
MOST_ROWS = 2000


class CaseTable:
    """Shows, filters and sorts cases.

    Args:
        ui: The widgets of the section: worklistTable, filterSelector and searchEdit.
        open_case: Function to call with the name of a case that the user wants to open.

    Attributes:
        shown: The rows of the table, from top to bottom.
        hidden: Number of rows that the table has no room for.
    """

    def __init__(self, ui: Any, open_case: Callable[[str], None]):
        self._ui, self._open_case = ui, open_case
        self._rows: list[CaseRow] = []
        self._open = ""
        self._sorted_by, self._descending = "", False
        self.shown: list[CaseRow] = []
        self.hidden = 0

    def setup(self) -> None:
        """Set up the table and connect all signals."""
        texts = {
            "all": _("All"),
            "to review": _("To review"),
            "reviewed": _("Reviewed"),
            "failed": _("Failed"),
        }
        for name in FILTERS:
            self._ui.filterSelector.addItem(texts[name], name)
        header = self._ui.worklistTable.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        header.setSectionResizeMode(COLUMNS.index("case"), qt.QHeaderView.Stretch)
        header.setHighlightSections(False)
        header.setSortIndicatorShown(False)
        header.setSectionsClickable(True)
        header.sectionClicked.connect(self.on_heading)
        self._ui.filterSelector.connect("currentIndexChanged(int)", self.on_choice)
        self._ui.searchEdit.connect("textChanged(QString)", self.on_choice)
        self._ui.worklistTable.connect("cellDoubleClicked(int,int)", self.on_double_click)

    def fill(self, rows: list[CaseRow], open_case: str) -> None:
        """Show rows.

        Args:
            rows: All cases, in the order of the list.
            open_case: The case that is open, which is bold; empty if there is none.
        """
        self._rows, moved = rows, open_case != self._open
        self._open = open_case
        states = str(self._ui.filterSelector.itemData(self._ui.filterSelector.currentIndex) or "all")
        text = str(self._ui.searchEdit.text).strip()
        chosen = choose(rows, states, text, self._sorted_by, self._descending)
        shown, self.hidden = chosen[:MOST_ROWS], max(0, len(chosen) - MOST_ROWS)
        table = self._ui.worklistTable
        if len(shown) != len(self.shown):
            table.setRowCount(len(shown))
        for at, row in enumerate(shown):
            is_known = at < len(self.shown) and self.shown[at] == row
            if not is_known or moved:
                self._fill_row(at, row)
        self.shown = shown
        place = self.position()
        if moved and place is not None:
            table.setCurrentCell(place, 0)

    def position(self) -> int | None:
        """Return the row of the open case, or None if it is not shown."""
        return next((at for at, row in enumerate(self.shown) if row.case == self._open), None)

    def neighbour(self, by: int, *, to_review: bool = False) -> str | None:
        """Return the case that follows the open one in the table, or None.

        Args:
            by: 1 for the next, -1 for the previous.
            to_review: Skip those that are reviewed. Otherwise only those that failed are skipped.
        """
        at = self.position()
        following = self.shown[at + 1 :] if at is not None and by > 0 else self.shown
        if by < 0:
            following = self.shown[: at if at is not None else 0][::-1]
        skipped = (FAILED, REVIEWED) if to_review else (FAILED,)
        return next((row.case for row in following if row.state not in skipped), None)

    def selected(self) -> CaseRow | None:
        """Return the selected row, or None."""
        at = self._ui.worklistTable.currentRow()
        return self.shown[at] if 0 <= at < len(self.shown) else None

    def on_heading(self, column: int) -> None:
        """Sort by a column; a second click reverses the order, and a third brings back that of the list."""
        name = COLUMNS[column]
        if name != self._sorted_by:
            self._sorted_by, self._descending = name, name == "involvement"
        elif self._descending == (name == "involvement"):
            self._descending = not self._descending
        else:
            self._sorted_by = ""
        header = self._ui.worklistTable.horizontalHeader()
        header.setSortIndicatorShown(bool(self._sorted_by))
        header.setSortIndicator(column, qt.Qt.DescendingOrder if self._descending else qt.Qt.AscendingOrder)
        self.on_choice()

    def on_choice(self, _value: Any = None) -> None:
        """Show what the filter and the search leave."""
        self.fill(self._rows, self._open)

    def on_double_click(self, row: int, _column: int = 0) -> None:
        """Open a case."""
        if 0 <= row < len(self.shown):
            self._open_case(self.shown[row].case)

    def _fill_row(self, at: int, row: CaseRow) -> None:
        for column, text in enumerate(cells(row)):
            item = qt.QTableWidgetItem(text)
            item.setToolTip(row.failure or text)
            if column in _NUMBERS:
                item.setTextAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
            if column == _STATE and row.state in _COLOURS:
                item.setForeground(qt.QBrush(qt.QColor(_COLOURS[row.state])))
            font = item.font()
            font.setBold(row.case == self._open)
            item.setFont(font)
            self._ui.worklistTable.setItem(at, column, item)
