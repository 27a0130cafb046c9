"""Fonts relative to that of the application, so that headings stay larger than text when the user enlarges fonts."""

from __future__ import annotations

from typing import Any

import qt


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
