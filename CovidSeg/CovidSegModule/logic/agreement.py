"""Logic of the section "agreement": compare what two readers have drawn, in a thread."""

from __future__ import annotations

import threading
from pathlib import Path

from slicer.i18n import tr as _

from CovidSegLib.cohorts.agreement import CaseAgreement, summarise_agreement, write_agreement
from CovidSegLib.cohorts.compare_readers import Comparison, compare_readers, readers_of
from CovidSegLib.errors import InputError

from ..process.background import Background
from .results import format_number
from .worklist import WorklistLogic


class _Stopped(Exception):
    """The user has gone elsewhere."""


class AgreementLogic:
    """Compare two readers of the worklist that is open.

    Args:
        worklist: The worklist.

    Attributes:
        comparison: The last comparison, or None.
        problem: Why the last one failed, in a sentence; otherwise empty.
        progress: Number of cases that were compared, and of all.
    """

    def __init__(self, worklist: WorklistLogic):
        self._worklist = worklist
        self._task: Background[Comparison] | None = None
        self._stop = threading.Event()
        self._of: Path | None = None
        self.comparison: Comparison | None = None
        self.problem = ""
        self.progress = (0, 0)

    @property
    def is_available(self) -> bool:
        """True if a worklist is open."""
        return self._worklist.worklist is not None

    @property
    def is_running(self) -> bool:
        """True while readers are compared."""
        return self._task is not None

    def readers(self) -> list[str]:
        """Return the names of those who have reviewed a case; empty if that cannot be read."""
        try:
            return readers_of(self._worklist.worklist) if self._worklist.worklist else []
        except InputError as error:
            self.problem = str(error)
            return []

    def start(self, first: str, second: str) -> None:
        """Start to compare two readers. Call `poll` regularly until it is no longer running."""
        self.forget()
        worklist = self._worklist.worklist
        if worklist is None:
            return
        stop = self._stop = threading.Event()
        self._of = worklist.path

        def follow(done: int, count: int) -> None:
            if stop.is_set():
                raise _Stopped
            self.progress = (done, count)

        self._task = Background(lambda: compare_readers(worklist, first, second, follow))

    def poll(self) -> None:
        """Finish the comparison if it is done."""
        if self._task is None or not self._task.done:
            return
        task, self._task = self._task, None
        try:
            self.comparison = task.result()
        except InputError as error:
            self.problem = str(error)

    def forget(self) -> None:
        """Stop the comparison, and forget the last one."""
        self._stop.set()
        self._task = self.comparison = self._of = None
        self.problem, self.progress = "", (0, 0)

    def forget_other_list(self) -> None:
        """Forget the comparison if another list is open by now."""
        worklist = self._worklist.worklist
        if self._of is not None and (worklist is None or worklist.path != self._of):
            self.forget()

    def write_csv(self, path: Path) -> None:
        """Write the table to a file.

        Raises:
            InputError: It cannot be written.
        """
        if self.comparison is not None:
            write_agreement(path, self.comparison.readers, self.comparison.cases)


def cells(case: CaseAgreement) -> list[str]:
    """Return the texts of a row: case, Dice, both volumes and their difference in ml."""
    volumes = (case.first_ml, case.second_ml, case.difference_ml)
    return [case.case_id, format_number(case.dice, 3), *(format_number(volume, 1) for volume in volumes)]


def summary(comparison: Comparison) -> str:
    """Return what the comparison says about all cases, in sentences."""
    first, second = comparison.readers
    if not comparison.cases:
        text = _('No case was reviewed by both "{first}" and "{second}".').format(first=first, second=second)
    else:
        found = summarise_agreement(comparison.cases)
        text = _("Mean Dice {dice} in {n} cases. Mean difference {bias} ml").format(
            dice=format_number(found.dice, 3), n=found.count, bias=format_number(found.bias, 1)
        )
        if found.count > 1:
            text += _(", limits of agreement {low} to {high} ml").format(
                low=format_number(found.low, 1), high=format_number(found.high, 1)
            )
        text += "."
        if found.graded:
            text += " " + _("Same grade in {n} of {all}.").format(n=found.same_grade, all=found.graded)
    lines = [text, *comparison.failures.values()]
    return "\n".join(lines)
