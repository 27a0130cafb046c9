"""A worklist that is open: its cases, what all readers have said about them, and what saves it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from CovidSegLib.cohorts.case_list import Entry
from CovidSegLib.cohorts.corrections import Correction, read_correction
from CovidSegLib.cohorts.readings import Reading, readings
from CovidSegLib.cohorts.saving import Saved
from CovidSegLib.cohorts.worklist import open_worklist

from .rows import CaseRow, row_of
from .saver import Job, Key, Saver


class ReadingList:
    """Keeps the readings of a worklist.

    Args:
        path: The worklist, see `CovidSegLib.cohorts.worklist.open_worklist`.
        saved: Function to call with each reading that was saved, in the main thread.

    Attributes:
        worklist: The cases.
        saver: Saves readings.
        unreadable: Why cases could not be opened, in a sentence, by their names.

    Raises:
        InputError: It cannot be opened.
    """

    def __init__(self, path: Path, saved: Callable[[Saved], None]):
        self.worklist = open_worklist(path)
        self.saver = Saver(self.worklist, self._was_saved)
        self.unreadable: dict[str, str] = {}
        self._saved = saved
        self._entries = {entry.case_id: entry for entry in self.worklist.entries}
        self._readings: dict[Key, Reading] = {}
        self._corrections: dict[Key, Path] = {}
        for store in dict.fromkeys((self.worklist.store, self.saver.store)):
            for reading in readings(store):
                key = (reading.case_id, reading.reader)
                self._readings[key] = reading
                if reading.result:
                    self._corrections[key] = store.path_of(reading.result)

    def entry(self, case_id: str) -> Entry:
        """Return a case."""
        return self._entries[case_id]

    def rows(self, reader: str) -> list[CaseRow]:
        """Return the cases as the table shows them to a reader, in the order of the list."""
        reviewed: dict[str, list[str]] = {}
        for reading in self._readings.values():
            if reading.reviewed is not None:
                reviewed.setdefault(reading.case_id, []).append(reading.reader)
        return [
            row_of(
                entry,
                self._readings.get((entry.case_id, reader)),
                reviewed.get(entry.case_id, []),
                self.unreadable.get(entry.case_id, ""),
            )
            for entry in self.worklist.entries
        ]

    def reading(self, key: Key) -> Reading:
        """Return what a reader has said about a case. It begins now if it is new."""
        if key not in self._readings:
            self._readings[key] = Reading(*key, opened=time.time())
        return self._readings[key]

    def note(self, reading: Reading) -> None:
        """Keep what a reader says, without saving it."""
        self._readings[reading.case_id, reading.reader] = reading

    def save(self, job: Job) -> None:
        """Save a reading soon."""
        self.note(job.reading)
        self.saver.submit(job)

    def correction(self, key: Key) -> Callable[[], Correction] | None:
        """Return what reads the masks as a reader has left them, in a thread; None if the reader has changed none."""
        job, path = self.saver.queued(key), self._corrections.get(key)
        if job is not None and job.build is not None:  # could not be saved yet
            return job.build
        return (lambda: read_correction(path)) if path is not None else None

    def _was_saved(self, saved: Saved) -> None:
        key = (saved.reading.case_id, saved.reading.reader)
        result, infection_ml = saved.reading.result, saved.reading.infection_ml
        if result:
            self._corrections[key] = saved.store.path_of(result)
        self._readings[key] = replace(self._readings[key], result=result, infection_ml=infection_ml)
        self._saved(saved)
