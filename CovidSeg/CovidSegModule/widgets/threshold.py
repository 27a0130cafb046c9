"""The section "threshold": the slider, the doubtful places, and the keys for them."""

from __future__ import annotations

import qt
import slicer
from slicer.i18n import tr as _

from ..logic.numbers import NumbersLogic
from ..logic.results import format_number
from ..logic.threshold import ThresholdLogic, model_threshold
from .section import Section, SectionHost
from .shortcuts import Shortcut, Shortcuts
from .views import jump_to

#: Time without movement of the slider after which a series of changes is over, in milliseconds.
PAUSE_MILLISECONDS = 500


class ThresholdSection(Section):
    """Cut the infection at another threshold. The section is hidden if the scene has no probabilities.

    Args:
        panel: The panel that the section is part of.
        logic: The logic of this section.
        numbers: Computes the volume of the infection.

    Attributes:
        shortcuts: The keys of this section.
        place: Number of the doubtful place that was shown last, or -1.
    """

    name = "threshold"
    title = _("Threshold and doubt")

    def __init__(self, panel: SectionHost, logic: ThresholdLogic, numbers: NumbersLogic):
        super().__init__(panel)
        self.logic, self.numbers = logic, numbers
        self.place = -1
        self._shown: slicer.vtkMRMLSegmentationNode | None = None
        self._pause_timer, self._work_timer = qt.QTimer(), qt.QTimer()
        self.shortcuts = Shortcuts(
            [
                Shortcut("D", _("Show or hide where the model hesitates (probability 20 to 80 %)"), self.on_doubt_key),
                Shortcut("N", _("Go to the next doubtful place, the largest first"), self.on_next),
                Shortcut("Shift+N", _("Go to the previous doubtful place"), self.on_previous),
            ]
        )

    def setup(self) -> None:
        """Connect all signals."""
        for timer, milliseconds, slot in (
            (self._pause_timer, PAUSE_MILLISECONDS, self._finish),
            (self._work_timer, 0, self._work),
        ):
            timer.setSingleShot(True)
            timer.setInterval(milliseconds)
            timer.timeout.connect(slot)
        buttons = (self.ui.doubtButton, self.ui.doubtNextButton, self.ui.doubtPreviousButton)
        for button, shortcut in zip(buttons, self.shortcuts.shortcuts, strict=True):
            button.toolTip = shortcut.tool_tip
        self._report("")
        self.ui.thresholdSlider.connect("valueChanged(int)", self.on_slider)
        self.ui.thresholdResetButton.connect("clicked(bool)", self.on_reset)
        self.ui.doubtButton.connect("clicked(bool)", self.on_doubt_button)
        self.ui.doubtNextButton.connect("clicked(bool)", self.on_next)
        self.ui.doubtPreviousButton.connect("clicked(bool)", self.on_previous)

    # --- what happens to the module and to the scene ---

    def enter(self) -> None:
        """Install the keys."""
        self.shortcuts.install(self.widget)

    def exit(self) -> None:
        """Remove the keys."""
        self.shortcuts.remove()

    def masks_changed(self) -> None:
        """Show the volume of the present infection."""
        self.update()

    def scene_closing(self) -> None:
        """Forget the result."""
        self._stop()

    def cleanup(self) -> None:
        """Stop the timers and remove the keys."""
        self._stop()
        self.shortcuts.remove()

    # --- what the user does ---

    def on_slider(self, percent: int) -> None:
        """Cut the infection at the threshold of the slider."""
        self._cut(percent / 100)

    def on_reset(self, _checked: bool = False) -> None:
        """Return to the threshold of the model."""
        if self._result:
            self._cut(model_threshold(self._result))

    def on_doubt_key(self) -> None:
        """Show the doubtful places if they are hidden, and hide them otherwise."""
        if self._result:
            self.on_doubt_button(not self.logic.is_doubt_shown(self._result))

    def on_doubt_button(self, visible: bool = False) -> None:
        """Show or hide the doubtful places."""
        if self._result:
            self.logic.show_doubt(self._result, visible)
            self.update()

    def on_next(self, _checked: bool = False) -> None:
        """Go to the next doubtful place."""
        self._go(1)

    def on_previous(self, _checked: bool = False) -> None:
        """Go to the previous doubtful place."""
        self._go(-1)

    def _cut(self, threshold: float) -> None:
        result = self._result
        if result is None:
            return
        if not self._pause_timer.active:
            self.logic.save_state(result)
        self._pause_timer.start()
        self.logic.cut(result, threshold)
        self._show_threshold(threshold)

    def _finish(self) -> None:
        if self._result:
            self.logic.finish(self._result)

    def _go(self, step: int) -> None:
        result = self._result
        if result is None:
            return
        places = self.logic.places(result)
        if not places:
            self._report(_("There is no doubtful place."))
            return
        self.place = (self.place + step) % len(places) if self.place >= 0 or step > 0 else len(places) - 1
        place = places[self.place]
        if not self.logic.is_doubt_shown(result):
            self.logic.show_doubt(result, True)
        jump_to(self.logic.position(result, place))
        self._report(
            _("Doubtful place {number} of {count}: {ml} ml").format(
                number=self.place + 1, count=len(places), ml=format_number(place.volume_ml, 2)
            )
        )
        self.update()

    # --- what is shown ---

    @property
    def _result(self) -> slicer.vtkMRMLSegmentationNode | None:
        """The current result if its probabilities are in the scene."""
        result = self.parameters.result if self.parameters else None
        return result if result and self.logic.is_available(result) else None

    def update(self) -> None:
        """Show the threshold and the volume of the current result."""
        result = self._result
        self.ui.thresholdPanel.visible = result is not None
        if result is not self._shown:
            self._stop()
            self._shown = result
        if result is None:
            return
        self._show_threshold(self.logic.threshold(result))
        usual = format_number(100 * model_threshold(result))
        self.ui.thresholdResetButton.text = _("Model: {percent} %").format(percent=usual)
        self.ui.doubtButton.checked = self.logic.is_doubt_shown(result)
        if not self.numbers.is_ready(result):
            self._work_timer.start()
            return
        numbers = self.numbers.numbers(result)
        if numbers:
            both = numbers.lungs[2]
            self.ui.thresholdVolumeLabel.text = _("Infection: {ml} ml, {percent} % of the lungs").format(
                ml=format_number(both.infection_ml, 1), percent=format_number(both.involvement_percent, 1)
            )
        self._work_timer.start()

    def _show_threshold(self, threshold: float) -> None:
        blocked = self.ui.thresholdSlider.blockSignals(True)
        self.ui.thresholdSlider.value = round(100 * threshold)
        self.ui.thresholdSlider.blockSignals(blocked)
        self.ui.thresholdValueLabel.text = _("{percent} %").format(percent=format_number(100 * threshold))

    def _report(self, text: str) -> None:
        self.ui.doubtLabel.text = text
        self.ui.doubtLabel.visible = bool(text)

    def _work(self) -> None:
        """Prepare what makes the slider fast, piece by piece while the user does nothing."""
        result = self._result
        if result is not None and self.numbers.is_ready(result) and self.logic.prepare(result):
            self._work_timer.start()

    def _stop(self) -> None:
        self._pause_timer.stop()
        self._work_timer.stop()
        self.place, self._shown = -1, None
        self._report("")
        self.logic.forget()
