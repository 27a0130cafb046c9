"""The section "worklist": a list of cases, and what a reader says about each."""

from __future__ import annotations

import logging
from collections.abc import Generator
from pathlib import Path

import qt
from slicer.i18n import tr as _

from CovidSegLib.errors import InputError

from ..logic.worklist import WorklistLogic
from ..worklist.rows import REVIEWED
from .case_form import CaseForm
from .case_table import CaseTable
from .section import Section, SectionHost
from .shortcuts import Shortcut, Shortcuts

#: Time between two looks at the open case, in milliseconds: for its reading time, and to save what has changed.
LOOK_MILLISECONDS = 1000
#: Time between the steps of opening a case, and while it is read in a thread, in milliseconds.
STEP_MILLISECONDS, WAIT_MILLISECONDS = 0, 30
_DONE = object()


class WorklistSection(Section):
    """Let the user read one case after the other.

    Args:
        panel: The panel that the section is part of.
        logic: The logic of this section.

    Attributes:
        shortcuts: The keys of this section.
        table: The table of cases.
        form: What the reader says about the open case.
        timer: Looks at the open case.
    """

    name = "worklist"
    title = _("Worklist")

    def __init__(self, panel: SectionHost, logic: WorklistLogic):
        super().__init__(panel)
        self.logic = logic
        self.table = CaseTable(self.ui, self.open_case)
        self.form = CaseForm(self.ui, logic, self.update)
        self.timer = qt.QTimer()
        self._step_timer = qt.QTimer()
        self._steps: Generator[bool, None, None] | None = None
        self._opening = ""
        self._entered = self._waits = False
        self.shortcuts = Shortcuts(
            [
                Shortcut("PgDown", _("Open the next case of the worklist"), lambda: self.step(1)),
                Shortcut("PgUp", _("Open the previous case of the worklist"), lambda: self.step(-1)),
                Shortcut("Ctrl+Return", _("Mark the case as reviewed, and open the next to review"), self.on_reviewed),
            ]
        )

    def setup(self) -> None:
        """Fill the selectors and connect all signals."""
        self._report("")
        self.table.setup()
        self.form.setup()
        buttons = (self.ui.nextCaseButton, self.ui.previousCaseButton, self.ui.reviewedButton)
        slots = (lambda: self.step(1), lambda: self.step(-1), self.on_reviewed)
        for button, slot, shortcut in zip(buttons, slots, self.shortcuts.shortcuts, strict=True):
            button.toolTip = shortcut.tool_tip
            button.connect("clicked(bool)", lambda _checked=False, slot=slot: slot())
        self.ui.openWorklistButton.connect("clicked(bool)", self.on_open)
        self.ui.closeWorklistButton.connect("clicked(bool)", self.on_close)
        self.ui.readerButton.connect("clicked(bool)", self.on_reader)
        self.ui.changeReaderButton.connect("clicked(bool)", self.on_change_reader)
        self.ui.readerEdit.connect("returnPressed()", self.on_reader)
        self.ui.worklistTable.connect("itemSelectionChanged()", self.on_selection)
        self._step_timer.setSingleShot(True)
        self._step_timer.timeout.connect(self.on_step)
        self.timer.setInterval(LOOK_MILLISECONDS)
        self.timer.timeout.connect(self.on_look)

    # --- what happens to the module and to the scene ---

    def enter(self) -> None:
        """Install the keys."""
        self._entered = True
        self.shortcuts.install(self.widget)

    def exit(self) -> None:
        """Remove the keys and save. Reading time stops."""
        self.shortcuts.remove()
        self.on_look()
        self._entered = False
        self.logic.save(leaving=True)

    def cleanup(self) -> None:
        """Save everything and stop."""
        self.shortcuts.remove()
        self.timer.stop()
        self._stop()
        self.logic.close()
        self.logic.wait()

    def scene_closing(self) -> None:
        """Save everything, because the nodes of the case are about to go."""
        self._stop()
        self.logic.flush()
        self.logic.forget_case()

    def update(self) -> None:
        """Show the list and the open case."""
        worklist, reader = self.logic.worklist, self.logic.reader
        self.ui.worklistNameLabel.text = worklist.path.name if worklist else ""
        self.ui.closeWorklistButton.visible = worklist is not None
        self.ui.changeReaderButton.visible = worklist is not None and bool(reader)
        self.ui.changeReaderButton.text = reader
        self.ui.readerPanel.visible = worklist is not None and not reader
        self.ui.casesPanel.visible = worklist is not None and bool(reader)
        if worklist is not None and reader:
            self._show_cases()

    # --- what the user does ---

    def on_open(self, _checked: bool = False) -> None:
        """Ask for a list, and open it."""
        kinds = _("Worklists (*.sqlite *.csv *.tsv *.txt)")
        chosen = qt.QFileDialog.getOpenFileName(self.widget, _("Open worklist"), "", kinds)
        # PythonQt returns the path, PySide6 also the filter.
        path = str(chosen[0] if isinstance(chosen, tuple) else chosen)
        if path:
            self.open(Path(path))

    def open(self, path: Path) -> None:
        """Open a list."""
        self._stop()
        self._report("")
        try:
            self.logic.open(path)
        except InputError as error:
            self._report(str(error), problem=True)
        else:
            self.timer.start()
            self.ui.readerEdit.text = self.logic.reader
        self.panel.update()

    def on_close(self, _checked: bool = False) -> None:
        """Save everything and close the list. The case stays in the scene."""
        self._stop()
        self.timer.stop()
        self.logic.flush()
        self._report(self.logic.save_problem, problem=True)
        self.logic.close()
        self.panel.update()

    def on_reader(self, _checked: bool = False) -> None:
        """Read under another name. The open case is left, because it holds what the other reader has drawn."""
        name = str(self.ui.readerEdit.text).strip()
        if name and name != self.logic.reader:
            self._leave(name)

    def on_change_reader(self, _checked: bool = False) -> None:
        """Ask for another name."""
        self.ui.readerEdit.text = self.logic.reader
        self.ui.readerPanel.visible = True
        self.ui.readerEdit.setFocus()

    def step(self, by: int) -> None:
        """Open the next or the previous case of the table."""
        case = self.table.neighbour(by)
        if case is not None:
            self.open_case(case)

    def open_case(self, case: str) -> None:
        """Open a case. What was being opened before is given up."""
        if not self.logic.reader or not self.parameters or self.logic.worklist is None:
            return
        self._stop()
        self._opening = case
        self._steps = self.logic.open_steps(case, self.parameters)
        self._waits = False
        self.on_step()
        self.panel.update()

    def on_step(self) -> None:
        """Do the next step of opening a case."""
        if self._steps is None:
            return
        try:
            with self.panel.held_updates():
                waits = next(self._steps, _DONE)
        except Exception:  # the case cannot be shown, and the list goes on
            logging.exception("CovidSeg: cannot open a case")
            self.logic.problem = _("The case could not be opened. The log has the details. Go on with the next case.")
            waits = _DONE
        if waits is _DONE:
            self._steps, self._opening = None, ""
            self.panel.update()
            self.logic.read_ahead(self.table.neighbour(1, to_review=True) or self.table.neighbour(1))
        else:
            self._step_timer.start(WAIT_MILLISECONDS if waits else STEP_MILLISECONDS)
            if waits and not self._waits:
                self.panel.update()  # no numbers of the case before
            self._waits = bool(waits)

    def on_reviewed(self) -> None:
        """Mark the open case as reviewed, and open the next one that is to be reviewed."""
        if self.logic.case is not None and self._steps is None:
            following = self.table.neighbour(1, to_review=True)
            self.logic.say(reviewed=True)
            self.logic.save()
            if following is not None:
                self.open_case(following)
            self.update()

    def on_selection(self) -> None:
        """Show why the selected case has failed."""
        self.form.show_problem(self._opening, self.table.selected())

    def on_look(self) -> None:
        """Count reading time, and save what has changed."""
        if self.logic.worklist is None:
            return
        mouse = qt.QCursor.pos()
        active = self._entered and qt.QApplication.activeWindow() is not None
        self.logic.look(active, (mouse.x(), mouse.y()))
        self.logic.save()
        self._show_case()

    # --- how ---

    def _leave(self, reader: str) -> None:
        """Close the open case, and go on as another reader."""
        self._stop()
        if self.parameters:
            for _step in self.logic.close_case_steps(self.parameters):
                self.panel.update()
        self.logic.read_ahead(None)
        self.logic.reader = reader
        self.panel.update()

    def _stop(self) -> None:
        """Give up opening a case."""
        self._step_timer.stop()
        if self._steps is not None:
            self._steps.close()
        self._steps, self._opening = None, ""

    def _show_cases(self) -> None:
        rows = self.logic.rows()
        case = self.logic.case
        self.table.fill(rows, self._opening or (case.entry.case_id if case else ""))
        reviewed = sum(row.state == REVIEWED for row in rows)
        text = _("{n} of {all} cases reviewed by {reader}.").format(n=reviewed, all=len(rows), reader=self.logic.reader)
        if self.table.hidden:
            text += " " + _("{n} more are not listed: search, or choose a filter.").format(n=self.table.hidden)
        self.ui.worklistProgressLabel.text = text
        self._show_case()

    def _show_case(self) -> None:
        """Show the open case, and which others can be opened."""
        self.form.show(self._opening, self.table.selected())
        self.ui.previousCaseButton.enabled = self.table.neighbour(-1) is not None
        self.ui.nextCaseButton.enabled = self.table.neighbour(1) is not None
        self.ui.reviewedButton.enabled = self.logic.case is not None and self._steps is None

    def _report(self, text: str, problem: bool = False) -> None:
        self.ui.worklistStatusLabel.text = text
        self.ui.worklistStatusLabel.visible = bool(text)
        self.ui.worklistStatusLabel.setStyleSheet("color: #e03131;" if problem else "")
