"""The section "input": choose CT, model and device, then run, watch the progress, and cancel."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from CovidSegLib.errors import InputError

from .. import messages
from ..logic.input import InputLogic
from ..packages.installer import InstallError, question
from ..parameters import Parameters
from ..process.background import Background
from ..process.run import Run
from ..sample_data import add_sample, make_sample
from ..sentences import translated_sentence
from ..terms import translated
from .fonts import enlarge
from .model_card import show_model_card
from .section import Section, SectionHost
from .views import center_3d_views

#: Time between two looks at the run, in milliseconds, and between the steps of loading its result.
POLL_MILLISECONDS, LOADING_MILLISECONDS = 200, 10


class InputSection(Section):
    """Let the user choose what to segment, and segment it.

    Args:
        panel: The panel that the section is part of.
        logic: The logic of this section.

    Attributes:
        run: The current run, or None.
        timer: Polls the current run.
        poll_milliseconds: Time between two looks at the run.
        card: The window with the card of a model that was opened last, or None.
    """

    name = "input"

    def __init__(self, panel: SectionHost, logic: InputLogic):
        super().__init__(panel)
        self.logic = logic
        self.run: Run | None = None
        self.card: Any = None
        self.timer = qt.QTimer()
        #: Shows the CT a moment after it was selected, because a CT that is being loaded is not complete.
        self._show_timer = qt.QTimer()
        self.poll_milliseconds = POLL_MILLISECONDS
        self._started = 0.0
        self._device = "auto"
        self._log = ""
        self._sample: Background[Any] | None = None
        #: True while the result is loaded or packages are installed. The application processes events meanwhile.
        self._busy = False
        self._apply_style = self.ui.applyButton.styleSheet
        self._selectors = (self.ui.inputSelector, self.ui.modelSelector, self.ui.deviceSelector)

    def setup(self) -> None:
        """Fill the selectors and connect all signals."""
        enlarge(self.ui.applyButton, 1.4)
        for model in self.logic.models():
            self.ui.modelSelector.addItem(model.title, model.name)
            self.ui.modelSelector.setItemData(self.ui.modelSelector.count - 1, model.summary, qt.Qt.ToolTipRole)
        devices = {"auto": _("Automatic"), "cuda": _("Graphics card (GPU)"), "cpu": _("Processor (CPU)")}
        for name, title in devices.items():
            self.ui.deviceSelector.addItem(title, name)
        self._show_timer.setSingleShot(True)
        self._show_timer.timeout.connect(self._show_ct)
        self.timer.timeout.connect(self.on_timer)
        self.ui.inputSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.on_input_changed)
        self.ui.modelSelector.connect("currentIndexChanged(int)", self.on_model_changed)
        self.ui.deviceSelector.connect("currentIndexChanged(int)", self.on_device_changed)
        self.ui.cardButton.connect("clicked(bool)", self.on_card_button)
        self.ui.applyButton.connect("clicked(bool)", self.on_apply_button)
        self.ui.sampleButton.connect("clicked(bool)", self.on_sample_button)
        self.ui.logButton.connect("clicked(bool)", self.on_log_button)

    # --- what happens to the module and to the scene ---

    def initialize_parameters(self, parameters: Parameters) -> None:
        """Select the most likely CT if none is selected."""
        if self.run is None and parameters.ct is None:
            parameters.ct = self.logic.likely_ct()
        self._show_timer.start()

    def nodes_changed(self) -> None:
        """Let the run find out whether its CT is still there."""
        self.on_timer()

    def scene_closing(self) -> None:
        """Cancel the run."""
        if self.run:
            self.run.cancel()
            self._finish_run()

    def scene_closed(self) -> None:
        """Clear the status of the previous scene."""
        self.show_status("")

    def cleanup(self) -> None:
        """Cancel the run and stop the timer."""
        if self.run:
            self.run.cancel()
            self.run = None
        self.timer.stop()
        self._show_timer.stop()

    # --- what the user does ---

    def on_input_changed(self, node: Any = None) -> None:
        """Go to the selected CT and its result. Without one, the panel shows no result."""
        if not self.parameters or node is self.parameters.ct:
            return
        if node is not None:
            self.parameters.result = self.logic.switch_to(node)
        self.parameters.ct = node
        self._show_timer.start()

    def on_model_changed(self, index: int = -1) -> None:
        """Store the selected model."""
        if self.parameters:
            self.parameters.model = self.ui.modelSelector.itemData(index) or ""

    def on_device_changed(self, index: int = -1) -> None:
        """Store the selected device."""
        if self.parameters:
            self.parameters.device = self.ui.deviceSelector.itemData(index) or "auto"

    def on_card_button(self, _checked: bool = False) -> None:
        """Show what the selected model is for, how accurate it is and where it fails."""
        try:
            card = self.logic.model_card(self._selected_model())
        except InputError as error:
            self.show_status(str(error), problem=True)
            return
        self.card = show_model_card(card, self.widget)

    def on_apply_button(self, _checked: bool = False) -> None:
        """Start a run, or cancel the current one."""
        if self.run:
            self.run.cancel()
            self._finish_run(messages.cancelled())
        elif self._licence_accepted() and self._install_packages() and self.parameters and self.parameters.ct:
            self._start(self.parameters.device)

    def on_sample_button(self, _checked: bool = False) -> None:
        """Make the sample CT and load it."""
        self._sample = make_sample()
        self.show_status(_("Making a synthetic chest CT."))
        self.timer.start(self.poll_milliseconds)
        self.panel.update()

    def on_log_button(self, _checked: bool = False) -> None:
        """Save the log of a run that has crashed."""
        path = qt.QFileDialog.getSaveFileName(self.widget, _("Save log"), "CovidSeg.log", _("Log (*.log)"))
        # PySide returns the filter too, PythonQt does not.
        path = path if isinstance(path, str) else path[0]
        if path:
            Path(path).write_text(self._log, encoding="utf-8")
            self.show_status(_('The log was saved as "{name}".').format(name=Path(path).name))

    def _licence_accepted(self) -> bool:
        """Ask for agreement to the licence of the selected model if it restricts the use, once for each version."""
        model = self._selected_model()
        question = self.logic.licence_question(model)
        if not question:
            return True
        if not slicer.util.confirmOkCancelDisplay(question, _("Licence of the model")):
            self.show_status(_("The model was not used, because its licence was not accepted."))
            return False
        self.logic.accept_licence(model)
        return True

    def _start(self, device: str) -> None:
        """Start a run."""
        assert self.parameters is not None
        self.show_status("")
        self._log = ""
        self._device = device
        self._started = time.monotonic()
        self.run = self.logic.start(self.parameters.ct, self._selected_model(), device)
        self.timer.start(self.poll_milliseconds)
        self.panel.update()
        self.on_timer()

    def _show_ct(self) -> None:
        if self.parameters and self.parameters.ct:
            self.logic.show_ct(self.parameters.ct)
            self.panel.update()  # a CT that was being loaded when it was selected is complete now

    # --- the run ---

    def on_timer(self) -> None:
        """Poll the run and show its progress, or finish it."""
        if self._sample is not None and self._sample.done:
            self._finish_sample()
        run = self.run
        if run is None or self._busy:
            return
        self._busy = True  # loading the result changes the scene, and so calls this method again
        try:
            run.poll()
        finally:
            self._busy = False
        if run is not self.run:
            return  # cancelled, or the scene was closed, while the result was loaded
        if run.finished:
            self._finish_run(messages.done(time.monotonic() - self._started))
        else:
            self.timer.setInterval(LOADING_MILLISECONDS if run.loading else self.poll_milliseconds)
            self.ui.stageLabel.text = translated(run.stage)
            self.ui.timeLabel.text = messages.time_left(run.seconds_left)
            self.ui.progressBar.value = round(1000 * run.fraction)

    def _finish_run(self, message: str = "") -> None:
        """Show the result of the run, or why there is none."""
        run, self.run = self.run, None
        self.timer.stop()
        if run is None:
            return
        error = run.error
        self._log = run.log
        if run.broken_installation:
            self._find_broken_packages()
            error = _("{error} Press the button again to reinstall it.").format(error=error)
        if run.result and self.parameters:
            self.parameters.result = run.result.segmentation
            center_3d_views(run.result.segmentation)
            self._remember_time()
        lines = [error or message]
        if run.result:  # the warnings are about the result
            lines += ["⚠ " + translated_sentence(warning) for warning in run.warnings]
            if run.result.hidden:
                lines.append(messages.hidden_results(run.result.hidden))
        status = "\n".join(lines)
        self.show_status(status, problem=bool(error))
        self.panel.update()
        if run.gpu_memory and self.parameters and self.parameters.ct:
            time_on_cpu = self.logic.expected_time(self.parameters.ct, self.parameters.model, "cpu")
            if slicer.util.confirmOkCancelDisplay(messages.use_cpu(time_on_cpu), "CovidSeg"):
                self._start("cpu")

    def _remember_time(self) -> None:
        if self.parameters and self.parameters.ct:
            seconds = time.monotonic() - self._started
            self.logic.remember_time(self.parameters.ct, self.parameters.model, self._device, seconds)

    def _finish_sample(self) -> None:
        """Add the sample CT to the scene and select it."""
        sample, self._sample = self._sample, None
        self.timer.stop()
        assert sample is not None
        self.show_status("")
        node = add_sample(sample.result())
        if self.parameters:
            self.parameters.ct = node
        self.panel.update()

    def _install_packages(self) -> bool:
        """Install missing packages if the user agrees. Return True if all packages are installed."""
        missing = self.logic.installer.missing()
        if not missing:
            return True
        # In testing mode, Slicer answers every question with yes, but a test must not install anything.
        if slicer.app.testingEnabled() or not slicer.util.confirmOkCancelDisplay(question(missing), "CovidSeg"):
            self.show_status(
                _("Python packages are missing: {names}. Press the button again to install them.").format(
                    names=", ".join(missing)
                ),
                problem=True,
            )
            return False
        self._busy = True
        self.show_status(_("Installing Python packages. This takes a few minutes."))
        self.panel.update()
        try:
            self.logic.installer.install()
        except InstallError as error:
            self.show_status(str(error), problem=True)
            return False
        finally:
            self._busy = False
            self.panel.update()
        return True

    def _find_broken_packages(self) -> None:
        self._busy = True
        self.panel.update()
        self.logic.installer.find_broken()
        self._busy = False

    # --- what is shown ---

    def update(self) -> None:
        """Show what is selected and what can be done."""
        running = self.run is not None
        ct = self.parameters.ct if self.parameters else None
        obstacle = self._obstacle(ct)
        self._show_selection(ct)
        self.ui.applyButton.text = _("Cancel") if running else _("Segment infection")
        self.ui.applyButton.setStyleSheet("" if running else self._apply_style)
        self.ui.applyButton.enabled = running or not (obstacle or self._busy)
        self.ui.applyButton.toolTip = (
            _("Stop the segmentation. The scene stays as it was before.")
            if running
            else obstacle or _("Segment the lungs and the infection in the selected CT. Adds a new segmentation.")
        )
        self.ui.cardButton.enabled = self.ui.modelSelector.count > 0
        for selector in self._selectors:
            selector.enabled = not running and not self._busy
        self.ui.progressPanel.visible = running
        self.ui.logButton.visible = bool(self._log) and not running
        self.ui.sampleButton.visible = ct is None and not running
        self.ui.sampleButton.enabled = self._sample is None and self.parameters is not None

    def show_status(self, text: str, problem: bool = False) -> None:
        """Show a message below the button, in red if it is about a problem; hide it if the text is empty."""
        self.ui.statusLabel.text = text
        self.ui.statusLabel.visible = bool(text)
        self.ui.statusLabel.setStyleSheet("color: #e03131;" if problem else "")

    def _show_selection(self, ct: Any) -> None:
        hidden = [node.GetID() for node in self.logic.result_volumes()]
        self.ui.inputSelector.sortFilterProxyModel().hiddenNodeIDs = hidden
        for selector in self._selectors:
            selector.blockSignals(True)
        models = self.ui.modelSelector
        self.ui.inputSelector.setCurrentNode(ct)
        if self.parameters:
            # A scene may name a model that is not installed here. In that case the first model is selected.
            models.setCurrentIndex(max(models.findData(self.parameters.model), 0))
            self.ui.deviceSelector.setCurrentIndex(max(self.ui.deviceSelector.findData(self.parameters.device), 0))
        summary = models.itemData(models.currentIndex, qt.Qt.ToolTipRole)
        models.toolTip = summary or _("The model that segments the CT.")
        for selector in self._selectors:
            selector.blockSignals(False)

    def _selected_model(self) -> str:
        return self.ui.modelSelector.itemData(self.ui.modelSelector.currentIndex)

    def _obstacle(self, ct: Any) -> str:
        """Return what the user must do before the CT can be segmented; empty if nothing."""
        if ct is None:
            return _("Select a chest CT first.")
        if self.ui.modelSelector.count == 0:
            return _("No model is installed. Reinstall the CovidSeg extension.")
        check = self.logic.readiness.check(ct)
        return translated_sentence(check.refusal) if check else ""
