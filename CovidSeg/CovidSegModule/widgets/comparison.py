"""The section "comparison": the edited masks against the model's, and the way back."""

from __future__ import annotations

import qt
import slicer
from slicer.i18n import tr as _

from ..logic.comparison import Comparison, ComparisonLogic
from ..logic.results import format_number
from .section import Section, SectionHost
from .shortcuts import Shortcut, Shortcuts


class ComparisonSection(Section):
    """Show what was edited. The section is hidden if the scene does not have the model's masks.

    Args:
        panel: The panel that the section is part of.
        logic: The logic of this section.

    Attributes:
        shortcuts: The keys of this section.
    """

    name = "comparison"
    title = _("Edited against AI")

    def __init__(self, panel: SectionHost, logic: ComparisonLogic):
        super().__init__(panel)
        self.logic = logic
        self._work_timer = qt.QTimer()
        self.shortcuts = Shortcuts(
            [Shortcut("A", _("Show or hide the outline of the model's infection"), self.on_outline_key)]
        )

    def setup(self) -> None:
        """Connect all signals."""
        self._work_timer.setSingleShot(True)
        self._work_timer.setInterval(0)
        self._work_timer.timeout.connect(self.update)
        self.ui.outlineButton.toolTip = self.shortcuts.shortcuts[0].tool_tip
        self.ui.outlineButton.connect("clicked(bool)", self.on_outline_button)
        self.ui.restoreRightButton.connect("clicked(bool)", self.on_restore_right)
        self.ui.restoreLeftButton.connect("clicked(bool)", self.on_restore_left)
        self.ui.restoreAllButton.connect("clicked(bool)", self.on_restore_all)

    def enter(self) -> None:
        """Install the key."""
        self.shortcuts.install(self.widget)

    def exit(self) -> None:
        """Remove the key."""
        self.shortcuts.remove()

    def scene_closing(self) -> None:
        """Stop comparing."""
        self._work_timer.stop()

    def cleanup(self) -> None:
        """Stop comparing, and remove the key."""
        self._work_timer.stop()
        self.shortcuts.remove()

    def masks_changed(self) -> None:
        """Compare the present masks."""
        self.update()

    def on_outline_key(self) -> None:
        """Show the outline if it is hidden, and hide it otherwise."""
        if self._result:
            self.on_outline_button(not self.logic.is_outline_shown(self._result))

    def on_outline_button(self, visible: bool = False) -> None:
        """Show or hide the outline of the model's infection."""
        if self._result:
            self.logic.show_outline(self._result, visible)
            self.update()

    def on_restore_right(self, _checked: bool = False) -> None:
        """Bring back the model's masks in the right lung."""
        self._restore("right_lung")

    def on_restore_left(self, _checked: bool = False) -> None:
        """Bring back the model's masks in the left lung."""
        self._restore("left_lung")

    def on_restore_all(self, _checked: bool = False) -> None:
        """Bring back all masks of the model."""
        self._restore(None)

    def _restore(self, lung: str | None) -> None:
        if self._result:
            self.logic.restore(self._result, lung)

    @property
    def _result(self) -> slicer.vtkMRMLSegmentationNode | None:
        """The current result if the model's masks are in the scene."""
        result = self.parameters.result if self.parameters else None
        return result if result and self.logic.is_available(result) else None

    def update(self) -> None:
        """Show how the current result differs from the model's, after they were compared in steps."""
        result = self._result
        self.ui.comparisonPanel.visible = result is not None
        self._work_timer.stop()
        if result is not None and self.logic.prepare(result):
            self._work_timer.start()
            return
        comparison = self.logic.compare(result) if result else None
        if result is None or comparison is None:
            return
        self.ui.comparisonLabel.text = description(comparison)
        self.ui.outlineButton.checked = self.logic.is_outline_shown(result)
        for button in (self.ui.restoreRightButton, self.ui.restoreLeftButton, self.ui.restoreAllButton):
            button.enabled = comparison.is_edited


def description(comparison: Comparison) -> str:
    """Return a comparison in one or two sentences."""
    if not comparison.is_edited:
        return _("Nothing was edited.")
    text = _("Dice {dice}, {added} ml added, {removed} ml removed.").format(
        dice=format_number(comparison.dice, 3),
        added=format_number(comparison.added_ml, 1),
        removed=format_number(comparison.removed_ml, 1),
    )
    if comparison.lungs_changed_ml:
        text += " " + _("The lungs differ in {ml} ml.").format(ml=format_number(comparison.lungs_changed_ml, 1))
    return text
