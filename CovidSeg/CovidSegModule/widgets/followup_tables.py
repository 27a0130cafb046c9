"""The tables of the section "followup": lesions, and lungs and zones."""

from __future__ import annotations

from typing import Any

import qt
from slicer.i18n import tr as _

from .. import follow_up_texts as texts

#: Colours of the changes, those of the lesions in the views.
COLOURS = {
    "new": "#d55e00",
    "grown": "#e69f00",
    "stable": "#f0e442",
    "shrunken": "#56b4e9",
    "resolved": "#009e73",
    "not covered": "#999999",
}
#: Columns of the table of lesions that hold text.
_TEXT_COLUMNS = 3
#: Height of the frame and of the margins of the header, in pixels.
_FRAME = 14
#: Size of the square with the colour of a change, in pixels.
_SQUARE = 12


def set_up_lesions(table: Any) -> None:
    """Set up the columns of the table of lesions."""
    _set_up(
        table,
        [_("Change"), _("Side"), _("Zone"), _("Prior\nml"), _("Now\nml"), _("±\nml"), _("±\n%")],
        _TEXT_COLUMNS,
    )


def set_up_regions(table: Any) -> None:
    """Set up the columns of the table of lungs and zones."""
    titles = [_("Prior\nml"), _("Now\nml"), _("±\nml"), _("Prior\n%"), _("Now\n%"), _("±\n%")]
    _set_up(table, ["", *titles], 1)


def fill_lesions(table: Any, lesions: list[dict[str, Any]]) -> None:
    """Fill the table of lesions, in the order of the report."""
    table.setRowCount(len(lesions))
    for row, lesion in enumerate(lesions):
        for column, text in enumerate(texts.lesion_cells(lesion)):
            item = _item(text, right=column >= _TEXT_COLUMNS)
            if column == 0:
                item.setIcon(qt.QIcon(_square(COLOURS[lesion["change"]])))
            table.setItem(row, column, item)
    table.setCurrentCell(-1, -1)


def fill_regions(table: Any, regions: list[dict[str, Any]]) -> None:
    """Fill the table of lungs and zones. The lungs are bold."""
    table.setRowCount(len(regions))
    for row, region in enumerate(regions):
        for column, text in enumerate(texts.region_cells(region)):
            item = _item(text, right=column > 0)
            font = item.font()
            font.setBold("lung" in region["region"])
            item.setFont(font)
            table.setItem(row, column, item)
    table.setFixedHeight(table.verticalHeader().length() + 2 * table.fontMetrics().height() + _FRAME)


def _set_up(table: Any, titles: list[str], text_columns: int) -> None:
    table.setColumnCount(len(titles))
    table.setHorizontalHeaderLabels(titles)
    header = table.horizontalHeader()
    header.setSectionResizeMode(qt.QHeaderView.Stretch)
    for column in range(text_columns):
        header.setSectionResizeMode(column, qt.QHeaderView.ResizeToContents)
    header.setDefaultAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
    header.setHighlightSections(False)
    for column in range(text_columns):
        table.horizontalHeaderItem(column).setTextAlignment(qt.Qt.AlignLeft | qt.Qt.AlignVCenter)


def _item(text: str, right: bool) -> Any:
    item = qt.QTableWidgetItem(text)
    item.setTextAlignment((qt.Qt.AlignRight if right else qt.Qt.AlignLeft) | qt.Qt.AlignVCenter)
    return item


def _square(colour: str) -> Any:
    pixmap = qt.QPixmap(_SQUARE, _SQUARE)
    pixmap.fill(qt.QColor(colour))
    return pixmap
