"""Logic of the section "worklist": open the cases of a list one after the other, and save what a reader changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path

import slicer

from CovidSegLib.cohorts.case_list import Entry
from CovidSegLib.cohorts.corrections import Correction
from CovidSegLib.cohorts.saving import Saved
from CovidSegLib.cohorts.worklist import Worklist
from CovidSegLib.errors import InputError

from .. import settings
from ..parameters import Parameters
from ..process.background import Background
from ..scene import case_nodes
from ..scene.review import Reviews
from ..worklist.case_reader import CaseContent, read_case
from ..worklist.open_case import OpenCase, report_fields
from ..worklist.reading_list import ReadingList
from ..worklist.rows import CaseRow
from .input import InputLogic
from .lesions import LesionsLogic
from .numbers import NumbersLogic
from .report import READER_ATTRIBUTE

#: Setting with the name of the reader.
READER_SETTING = "Reader"
#: Seconds to wait for the last readings when the worklist or Slicer is closed.
FLUSH_SECONDS = 5.0


class CaseInThread:
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
        case: The case that is open, or None.
        problem: Why the last case could not be opened, in a sentence; otherwise empty.
    """

    def __init__(self, reviews: Reviews, input_logic: InputLogic, numbers: NumbersLogic, lesions: LesionsLogic):
        self._reviews, self._input, self._numbers, self._lesions = reviews, input_logic, numbers, lesions
        self._list: ReadingList | None = None
        self.case: OpenCase | None = None
        self.problem = ""
        self._ahead: CaseInThread | None = None
        #: Cases that were given up, whose threads have not ended yet.
        self._leaving: list[CaseInThread] = []
        #: Nodes of cases that were left and are still to be removed. It goes on when another case is opened meanwhile.
        self._removal: list[Iterator[None]] = []

    # --- the list ---

    @property
    def worklist(self) -> Worklist | None:
        """The worklist that is open, or None."""
        return self._list.worklist if self._list else None

    @property
    def reader(self) -> str:
        """Name of the reader; empty if nobody has given one."""
        return settings.read(READER_SETTING)

    @reader.setter
    def reader(self, name: str) -> None:
        settings.write(READER_SETTING, name.strip())

    def open(self, path: Path) -> None:
        """Open a worklist. The one before is closed.

        Raises:
            InputError: It cannot be opened.
        """
        self.close()
        self._list = ReadingList(path, self._was_saved)

    def close(self) -> None:
        """Save everything and forget the list. The nodes of the open case stay in the scene."""
        self.flush()
        self.read_ahead(None)
        self._list = self.case = None
        self.problem = ""

    def wait(self) -> None:
        """Wait for the threads of cases that were given up. Native code must not outlive Slicer's Python."""
        end = time.monotonic() + FLUSH_SECONDS
        while any(not reading.background.done for reading in self._leaving) and time.monotonic() < end:
            time.sleep(0.01)

    def rows(self) -> list[CaseRow]:
        """Return the cases as the table shows them, in the order of the list."""
        return self._list.rows(self.reader) if self._list else []

    @property
    def save_problem(self) -> str:
        """What the user should know about saving, in a sentence; empty if all is well."""
        return self._list.saver.problem if self._list else ""

    @property
    def is_saving(self) -> bool:
        """True until everything is saved."""
        return self._list is not None and self._list.saver.busy

    # --- open a case ---

    def open_steps(self, case_id: str, parameters: Parameters) -> Generator[bool, None, None]:
        """Close the open case and open another one, in short steps. Yields True while it waits for a thread.

        Args:
            case_id: The case.
            parameters: What the panel shows.
        """
        cases = self._list
        assert cases is not None
        entry, key = cases.entry(case_id), (case_id, self.reader)
        yield from self.close_case_steps(parameters)
        self.problem = entry.failure
        if entry.failure:
            return
        while cases.saver.is_running(key):
            cases.saver.poll()
            yield True
        reading = self._take_ahead(entry) or self._start(entry)
        try:
            while not reading.background.done:
                yield True
        finally:  # the user may go elsewhere meanwhile
            self._give_up(reading)
        try:
            content = reading.background.result()
        except InputError as error:
            self.problem = cases.unreadable[case_id] = str(error)
            return
        cases.unreadable.pop(case_id, None)
        self.case = OpenCase(entry, cases.reading(key), READER_ATTRIBUTE)
        for _step in self._show_steps(self.case, content, parameters):
            yield False

    def close_case_steps(self, parameters: Parameters) -> Iterator[bool]:
        """Save the open case and remove its nodes, in short steps. Update the panel after the first one."""
        self.save(leaving=True)
        case, self.case = self.case, None
        if case is not None:
            self._removal.append(self._remove_steps(case))
            parameters.result = parameters.ct = None
            yield False  # sections stop what they do with the nodes
        while self._removal:
            for _step in self._removal[0]:
                yield False
            self._removal.pop(0)

    def _remove_steps(self, case: OpenCase) -> Iterator[None]:
        ct, result = case.ct, case.result
        if result is not None:
            self._lesions.forget(result)
            self._reviews.forget(result)
            self._numbers.forget()
        yield from case_nodes.remove_case(ct, result)

    def forget_case(self) -> None:
        """Forget the open case, because its nodes are removed with the scene."""
        self.case = None
        self._removal = []

    def read_ahead(self, case_id: str | None) -> None:
        """Read a case in a thread, because it is likely to be opened next. None reads none.

        At most one case is read ahead: while the thread of a case that was given up still runs, none is.
        """
        self._leaving = [reading for reading in self._leaving if not reading.background.done]
        if self._ahead is not None and self._ahead.entry.case_id != case_id:
            self._give_up(self._ahead)
            self._ahead = None
        if case_id is None or self._list is None or self._ahead is not None or self._leaving:
            return
        entry = self._list.entry(case_id)
        if not entry.failure:
            self._ahead = self._start(entry)

    def _take_ahead(self, entry: Entry) -> CaseInThread | None:
        reading = self._ahead
        if reading is None or reading.entry is not entry:
            return None
        self._ahead = None
        return reading

    def _start(self, entry: Entry) -> CaseInThread:
        self.read_ahead(None)
        assert self._list is not None
        return CaseInThread(entry, self._list.correction((entry.case_id, self.reader)))

    def _give_up(self, reading: CaseInThread) -> None:
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

    # --- what the reader does ---

    def say(self, *, grade: str | None = None, comment: str | None = None, reviewed: bool | None = None) -> None:
        """Note what the reader says about the open case. None leaves it as it is, and "" takes it back."""
        if self.case is None or self._list is None:
            return
        reading = self.case.reading
        if grade is not None:
            reading = replace(reading, grade=grade or None)
        if comment is not None:
            reading = replace(reading, comment=comment or None)
        if reviewed is not None:
            reading = replace(reading, reviewed=(reading.reviewed or time.time()) if reviewed else None)
        self.case.reading = reading
        self._list.note(reading)

    def look(self, active: bool, signs: object) -> None:
        """Count reading time. See `ReadingClock.look`."""
        if self.case is not None and self.case.complete:
            views = tuple(node.GetMTime() for node in slicer.util.getNodesByClass("vtkMRMLSliceNode"))
            result = self.case.result
            version = self._reviews.of(result).version if result is not None else 0
            self.case.clock.look(time.monotonic(), active, (signs, views, version, self.case.reading))

    def save(self, *, leaving: bool = False) -> None:
        """Save what has changed in the open case, in a thread, and try again what could not be saved."""
        if self._list is None:
            return
        job = self.case.job(self._reviews, leaving=leaving) if self.case is not None else None
        if job is not None:
            self._list.save(job)
        self._list.saver.poll()

    def flush(self) -> None:
        """Save everything now, because the scene or Slicer is being closed."""
        self.save(leaving=True)
        if self._list is not None:
            self._list.saver.flush(FLUSH_SECONDS)

    def _was_saved(self, saved: Saved) -> None:
        reading, case = saved.reading, self.case
        if case is not None and (case.reading.case_id, case.reading.reader) == (reading.case_id, reading.reader):
            case.reading = replace(case.reading, result=reading.result, infection_ml=reading.infection_ml)
