"""The section "display": how the CT and the result are shown, and the list of keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
from slicer.i18n import tr as _

from ..logic.display import DisplayLogic
from .section import Section, SectionHost
from .shortcuts import Shortcut, Shortcuts


class DisplaySection(Section):
    """Switch the display by buttons and keys.

    Args:
        panel: The panel that the section is part of.
        logic: The logic of this section.
        all_shortcuts: Returns the keys of all sections.

    Attributes:
        shortcuts: The keys of this section.
        keys: The window with the list of keys that was opened last, or None.
    """

    name = "display"

    def __init__(self, panel: SectionHost, logic: DisplayLogic, all_shortcuts: Callable[[], list[Shortcut]]):
        super().__init__(panel)
        self.logic = logic
        self._all_shortcuts = all_shortcuts
        self.keys: Any = None
        self.shortcuts = Shortcuts(
            [
                Shortcut("O", _("Show the infection filled, as outline, or not at all"), self.on_mode),
                Shortcut("K", _("Show the CT in the lung window"), self.on_window),
                Shortcut("F2", _("Show the list of keys"), self.on_keys),
            ]
        )

    def setup(self) -> None:
        """Connect the buttons."""
        slots = (self.on_mode, self.on_window, self.on_keys)
        buttons = (self.ui.modeButton, self.ui.windowButton, self.ui.keysButton)
        for button, slot, shortcut in zip(buttons, slots, self.shortcuts.shortcuts, strict=True):
            button.toolTip = shortcut.tool_tip
            button.connect("clicked(bool)", slot)

    def enter(self) -> None:
        """Install the keys."""
        self.shortcuts.install(self.widget)

    def exit(self) -> None:
        """Remove the keys."""
        self.shortcuts.remove()

    def cleanup(self) -> None:
        """Remove the keys and close the list."""
        self.shortcuts.remove()
        if self.keys is not None:
            self.keys.close()
            self.keys = None

    def update(self) -> None:
        """Show how the result is displayed."""
        result = self.parameters.result if self.parameters else None
        ct = self.parameters.ct if self.parameters else None
        self.ui.modeButton.enabled = result is not None
        self.ui.modeButton.text = self.logic.mode_text(result) or _("Filled")
        self.ui.windowButton.enabled = ct is not None
        self.ui.displayPanel.visible = ct is not None or result is not None

    def on_mode(self, _checked: bool = False) -> None:
        """Show the infection in the next way."""
        if self.parameters and self.parameters.result:
            self.logic.next_mode(self.parameters.result)
            self.update()

    def on_window(self, _checked: bool = False) -> None:
        """Show the CT in the lung window."""
        if self.parameters and self.parameters.ct:
            self.logic.set_lung_window(self.parameters.ct)

    def on_keys(self, _checked: bool = False) -> None:
        """Show the list of keys in a window of its own, which does not block the panel."""
        if self.keys is not None:
            self.keys.close()
        self.keys = show_keys(self._all_shortcuts(), self.widget)


def show_keys(shortcuts: list[Shortcut], parent: Any) -> Any:
    """Show a list of keys, and return its window."""
    dialog = qt.QDialog(parent)
    dialog.windowTitle = _("Keys of CovidSeg")
    rows = "".join(
        f"<tr><td><b>{shortcut.key}</b>&nbsp;&nbsp;</td><td>{shortcut.description}</td></tr>" for shortcut in shortcuts
    )
    text = qt.QLabel(f"<table cellpadding='3'>{rows}</table>")
    text.toolTip = _("The keys work while CovidSeg is open. Those of the views and of the Segment Editor stay.")
    layout = qt.QVBoxLayout(dialog)
    layout.addWidget(text)
    dialog.show()
    return dialog
