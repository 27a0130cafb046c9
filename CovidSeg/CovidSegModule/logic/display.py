"""Logic of the section "display": how the CT and the result are shown."""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _

from ..scene import display


class DisplayLogic:
    """Switch between ways to show the infection, and set the lung window."""

    def next_mode(self, result: slicer.vtkMRMLSegmentationNode) -> None:
        """Show the infection filled, as outline, or not at all, in this order."""
        display.set_mode(result, display.next_mode(display.mode_of(result)))

    def mode_text(self, result: slicer.vtkMRMLSegmentationNode | None) -> str:
        """Return how the infection is shown in slice views."""
        texts = {display.FILL: _("Filled"), display.OUTLINE: _("Outline"), display.OFF: _("Off")}
        return texts[display.mode_of(result)] if result is not None else ""

    def set_lung_window(self, ct: slicer.vtkMRMLScalarVolumeNode) -> None:
        """Show the CT in the lung window."""
        display.set_lung_window(ct)
