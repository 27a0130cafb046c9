"""Fonts relative to that of the application, so that headings stay larger than text when the user enlarges fonts.

Also fits the columns of tables, whose width depends on the font.
"""

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
        needed += _text_width(table, column, metrics) + _CELL_MARGIN
    font.setBold(False)
    font.setPointSizeF(size * min(1.0, max(room / max(needed, 1), _SMALLEST_FONT)))
    table.setFont(font)


def fit_columns(table: Any, stretched: int, sorted_by: int) -> None:
    """Make the columns of a filled table as wide as their texts, so that the rest is left for one of them.

    Styles make columns wider than their headings need, for an arrow that only one of them shows.

    Args:
        table: The table. Its columns have the mode `Interactive`.
        stretched: The column that takes the rest.
        sorted_by: The column whose heading shows an arrow.
    """
    metrics = qt.QFontMetrics(table.font)
    for column in range(table.columnCount):
        if column != stretched and not table.isColumnHidden(column):
            arrow = metrics.height() if column == sorted_by else 0
            table.setColumnWidth(column, _text_width(table, column, metrics) + _CELL_MARGIN + arrow)


def _text_width(table: Any, column: int, metrics: Any) -> int:
    """Return the width of the longest line of a column, in pixels."""
    cells = [table.horizontalHeaderItem(column), *(table.item(row, column) for row in range(table.rowCount))]
    lines = [line for cell in cells if cell is not None for line in str(cell.text()).splitlines()]
    return max((int(metrics.boundingRect(line).width()) for line in lines), default=0)
