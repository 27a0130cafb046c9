"""Keyboard shortcuts."""

import harness
import qt

from CovidSegModule.widgets.shortcuts import Shortcut, Shortcuts

#: Keys of Slicer's slice views and of its Segment Editor.
TAKEN = {*"BFGRTVZYQWI", *"0123456789", "[", "]", "{", "}", ",", ".", "/", "*", "<", ">", "Space", "Esc"}


def test_no_key_is_used_twice(panel):
    keys = [
        shortcut.key
        for section in panel.sections.values()
        for shortcut in getattr(getattr(section, "shortcuts", None), "shortcuts", [])
    ]
    assert len(keys) >= 4
    assert len(set(keys)) == len(keys)
    assert not set(keys) & TAKEN


def test_install_and_remove(panel):
    calls = []
    shortcuts = Shortcuts([Shortcut("F9", "Test", lambda: calls.append("F9"))])
    shortcuts.install(panel.widget)
    shortcuts.install(panel.widget)  # a second time does not make the key ambiguous
    harness.press(panel, "F9")
    assert calls == ["F9"]
    shortcuts.remove()
    harness.press(panel, "F9")
    assert calls == ["F9"]
    assert shortcuts.shortcuts[0].tool_tip == "Test (F9)"
    assert not panel.widget.window().findChildren(qt.QShortcut) or shortcuts.installed == []
