"""The section "followup": choose an earlier CT, compare, and show what has changed."""

from __future__ import annotations

from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from .. import follow_up_texts as texts
from .. import messages
from ..logic.followup import FollowupLogic
from ..parameters import Parameters
from ..process.follow_up_task import FollowUpTask
from ..sentences import translated_sentence
from ..terms import translated
from .followup_tables import fill_lesions, fill_regions, set_up_lesions, set_up_regions
from .fonts import enlarge
from .picture import show_picture
from .section import Section, SectionHost
from .shortcuts import Shortcut, Shortcuts
from .views import fit_slice_views, show_chart

#: Time between two looks at the comparison, in milliseconds.
POLL_MILLISECONDS = 200


class FollowupSection(Section):
    """Compare the current result with an earlier CT. The section is hidden if there is no result.

    Args:
        panel: The panel that the section is part of.
        logic: The logic of this section.

    Attributes:
        task: The comparison in progress, or None.
        timer: Polls it.
        shown: The lesions in the order of the table, as in the report.
        shortcuts: The keys of this section.
        picture: The window with the picture of the fit that was opened last, or None.
    """

    name = "followup"
    title = _("Follow-up")

    def __init__(self, panel: SectionHost, logic: FollowupLogic):
        super().__init__(panel)
        self.logic = logic
        self.task: FollowUpTask | None = None
        self.timer = qt.QTimer()
        self.poll_milliseconds = POLL_MILLISECONDS
        self.shown: list[dict[str, Any]] = []
        self.picture: Any = None
        self._comparison_id = ""
        self._busy = self._filling = False
        #: The CTs for which the user has entered the days; None if they come from a scene.
        self._entered_for: tuple[Any, Any] | None = None
        self.shortcuts = Shortcuts(
            [
                Shortcut("P", _("Show the earlier CT beside the current one"), self.on_side_by_side_key),
                Shortcut("J", _("Go to the next lesion that was compared"), lambda: self.step(1)),
                Shortcut("Shift+J", _("Go to the previous lesion that was compared"), lambda: self.step(-1)),
            ]
        )

    def setup(self) -> None:
        """Set up the tables and connect all signals."""
        self.logic.register_layout()
        enlarge(self.ui.followupHeadline, 1.0)
        set_up_lesions(self.ui.changesTable)
        set_up_regions(self.ui.regionsTable)
        self.ui.sideBySideButton.toolTip = self.shortcuts.shortcuts[0].tool_tip
        self.timer.timeout.connect(self.on_timer)
        self.ui.priorSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.on_prior_changed)
        self.ui.daysBox.connect("valueChanged(int)", self.on_days)
        self.ui.compareButton.connect("clicked(bool)", self.on_compare_button)
        self.ui.sideBySideButton.connect("clicked(bool)", self.on_side_by_side)
        self.ui.coloursButton.connect("clicked(bool)", self.on_colours)
        self.ui.trendButton.connect("clicked(bool)", self.on_trend)
        self.ui.fitButton.connect("clicked(bool)", self.on_fit)
        self.ui.changesTable.connect("currentCellChanged(int,int,int,int)", self.on_lesion)
        self.ui.changesTable.connect("cellClicked(int,int)", self.on_lesion)
        self._report("")

    # --- what happens to the module and to the scene ---

    def initialize_parameters(self, parameters: Parameters) -> None:
        """Select the last CT of the same patient that is earlier, if none is selected."""
        if parameters.ct is not None and parameters.prior is None:
            parameters.prior = self.logic.likely_prior(parameters.ct)

    def enter(self) -> None:
        """Install the keys."""
        self.shortcuts.install(self.widget)

    def exit(self) -> None:
        """Remove the keys."""
        self.shortcuts.remove()

    def cleanup(self) -> None:
        """Cancel the comparison and remove the keys."""
        self.timer.stop()
        if self.task:
            self.task.cancel()
            self.task = None
        self.shortcuts.remove()

    def scene_closing(self) -> None:
        """Cancel the comparison, and go back to the layout before."""
        self.timer.stop()
        if self.task:
            self.task.cancel()
            self.task = None
        self._entered_for = None
        self.logic.leave_views()
        self.logic.forget()

    def scene_closed(self) -> None:
        """Clear the message about the previous scene."""
        self._report("")

    def nodes_changed(self) -> None:
        """Let the comparison find out whether its nodes are still there."""
        self.on_timer()

    def masks_changed(self) -> None:
        """Say that the comparison is out of date after an edit, and show the infection in place of its colours."""
        comparison = self._comparison
        if comparison is not None and self.logic.colours_are_shown(comparison) and self.logic.is_outdated(comparison):
            self.logic.show_colours(comparison, False)
        self.update()

    # --- what the user does ---

    def on_prior_changed(self, node: Any = None) -> None:
        """Store the earlier CT."""
        if self.parameters and node is not self.parameters.prior:
            self.parameters.days = None
            self.parameters.prior = node

    def on_days(self, days: int = -1) -> None:
        """Store the days between the CTs."""
        if self.parameters:
            self._entered_for = (self._ct, self._prior)
            self.parameters.days = days if days >= 0 else None

    def on_compare_button(self, _checked: bool = False) -> None:
        """Start a comparison, or cancel the current one."""
        if self.task:
            self.task.cancel()
            self._finish_task()
            return
        result, ct, prior = self._result, self._ct, self._prior
        if result is None or ct is None or prior is None:
            return
        if self.logic.is_other_patient(ct, prior) and not slicer.util.confirmOkCancelDisplay(
            _("The CTs have different patient IDs. Are both of the same patient?"), "CovidSeg"
        ):
            return
        self._report("")
        assert self.parameters is not None
        self.task = self.logic.start(result, prior, self._days, self.parameters.model, self.parameters.device)
        self.timer.start(self.poll_milliseconds)
        self.panel.update()
        self.on_timer()

    def on_side_by_side_key(self) -> None:
        """Show both CTs side by side, or go back."""
        if self._comparison is None:
            self.logic.leave_views()
        else:
            self.on_side_by_side(not self.logic.is_side_by_side(self._comparison))

    def on_side_by_side(self, visible: bool = False) -> None:
        """Show both CTs side by side in linked views, or go back to the layout before."""
        comparison = self._comparison
        if comparison is not None:
            self.logic.show_side_by_side(comparison, visible)
            if visible:
                fit_slice_views()
                self._show_current()
            self.update()

    def on_colours(self, visible: bool = False) -> None:
        """Show or hide the lesions in the colours of their changes."""
        if self._comparison is not None:
            self.logic.show_colours(self._comparison, visible)
            self.update()

    def on_trend(self, _checked: bool = False) -> None:
        """Show the trend in a plot view."""
        if self._comparison is not None:
            show_chart(self.logic.chart(self._comparison))
            self.update()  # it may have changed the layout

    def on_fit(self, _checked: bool = False) -> None:
        """Show the picture of how well the lungs fit."""
        content = self.logic.fit_picture(self._comparison) if self._comparison is not None else None
        if content:
            self.picture = show_picture(content, _("How well the lungs fit"), self.widget)

    def on_lesion(self, row: int = -1, *_cells: int) -> None:
        """Centre all views on the lesion of a row."""
        if not self._filling and 0 <= row < len(self.shown) and self._comparison is not None:
            self.logic.show_lesion(self._comparison, self.shown[row])

    def step(self, by: int) -> None:
        """Go to the next or the previous lesion of the table."""
        if self.shown and self._comparison is not None:
            row = self.ui.changesTable.currentRow()
            self.ui.changesTable.setCurrentCell((row + by) % len(self.shown) if row >= 0 else 0, 0)

    # --- the comparison in progress ---

    def on_timer(self) -> None:
        """Poll the comparison and show its progress, or finish it."""
        task = self.task
        if task is None or self._busy:
            return
        self._busy = True  # loading the comparison changes the scene, and so calls this method again
        try:
            task.poll()
        finally:
            self._busy = False
        if task is not self.task:
            return
        if task.finished:
            self._finish_task()
        else:
            self.ui.followupStageLabel.text = translated(task.run.stage)
            self.ui.followupProgressBar.value = round(1000 * task.fraction)

    def _finish_task(self) -> None:
        """Show the comparison, or why there is none."""
        task, self.task = self.task, None
        self.timer.stop()
        if task is None:
            return
        if task.comparison is not None:
            self.logic.finish(task.comparison)
            self._report("\n".join("⚠ " + translated_sentence(warning) for warning in task.warnings))
            self.panel.update()
            self.on_side_by_side(True)
            return
        message = task.run.error or messages.cancelled()
        if task.run.broken_installation:
            message += " " + _("Press Segment infection, which repairs it.")
        if task.prior_result is not None:
            message += " " + _("The segmentation of the earlier CT is kept.")
        self._report(message, problem=task.run.error is not None)
        self.panel.update()

    # --- what is shown ---

    @property
    def _result(self) -> slicer.vtkMRMLSegmentationNode | None:
        return self.parameters.result if self.parameters else None

    @property
    def _ct(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """The CT of the current result, which need not be the selected one."""
        return self.logic.ct_of(self._result) if self._result is not None else None

    @property
    def _prior(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        prior = self.parameters.prior if self.parameters else None
        return prior if prior is not self._ct else None

    @property
    def _days(self) -> int | None:
        """The days that the user has entered, otherwise those between the study dates."""
        pair = (self._ct, self._prior)
        if None in pair or self.parameters is None:
            return None
        if self.parameters.days is not None and self._entered_for in (None, pair):
            return self.parameters.days
        days = self.logic.days_between(*pair)
        return days if days is not None and days >= 0 else None

    @property
    def _comparison(self) -> slicer.vtkMRMLSegmentationNode | None:
        return self.logic.comparison(self._result, self._prior)

    def update(self) -> None:
        """Show what is selected, what can be done, and what was found."""
        self.ui.followupPanel.visible = self._ct is not None
        if self._ct is None:
            return
        self._show_selection()
        if self._result is not None:
            self.logic.restore_infection(self._result)
        comparison = self._comparison
        running = self.task is not None
        obstacle = self._obstacle()
        self.ui.compareButton.text = (
            _("Cancel") if running else _("Compare again") if comparison else _("Compare with the earlier CT")
        )
        self.ui.compareButton.enabled = running or not obstacle
        self.ui.compareButton.toolTip = (
            _("Stop the comparison.")
            if running
            else obstacle or _("Register the lungs of the earlier CT and find what has changed.")
        )
        self.ui.followupProgressPanel.visible = running
        self.ui.followupResultPanel.visible = comparison is not None and not running
        if comparison is not None:
            self._show_comparison(comparison)

    def _show_selection(self) -> None:
        hidden = [node.GetID() for node in self.logic.not_offered(self._ct)]
        selector, days = self.ui.priorSelector, self.ui.daysBox
        for widget in (selector, days):
            widget.blockSignals(True)
        selector.sortFilterProxyModel().hiddenNodeIDs = hidden
        selector.setCurrentNode(self._prior)
        days.value = -1 if self._days is None else self._days
        for widget in (selector, days):
            widget.blockSignals(False)
            widget.enabled = self.task is None
        note = self._note()
        self.ui.priorNoteLabel.text = note
        self.ui.priorNoteLabel.visible = bool(note)

    def _obstacle(self) -> str:
        """Return what must be done before the CTs can be compared; empty if nothing."""
        if self._prior is None:
            return _("Select an earlier CT of the same patient first.")
        return ""

    def _note(self) -> str:
        """Return what to know about the selected CT before comparing."""
        ct, prior = self._ct, self._prior
        if ct is None or prior is None:
            return ""
        lines = []
        if self.logic.is_other_patient(ct, prior):
            lines.append("⚠ " + _("The CTs have different patient IDs."))
        days = self.logic.days_between(ct, prior)
        if days is not None and days < 0:
            lines.append("⚠ " + _("By its study date, the selected CT is {n} days later.").format(n=-days))
        if self.logic.result_of(prior) is None:
            lines.append(_("It has no segmentation yet, so it is segmented first."))
        return "\n".join(lines)

    def _show_comparison(self, comparison: slicer.vtkMRMLSegmentationNode) -> None:
        report = self.logic.report(comparison)
        self.ui.followupHeadline.text = texts.headline(report)
        outdated = self.logic.is_outdated(comparison)
        self.ui.outdatedLabel.visible = outdated
        self.ui.outdatedLabel.text = "⚠ " + _("Masks were edited since. Compare again to follow the edits.")
        self.ui.sideBySideButton.checked = self.logic.is_side_by_side(comparison)
        self.ui.coloursButton.checked = self.logic.colours_are_shown(comparison)
        self.ui.fitButton.text = _("Fit {dice}").format(dice=f"{report['registration']['lung_dice']:.2f}")
        self.ui.fitButton.enabled = self.logic.fit_picture(comparison) is not None
        self.ui.trendButton.enabled = self.logic.chart(comparison) is not None
        self.ui.changesLabel.text = texts.changes_line(report)
        if comparison.GetID() != self._comparison_id or self.shown != report["lesions"]["list"]:
            self._comparison_id, self.shown = comparison.GetID(), report["lesions"]["list"]
            self._filling = True
            fill_lesions(self.ui.changesTable, self.shown)
            fill_regions(self.ui.regionsTable, report["regions"])
            self._filling = False

    def _show_current(self) -> None:
        """Centre the views on the selected lesion, or on the first one."""
        row = max(self.ui.changesTable.currentRow(), 0)
        self.on_lesion(row)

    def _report(self, text: str, problem: bool = False) -> None:
        self.ui.followupStatusLabel.text = text
        self.ui.followupStatusLabel.visible = bool(text)
        self.ui.followupStatusLabel.setStyleSheet("color: #e03131;" if problem else "")
