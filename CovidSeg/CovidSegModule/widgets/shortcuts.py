"""Keyboard shortcuts of the panel. They work while the module is open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import qt
import slicer

#: Keys of Slicer's Segment Editor that the panel takes over, because its history is longer than that of the editor.
UNDO_KEYS, REDO_KEYS = ("Ctrl+Z", "Z"), ("Ctrl+Y", "Y", "Ctrl+Shift+Z")


@dataclass(frozen=True)
class Shortcut:
    """A key and what it does.

    Slicer's slice views use the keys B, F, G, R, T, V, the arrows and the brackets; its Segment Editor uses the digits,
    Space, Escape, Q, W, Y, Z, I, comma, period, slash and asterisk. The panel takes over only those of undo and redo.

    Attributes:
        key: The key, as Qt writes it: "D", "Shift+N".
        description: What it does, for the tooltip and for the list of keys: "Show or hide the doubtful places".
        action: The function to call.
        others: Further keys that do the same.
    """

    key: str
    description: str
    action: Callable[[], Any]
    others: tuple[str, ...] = ()

    @property
    def tool_tip(self) -> str:
        """The description with the key, for the button that does the same."""
        return f"{self.description} ({self.key})"


class Shortcuts:
    """The shortcuts of a section: installed when the module is entered, removed when it is left.

    Args:
        shortcuts: The shortcuts.

    Attributes:
        shortcuts: The shortcuts.
        installed: The QShortcut objects while the module is open.
    """

    def __init__(self, shortcuts: list[Shortcut]):
        self.shortcuts = shortcuts
        self.installed: list[Any] = []

    def install(self, widget: Any) -> None:
        """Install the shortcuts in the application's window, or in the window of a widget if there is none."""
        self.remove()
        parent = slicer.util.mainWindow() or widget.window()
        for shortcut in self.shortcuts:
            for name in (shortcut.key, *shortcut.others):
                key = qt.QShortcut(qt.QKeySequence(name), parent)
                key.connect("activated()", shortcut.action)
                self.installed.append(key)

    def remove(self) -> None:
        """Remove the shortcuts."""
        for key in self.installed:
            key.setParent(None)
            key.deleteLater()
        self.installed = []
