"""The section "readiness": what a run will use, how long it will take, and what was noticed about the CT."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from ..logic.readiness import ReadinessLogic, duration
from ..scene.volumes import slices
from ..sentences import translated_sentence
from .section import Section, SectionHost

#: Time between two looks at the threads, in milliseconds.
POLL_MILLISECONDS = 100


class ReadinessSection(Section):
    """Show what is known before a run.

    Args:
        panel: The panel that the section is part of.
        logic: The logic of this section.
        installed: Returns True if all packages are installed, so that the devices can be listed.
    """

    name = "readiness"

    def __init__(self, panel: SectionHost, logic: ReadinessLogic, installed: Callable[[], bool]):
        super().__init__(panel)
        self.logic = logic
        self._installed = installed
        self._timer = qt.QTimer()

    def setup(self) -> None:
        """Set up the timer."""
        self._timer.setInterval(POLL_MILLISECONDS)
        self._timer.timeout.connect(self._on_timer)

    def enter(self) -> None:
        """Ask for the devices."""
        self._list_devices()
        self.update()

    def cleanup(self) -> None:
        """Stop the timer."""
        self._timer.stop()

    def update(self) -> None:
        """Show what is known now, and look again if threads are at work."""
        parameters = self.parameters
        ct = parameters.ct if parameters else None
        check = self.logic.check(ct)
        plan = ""
        if parameters and ct is not None:
            plan = self.logic.device_text(parameters.device)
            seconds = self.logic.expected_seconds(parameters.model, parameters.device, slices(ct))
            if seconds is not None and parameters.result is None:  # beside "Done in 20 s" it would be odd
                time = _("It will take {time}.").format(time=duration(seconds))
                plan = f"{plan} {time}".strip()
        series = self._show_series(ct)
        self.ui.planLabel.text = plan
        self.ui.planLabel.visible = bool(plan)
        refusal = translated_sentence(check.refusal) if check else ""
        warnings = check.warnings if check else ()
        lines = [refusal] if refusal else ["⚠ " + translated_sentence(warning) for warning in warnings]
        self.ui.checkLabel.text = "\n".join(lines)
        self.ui.checkLabel.visible = bool(lines)
        self.ui.checkLabel.setStyleSheet("color: #e03131;" if refusal else "")
        self.ui.readinessPanel.visible = bool(series or plan or lines)
        if self.logic.waiting:
            self._timer.start()

    def _show_series(self, ct: Any) -> str:
        """Show which DICOM series the CT is. Return the text, empty if it is not from the database."""
        series = self.logic.series(ct)
        text = _("DICOM series {title}").format(title=series.title) if series and series.title else ""
        self.ui.seriesLabel.text = text
        self.ui.seriesLabel.visible = bool(text)
        if series:
            self.ui.seriesLabel.toolTip = _("Series Instance UID: {uid}").format(uid=series.uid)
        return text

    def _on_timer(self) -> None:
        if not self.logic.waiting:
            self._timer.stop()
            self.panel.update()

    def _list_devices(self) -> None:
        # A test must not load torch, which takes long and is not always there.
        if self._installed() and not slicer.app.testingEnabled():
            self.logic.begin_listing_devices()
