"""What a reader says about the open case of a worklist, and whether it is saved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slicer.i18n import tr as _

from ..logic.worklist import WorklistLogic
from ..sentences import translated_sentence
from ..worklist.rows import GRADES, CaseRow, grade_text
from .fonts import enlarge


class CaseForm:
    """Grade, comment and mark of the open case.

    Args:
        ui: The widgets of the section.
        logic: The logic of the section.
        changed: Function to call when the reader has changed the grade or the mark.
    """

    def __init__(self, ui: Any, logic: WorklistLogic, changed: Callable[[], None]):
        self._ui, self._logic, self._changed = ui, logic, changed
        self._filling = False

    def setup(self) -> None:
        """Fill the grades and connect all signals."""
        enlarge(self._ui.caseLabel, 1.15)
        self._ui.gradeSelector.addItem("", "")
        for grade in GRADES:
            self._ui.gradeSelector.addItem(grade_text(grade), grade)
        self._ui.gradeSelector.connect("currentIndexChanged(int)", self.on_grade)
        self._ui.commentEdit.connect("textChanged(QString)", self.on_comment)
        self._ui.reviewedBox.connect("toggled(bool)", self.on_reviewed)

    def on_grade(self, index: int = -1) -> None:
        """Keep the grade."""
        if not self._filling:
            self._logic.say(grade=str(self._ui.gradeSelector.itemData(index) or ""))
            self._changed()

    def on_comment(self, text: str = "") -> None:
        """Keep the comment."""
        if not self._filling:
            self._logic.say(comment=str(text))

    def on_reviewed(self, reviewed: bool = False) -> None:
        """Mark the case as reviewed, or not."""
        if not self._filling:
            self._logic.say(reviewed=reviewed)
            self._logic.save()
            self._changed()

    def show(self, opening: str, selected: CaseRow | None) -> None:
        """Show the open case.

        Args:
            opening: The case that is being opened; empty if none is.
            selected: The selected row of the table.
        """
        case = self._logic.case if not opening else None
        self._ui.casePanel.visible = case is not None
        if case is not None:
            minutes, seconds = divmod(int(case.clock.seconds), 60)
            self._ui.caseLabel.text = f"{case.entry.case_id}  ·  {minutes}:{seconds:02d}"
            self._filling = True
            try:
                self._ui.reviewedBox.checked = case.reading.reviewed is not None
                self._select_grade(case.reading.grade or "")
                if str(self._ui.commentEdit.text) != (case.reading.comment or ""):
                    self._ui.commentEdit.text = case.reading.comment or ""
            finally:
                self._filling = False
        self._show_saving(case is not None)
        self.show_problem(opening, selected)

    def show_problem(self, opening: str, selected: CaseRow | None) -> None:
        """Show what is to be known about the case that is open, or why the selected one has failed."""
        case = self._logic.case
        if opening:
            text = _('Opening "{case}"...').format(case=opening)
        elif self._logic.problem:
            text = self._logic.problem
        elif selected is not None and selected.failure:
            text = selected.failure
        else:
            text = "\n".join(map(translated_sentence, case.notes)) if case else ""
        self._ui.caseProblemLabel.text = text
        self._ui.caseProblemLabel.visible = bool(text)

    def _show_saving(self, is_open: bool) -> None:
        problem = self._logic.save_problem
        saved = _("Saving...") if self._logic.is_saving else _("Everything is saved.")
        self._ui.saveLabel.text = problem or saved
        self._ui.saveLabel.visible = bool(problem) or is_open
        self._ui.saveLabel.setStyleSheet("color: #e03131;" if problem else "")

    def _select_grade(self, grade: str) -> None:
        """Select a grade. One that another program has stored is added to the choices."""
        selector = self._ui.gradeSelector
        if selector.findData(grade) < 0:
            selector.addItem(grade, grade)
        selector.setCurrentIndex(selector.findData(grade))
