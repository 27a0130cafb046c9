"""Logic of the section "worklist": open the cases of a list one after the other, and save what a reader changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path

import slicer

from CovidSegLib.cohorts.case_list import Entry
from CovidSegLib.cohorts.corrections import Correction, read_correction
from CovidSegLib.cohorts.readings import Reading, readings
from CovidSegLib.cohorts.saving import Saved
from CovidSegLib.cohorts.worklist import Worklist, open_worklist
from CovidSegLib.errors import InputError

from .. import settings
from ..parameters import Parameters
from ..process.background import Background
from ..scene import case_nodes
from ..scene.review import Reviews
from ..worklist.case_reader import CaseContent, read_case
from ..worklist.open_case import OpenCase, report_fields
from ..worklist.rows import CaseRow, row_of
from ..worklist.saver import Key, Saver
from .input import InputLogic
from .lesions import LesionsLogic
from .numbers import NumbersLogic
from .report import READER_ATTRIBUTE

#: Setting with the name of the reader.
READER_SETTING = "Reader"
#: Seconds to wait for the last readings when the worklist or Slicer is closed.
FLUSH_SECONDS = 5.0


class _Reading:
    """A case that is being read in a thread.

    Args:
        entry: The case.
        correction: See `read_case`.
    """

    def __init__(self, entry: Entry, correction: Callable[[], Correction] | None):
        self.entry = entry
        self.abandoned = threading.Event()
        self.background: Background[CaseContent] = Background(
            lambda: read_case(entry, correction, self.abandoned.is_set)
        )


class WorklistLogic:
    """Opens the cases of a worklist, and saves the readings.

    Args:
        reviews: The results of the scene.
        input_logic: Shows CTs.
        numbers: Counts the masks.
        lesions: The lesions of the results.

    Attributes:
        worklist: The list that is open, or None.
        case: The case that is open, or None.
        problem: Why the last case could not be opened, in a sentence; otherwise empty.
    """

    def __init__(
        self,
        reviews: Reviews,
        input_logic: InputLogic,
        numbers: NumbersLogic,
        lesions: LesionsLogic,
    ):
        self._reviews, self._input, self._numbers = reviews, input_logic, numbers
        self._lesions = lesions
        self.worklist: Worklist | None = None
        self.case: OpenCase | None = None
        self.problem = ""
        self._saver: Saver | None = None
        self._readings: dict[Key, Reading] = {}
        self._corrections: dict[Key, Path] = {}
        self._unreadable: dict[str, str] = {}
        self._ahead: _Reading | None = None
        self._leaving: list[_Reading] = []
        #: Nodes of cases that were left and are still to be removed. It goes on when another case is opened meanwhile.
        self._removal: list[Iterator[None]] = []

    # --- the list ---

    @property
    def reader(self) -> str:
        """Name of the reader; empty if nobody has given one."""
        return settings.read(READER_SETTING)

    @reader.setter
    def reader(self, name: str) -> None:
        settings.write(READER_SETTING, name.strip())

    def open(self, path: Path) -> None:
        """Open a worklist. The one before must be closed.

        Raises:
            InputError: It cannot be opened.
        """
        worklist = open_worklist(path)
        saver = Saver(worklist, self._was_saved)
        self.worklist, self._saver = worklist, saver
        self._unreadable = {}
        self.refresh()

    def close(self) -> None:
        """Save everything and forget the list. The nodes of the open case stay in the scene."""
        self.save(leaving=True)
        if self._saver is not None:
            self._saver.flush(FLUSH_SECONDS)
        self._abandon()
        self.worklist = self._saver = self.case = None
        self._readings, self._corrections, self.problem = {}, {}, ""

    def refresh(self) -> None:
        """Read what other readers have saved since.

        Raises:
            InputError: The readings cannot be read.
        """
        if self.worklist is None or self._saver is None:
            return
        for store in dict.fromkeys((self.worklist.store, self._saver.store)):
            for reading in readings(store):
                key = (reading.case_id, reading.reader)
                self._readings[key] = reading
                if reading.result:
                    self._corrections[key] = store.path_of(reading.result)

    def rows(self) -> list[CaseRow]:
        """Return the cases as the table shows them, in the order of the list."""
        if self.worklist is None:
            return []
        reviewed: dict[str, list[str]] = {}
        for reading in self._readings.values():
            if reading.reviewed is not None:
                reviewed.setdefault(reading.case_id, []).append(reading.reader)
        reader = self.reader
        return [
            row_of(
                entry,
                self._readings.get((entry.case_id, reader)),
                reviewed.get(entry.case_id, []),
                self._unreadable.get(entry.case_id, ""),
            )
            for entry in self.worklist.entries
        ]

    @property
    def save_problem(self) -> str:
        """What the user should know about saving, in a sentence; empty if all is well."""
        return self._saver.problem if self._saver else ""

    @property
    def saving(self) -> bool:
        """True until everything is saved."""
        return self._saver is not None and self._saver.busy

    # --- the case ---

    def open_steps(self, case_id: str, parameters: Parameters) -> Generator[bool, None, None]:
        """Close the open case and open another one, in short steps. Yields True while it waits for a thread.

        Args:
            case_id: The case.
            parameters: What the panel shows.
        """
        entry = self._entry(case_id)
        yield from self.close_case_steps(parameters)
        self.problem = entry.failure
        if entry.failure:
            return
        key = (case_id, self.reader)
        while self._saver is not None and self._saver.is_running(key):
            self._saver.poll()
            yield True
        reading = self._take_ahead(entry)
        try:
            while not reading.background.done:
                yield True
        finally:  # the user may go elsewhere meanwhile
            self._give_up(reading)
        try:
            content = reading.background.result()
        except InputError as error:
            self.problem = self._unreadable[case_id] = str(error)
            return
        self._unreadable.pop(case_id, None)
        self.case = OpenCase(entry, self._reading_of(key), READER_ATTRIBUTE)
        for _step in self._show_steps(self.case, content, parameters):
            yield False

    def close_case_steps(self, parameters: Parameters) -> Iterator[bool]:
        """Save the open case and remove its nodes, in short steps."""
        self.save(leaving=True)
        case, self.case = self.case, None
        if case is not None:
            ct, result = case.ct, case.result
            parameters.result = parameters.ct = None
            if result is not None:
                self._lesions.forget(result)
                self._reviews.forget(result)
                self._numbers.forget()
            self._removal.append(case_nodes.remove_case(ct, result))
        while self._removal:
            for _step in self._removal[0]:
                yield False
            self._removal.pop(0)

    def forget_case(self) -> None:
        """Forget the open case, because its nodes are removed with the scene."""
        self.case = None
        self._removal = []

    def read_ahead(self, case_id: str | None) -> None:
        """Read a case in a thread, because it is likely to be opened next. None reads none.

        At most one case is read ahead, so a case that was given up is waited for.
        """
        self._leaving = [reading for reading in self._leaving if not reading.background.done]
        if self._ahead is not None and self._ahead.entry.case_id != case_id:
            self._abandon()
        if case_id is None or self._ahead is not None or self._leaving:
            return
        entry = self._entry(case_id)
        if not entry.failure:
            self._ahead = self._start(entry)

    @property
    def is_reading_ahead(self) -> bool:
        """True if a case has been read ahead, or is being read, or one that was given up has not ended yet."""
        return self._ahead is not None or bool(self._leaving)

    def save(self, *, leaving: bool = False) -> None:
        """Save what has changed in the open case, in a thread."""
        if self.case is not None and self._saver is not None:
            job = self.case.job(self._reviews, leaving=leaving)
            if job is not None:
                self._readings[job.key] = job.reading
                self._saver.submit(job)

    def poll(self) -> None:
        """Let the saver finish what it has saved, and try again what it could not save."""
        if self._saver is not None:
            self._saver.poll()

    def flush(self) -> None:
        """Save everything now, because the scene or Slicer is being closed."""
        self.save(leaving=True)
        if self._saver is not None:
            self._saver.flush(FLUSH_SECONDS)

    def say(self, *, grade: str | None = None, comment: str | None = None, reviewed: bool | None = None) -> None:
        """Note what the reader says about the open case. None leaves it as it is, and "" takes it back."""
        if self.case is None:
            return
        reading = self.case.reading
        if grade is not None:
            reading = replace(reading, grade=grade or None)
        if comment is not None:
            reading = replace(reading, comment=comment or None)
        if reviewed is not None:
            reading = replace(reading, reviewed=(reading.reviewed or time.time()) if reviewed else None)
        self.case.reading = self._readings[reading.case_id, reading.reader] = reading

    def look(self, active: bool, signs: object) -> None:
        """Count reading time. See `ReadingClock.look`."""
        if self.case is not None and self.case.complete:
            views = tuple(node.GetMTime() for node in slicer.util.getNodesByClass("vtkMRMLSliceNode"))
            result = self.case.result
            version = self._reviews.of(result).version if result is not None else 0
            self.case.clock.look(time.monotonic(), active, (signs, views, version, self.case.reading))

    # --- how ---

    def _entry(self, case_id: str) -> Entry:
        assert self.worklist is not None
        return next(entry for entry in self.worklist.entries if entry.case_id == case_id)

    def _reading_of(self, key: Key) -> Reading:
        if key not in self._readings:
            self._readings[key] = Reading(*key, opened=time.time())
        return self._readings[key]

    def _start(self, entry: Entry) -> _Reading:
        key = (entry.case_id, self.reader)
        job = self._saver.queued(key) if self._saver else None
        path = self._corrections.get(key)
        if job is not None and job.build is not None:
            return _Reading(entry, job.build)
        return _Reading(entry, (lambda: read_correction(path)) if path is not None else None)

    def _take_ahead(self, entry: Entry) -> _Reading:
        if self._ahead is not None and self._ahead.entry is entry:
            reading, self._ahead = self._ahead, None
            return reading
        self._abandon()
        return self._start(entry)

    def _abandon(self) -> None:
        if self._ahead is not None:
            self._give_up(self._ahead)
            self._ahead = None

    def _give_up(self, reading: _Reading) -> None:
        if not reading.background.done:
            reading.abandoned.set()
            self._leaving.append(reading)

    def _show_steps(self, case: OpenCase, content: CaseContent, parameters: Parameters) -> Iterator[None]:
        case.notes = content.notes
        ct = case_nodes.add_ct(content.volume, case.entry.case_id)
        case.ct_id = ct.GetID()
        yield
        if content.files is not None:
            result = case_nodes.add_masks(content.files, ct)
            fields = report_fields(dict(content.tags or {}))
            if fields:
                result.SetAttribute(READER_ATTRIBUTE, fields)
            yield
            yield from case_nodes.add_extras(result, ct, content.original, content.probability)
            yield
        parameters.result = self._input.switch_to(ct)
        parameters.ct = ct
        yield
        result = case.result
        if result is not None:
            while self._numbers.prepare(result):
                yield
            case_nodes.announce_masks(self._reviews.of(result))
        if case is self.case:
            case.was_opened(self._reviews)

    def _was_saved(self, saved: Saved) -> None:
        reading, store = saved.reading, saved.store
        key = (reading.case_id, reading.reader)
        if reading.result:
            self._corrections[key] = store.path_of(reading.result)
        present = self._readings.get(key, reading)
        self._readings[key] = replace(present, result=reading.result, infection_ml=reading.infection_ml)
        if self.case is not None and (self.case.reading.case_id, self.case.reading.reader) == key:
            self.case.reading = replace(self.case.reading, result=reading.result, infection_ml=reading.infection_ml)
