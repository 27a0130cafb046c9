"""A window with the card of a model."""

from __future__ import annotations

from typing import Any

import qt
from slicer.i18n import tr as _


def show_model_card(markdown: str, parent: Any) -> Any:
    """Show the card of a model in a window of its own that does not block the panel.

    Args:
        markdown: The card.
        parent: Any widget of the panel.

    Returns:
        The window, a QDialog that deletes itself when it is closed.
    """
    dialog = qt.QDialog(parent)
    dialog.setAttribute(qt.Qt.WA_DeleteOnClose)
    dialog.windowTitle = _("About this model")
    text = qt.QTextBrowser()
    text.setMarkdown(markdown)
    # Names of patients in tables are not broken, so that each row is one line.
    text.wordWrapMode = qt.QTextOption.WordWrap
    qt.QVBoxLayout(dialog).addWidget(text)
    dialog.resize(1100, 750)
    dialog.show()
    return dialog
