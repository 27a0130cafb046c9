"""A heading that folds and unfolds a section. What the user has folded stays folded, also in later sessions."""

from __future__ import annotations

from typing import Any

import qt
from slicer.i18n import tr as _

from .. import settings
from .section import Section


class Fold:
    """A heading above a section.

    Args:
        section: A section with a title.

    Attributes:
        widget: The heading and the section.
        button: The heading.
    """

    def __init__(self, section: Section):
        self._section = section
        self.widget: Any = qt.QWidget()
        self.button: Any = qt.QToolButton()
        self._body: Any = qt.QWidget()
        self.button.text = section.title
        self.button.toolTip = _("Fold or unfold this part of the panel.")
        self.button.checkable = True
        self.button.autoRaise = True
        self.button.setToolButtonStyle(qt.Qt.ToolButtonTextBesideIcon)
        self.button.setStyleSheet("QToolButton { font-weight: bold; border: none; padding: 2px 0px; }")
        layout = qt.QVBoxLayout(self.widget)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.button)
        layout.addWidget(self._body)
        body_layout = qt.QVBoxLayout(self._body)
        body_layout.setContentsMargins(0, 0, 0, 0)
        body_layout.addWidget(section.widget)
        self._show(not settings.read(self._key))
        self.button.connect("clicked(bool)", self.on_clicked)

    @property
    def _key(self) -> str:
        return f"Folded/{self._section.name}"

    def on_clicked(self, unfolded: bool = True) -> None:
        """Fold or unfold the section, and remember it."""
        settings.write(self._key, "" if unfolded else "1")
        self._show(unfolded)

    def update(self) -> None:
        """Hide the heading if the section has hidden itself."""
        widget = self._section.widget
        # A widget that was never shown counts as hidden, too.
        hidden = widget.isHidden() and widget.testAttribute(qt.Qt.WA_WState_ExplicitShowHide)
        self.widget.visible = not hidden

    def _show(self, unfolded: bool) -> None:
        self.button.checked = unfolded
        self.button.setArrowType(qt.Qt.DownArrow if unfolded else qt.Qt.RightArrow)
        self._body.visible = unfolded
