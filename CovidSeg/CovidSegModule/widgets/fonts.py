"""Fonts relative to that of the application, so that headings stay larger than text when the user enlarges fonts."""

from __future__ import annotations

from typing import Any

import qt

#: Smallest share of the usual size of the font in `fit_table`, and room in pixels beside the text of a cell.
_SMALLEST_FONT, _CELL_MARGIN = 0.6, 10
#: Width in pixels that a table has at least, also before it was shown.
_LEAST_WIDTH = 330


def enlarge(widget: Any, factor: float) -> None:
    """Make the font of a widget larger than the application's, and bold."""
    font = qt.QFont(qt.QApplication.font())
    size = font.pointSizeF()
    if size > 0:  # otherwise, the size is in pixels
        font.setPointSizeF(size * factor)
    else:
        font.setPixelSize(round(font.pixelSize() * factor))
    font.setBold(True)
    widget.setFont(font)


def fit_table(table: Any) -> None:
    """Make the font of a filled table smaller if its columns do not fit into it, so that no number is cut off."""
    font = qt.QFont(table.parentWidget().font)
    size, room = font.pointSizeF(), max(table.width, _LEAST_WIDTH)
    if size <= 0:  # the size is in pixels
        return
    font.setBold(True)  # some rows are
    needed = 0
    metrics = qt.QFontMetrics(font)
    for column in range(table.columnCount):
        if table.isColumnHidden(column):
            continue
        cells = [table.horizontalHeaderItem(column), *(table.item(row, column) for row in range(table.rowCount))]
        lines = [line for cell in cells if cell is not None for line in str(cell.text()).splitlines()]
        needed += max((metrics.boundingRect(line).width() for line in lines), default=0) + _CELL_MARGIN
    font.setBold(False)
    font.setPointSizeF(size * min(1.0, max(room / max(needed, 1), _SMALLEST_FONT)))
    table.setFont(font)
