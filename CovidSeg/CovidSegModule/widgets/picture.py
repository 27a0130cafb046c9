"""A window with a picture."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import qt


def show_picture(content: bytes, title: str, parent: Any) -> Any:
    """Open a window with a picture that can be scrolled.

    Args:
        content: The picture as PNG.
        title: Title of the window.
        parent: Widget that the window belongs to.

    Returns:
        The window.
    """
    with tempfile.TemporaryDirectory(prefix="CovidSeg-") as folder:
        path = Path(folder) / "picture.png"
        path.write_bytes(content)
        pixmap = qt.QPixmap(str(path))
    label = qt.QLabel()
    label.setPixmap(pixmap)
    area = qt.QScrollArea()
    area.setWidget(label)
    window = qt.QDialog(parent)
    window.setAttribute(qt.Qt.WA_DeleteOnClose)
    window.setWindowTitle(title)
    layout = qt.QVBoxLayout(window)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(area)
    window.resize(pixmap.width() + 24, min(pixmap.height() + 8, 900))
    window.show()
    return window
