"""Save readings in a thread, one after the other. What cannot be saved is kept and tried again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from slicer.i18n import tr as _

from CovidSegLib.cohorts.corrections import Correction
from CovidSegLib.cohorts.database import Cohort
from CovidSegLib.cohorts.readings import Reading, readings
from CovidSegLib.cohorts.saving import Saved, move_private_readings, save
from CovidSegLib.cohorts.worklist import Worklist, is_writable, private_store
from CovidSegLib.errors import InputError

from ..process.background import Background

#: Seconds after which a reading that could not be saved is tried again.
RETRY_SECONDS = 5.0
#: Case and reader.
Key = tuple[str, str]


@dataclass(frozen=True)
class Job:
    """A reading to save.

    Attributes:
        reading: The reading.
        build: Returns the masks if they have changed, otherwise None. It is called in a thread.
    """

    reading: Reading
    build: Callable[[], Correction] | None = None

    @property
    def key(self) -> Key:
        """Case and reader."""
        return self.reading.case_id, self.reading.reader


class Saver:
    """Saves readings of one worklist. Call `poll` regularly.

    Args:
        worklist: The worklist.

    Attributes:
        problem: What the user should know, in a sentence; empty if all is well.
        saved: Function that is called with each reading that was saved, in the main thread.
    """

    def __init__(self, worklist: Worklist, saved: Callable[[Saved], None]):
        self._worklist = worklist
        self._store = worklist.store
        self._saved = saved
        self._queue: dict[Key, Job] = {}
        self._running: tuple[Job, Background[Saved]] | None = None
        #: File and volume of each reading that the store has.
        self._results: dict[Key, tuple[str | None, float | None]] = {}
        self._retry_at = 0.0
        self.problem = ""
        if is_writable(worklist.store):
            try:
                move_private_readings(worklist)
            except InputError as error:
                self.problem = str(error)
            self._note_results()
        else:
            self._use_private_store()

    @property
    def busy(self) -> bool:
        """True until everything is saved."""
        return bool(self._queue or self._running)

    @property
    def store(self) -> Cohort:
        """Where readings are saved."""
        return self._store

    def is_running(self, key: Key) -> bool:
        """Return True while a reading is being written."""
        return self._running is not None and self._running[0].key == key

    def queued(self, key: Key) -> Job | None:
        """Return the reading that waits to be written, or None."""
        return self._queue.get(key)

    def submit(self, job: Job) -> None:
        """Save a reading soon. It replaces one of the same case and reader that still waits."""
        waiting = self._queue.pop(job.key, None)
        if waiting is not None and job.build is None:
            job = replace(job, build=waiting.build)
        self._queue[job.key] = job
        self.poll()

    def poll(self) -> None:
        """Finish what was saved, and begin the next."""
        if self._running is not None:
            job, background = self._running
            if not background.done:
                return
            self._running = None
            self._finish(job, background)
        if self._queue and time.monotonic() >= self._retry_at:
            self._begin(self._queue.pop(next(iter(self._queue))))

    def flush(self, seconds: float) -> None:
        """Save everything now, at the latest in the user's own folder.

        Args:
            seconds: Time after which a file that another program blocks is given up.
        """
        end = time.monotonic() + seconds
        self._retry_at = 0.0
        while self.busy and time.monotonic() < end:
            self.poll()
            time.sleep(0.01)
        if self._queue and self._running is None and self._store is self._worklist.store:
            self._use_private_store()
            self._retry_at = 0.0
            end = time.monotonic() + seconds
            while self.busy and time.monotonic() < end:
                self.poll()
                time.sleep(0.01)

    def _begin(self, job: Job) -> None:
        result, infection_ml = self._results.get(job.key, (None, None))
        reading = replace(job.reading, result=result, infection_ml=infection_ml)
        store, build = self._store, job.build
        self._running = job, Background(lambda: save(store, reading, build() if build else None))

    def _finish(self, job: Job, background: Background[Saved]) -> None:
        try:
            saved = background.result()
        except InputError as error:
            self._keep(job, str(error))
        except Exception:  # whatever it is, the reading must not be lost
            logging.exception("CovidSeg: cannot save a reading")
            self._keep(job, _("The reading could not be saved. It will be tried again. The log has the details."))
        else:
            self.problem = "" if self._store is self._worklist.store else self.problem
            if saved.others_file:
                text = _(
                    'Somebody else reads this case as "{reader}". Both corrections were kept. Use different names.'
                )
                self.problem = text.format(reader=job.reading.reader)
            self._results[job.key] = saved.reading.result, saved.reading.infection_ml
            self._saved(saved)

    def _keep(self, job: Job, problem: str) -> None:
        self.problem = problem
        newer = self._queue.pop(job.key, None)
        if newer is not None:
            job = replace(newer, build=newer.build or job.build)
        self._queue[job.key] = job
        self._retry_at = time.monotonic() + RETRY_SECONDS

    def _note_results(self) -> None:
        self._results = {(row.case_id, row.reader): (row.result, row.infection_ml) for row in readings(self._store)}

    def _use_private_store(self) -> None:
        """Save into the user's own folder from now on."""
        try:
            store = private_store(self._worklist)
        except InputError as error:
            self.problem = str(error)
            return
        assert store is not None
        self._store = store
        self._note_results()
        self.problem = _(
            "The worklist cannot be written to. Your readings are kept on this computer, and are moved to the worklist "
            "when it is opened and can be written to."
        )
