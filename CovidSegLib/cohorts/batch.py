"""Segment the cases of a cohort: each once, with retries, and with every end on disk."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ..errors import InputError
from ..progress import Progress, silent
from ..storage.disk_errors import explain_disk_errors
from .cases import WaitingCase, count_states, fail_case, finish_case, start_case, wait_again, waiting_cases
from .database import Cohort
from .engines.engine import Engine, Job, Outcome
from .export import Exporter, write_tables

#: Tracebacks of unexpected errors.
LOG = "errors.log"
#: Seconds between two looks at whether the user has cancelled.
_POLL = 0.5


@dataclass(frozen=True)
class Summary:
    """What has come of a run.

    Attributes:
        done, failed: Cases of this run that are done, and that have failed.
        states: Number of all cases of the cohort by state.
        files: The tables.
    """

    done: int
    failed: int
    states: dict[str, int]
    files: list[Path]


def run_batch(
    cohort: Cohort,
    engine: Engine,
    *,
    retries: int = 1,
    progress: Progress = silent,
    log: Callable[[str], None] = lambda sentence: None,
) -> Summary:
    """Segment all cases that wait. The folder of the cohort is claimed by this run.

    A case is stored as running before it starts and as done when its files are complete. Whatever ends the run, the
    next one resumes: cases that were running are segmented again, or only measured if their files are complete.

    Args:
        cohort: The cohort.
        engine: Runs the cases. Not closed.
        retries: How often to try a case again whose process has died, or which has failed unexpectedly.
        progress: Receives "12 of 300 scans" and the fraction of this run that is done. May raise `Cancelled`.
        log: Receives a sentence for each case that has ended.

    Raises:
        InputError: The disk is full, or the model has changed. What is done stays, and the rest waits.
        Cancelled: Raised by `progress`. What is done stays, and the rest waits.
    """
    wait_again(cohort, ["running"])
    run = _Run(cohort, engine, retries, progress, log)
    try:
        run.to_the_end()
    finally:
        wait_again(cohort, ["running"])
        files = write_tables(cohort)
    return Summary(run.done, run.failed, count_states(cohort), files)


class _Run:
    """The cases of one run: waiting, running in a worker, ended."""

    def __init__(
        self, cohort: Cohort, engine: Engine, retries: int, progress: Progress, log: Callable[[str], None]
    ) -> None:
        self._cohort, self._engine, self._retries = cohort, engine, retries
        self._progress, self._log = progress, log
        self._waiting = deque(waiting_cases(cohort))
        self._total = len(self._waiting)
        self._running: dict[int, WaitingCase] = {}
        self._attempts: dict[str, int] = {}
        self._export = Exporter(cohort)
        self.done = self.failed = 0

    def to_the_end(self) -> None:
        """Run until no case waits."""
        self._show()
        while self._waiting or self._running:
            for slot in range(self._engine.workers):
                if slot not in self._running and self._waiting:
                    self._start(slot, self._waiting.popleft())
            for slot, outcome in self._engine.wait(_POLL):
                self._end(self._running.pop(slot), outcome)
            self._export()
            self._show()

    def _start(self, slot: int, case: WaitingCase) -> None:
        path_of = self._cohort.path_of
        start_case(self._cohort, case.id)
        self._attempts[case.id] = self._attempts.get(case.id, 0) + 1
        self._running[slot] = case
        job = Job(case.id, path_of(case.input).absolute(), case.series, path_of(case.output).absolute())
        self._engine.start(slot, job)

    def _end(self, case: WaitingCase, outcome: Outcome) -> None:
        if outcome.traceback:
            self._log_traceback(case, outcome.traceback)
        if outcome.kind == "stop":
            raise InputError(outcome.sentence)
        if outcome.kind == "done":
            assert outcome.finding is not None
            finish_case(self._cohort, case.id, outcome.finding, outcome.seconds)
            self.done += 1
            self._log(f"{case.id}: done in {outcome.seconds:.0f} s.")
            return
        again = outcome.kind == "again" and self._attempts[case.id] <= self._retries
        fail_case(self._cohort, case.id, outcome.sentence, again=again)
        if again:
            self._waiting.append(case)
            self._log(f"{case.id}: failed, and is tried again. {outcome.sentence}")
        else:
            self.failed += 1
            self._log(f"{case.id}: failed. {outcome.sentence}")

    def _show(self) -> None:
        ended = self.done + self.failed
        failed = f", {self.failed} failed" if self.failed else ""
        # Never 1.0, after which a run can no longer be cancelled: the tables are still to be written.
        self._progress(f"{ended} of {self._total} scans{failed}", min(ended / max(self._total, 1), 0.999))

    def _log_traceback(self, case: WaitingCase, text: str) -> None:
        file = self._cohort.folder / LOG
        with explain_disk_errors(file), file.open("a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S} {case.id}\n{text}\n")
