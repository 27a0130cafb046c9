"""Compare all cases that two readers of a worklist have reviewed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..errors import InputError
from ..volume import Grid
from .agreement import CaseAgreement, compare_infections
from .case_list import Entry
from .case_masks import read_stored_masks
from .corrections import read_correction
from .database import Cohort
from .readings import Reading, readings
from .worklist import Worklist

#: What `compare_readers` calls before each case, with the number of those done and of all. It may raise to stop.
CaseProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Comparison:
    """The agreement of two readers.

    Attributes:
        readers: Their names.
        cases: The cases that both have reviewed, in the order of the worklist.
        failures: Why others could not be compared, by case.
    """

    readers: tuple[str, str]
    cases: tuple[CaseAgreement, ...]
    failures: Mapping[str, str]


def readers_of(worklist: Worklist) -> list[str]:
    """Return the names of those who have reviewed a case, in alphabetical order.

    Raises:
        InputError: The readings cannot be read.
    """
    return sorted({row.reader for row in readings(worklist.store) if row.reviewed is not None}, key=str.casefold)


def compare_readers(worklist: Worklist, first: str, second: str, progress: CaseProgress | None = None) -> Comparison:
    """Compare the infections of all cases that two readers have reviewed. The CTs are not read.

    A reader who has not changed the masks of the machine agrees with them.

    Args:
        worklist: The worklist.
        first: Name of the first reader.
        second: Name of the second reader.
        progress: See `CaseProgress`.

    Raises:
        InputError: The readings cannot be read.
    """
    of_reader: dict[str, dict[str, Reading]] = {first: {}, second: {}}
    for row in readings(worklist.store):
        if row.reader in of_reader and row.reviewed is not None:
            of_reader[row.reader][row.case_id] = row
    both = [entry for entry in worklist.entries if all(entry.case_id in rows for rows in of_reader.values())]
    cases: list[CaseAgreement] = []
    failures: dict[str, str] = {}
    for number, entry in enumerate(both):
        if progress is not None:
            progress(number, len(both))
        rows = of_reader[first][entry.case_id], of_reader[second][entry.case_id]
        try:
            (mask, grid), (other, other_grid) = (_infection_of(row, entry, worklist.store) for row in rows)
            agreement = compare_infections(entry.case_id, mask, grid, other, other_grid)
        except InputError as error:
            failures[entry.case_id] = str(error)
        else:
            cases.append(replace(agreement, grades=(rows[0].grade or "", rows[1].grade or "")))
    return Comparison((first, second), tuple(cases), failures)


def _infection_of(reading: Reading, entry: Entry, store: Cohort) -> tuple[np.ndarray, Grid]:
    if reading.result:
        correction = read_correction(store.path_of(reading.result))
        return correction.masks["infection"], correction.grid
    if not entry.masks:
        raise InputError(f'"{entry.case_id}" has no masks, and "{reading.reader}" has drawn none.')
    stored = read_stored_masks(entry.masks)
    return stored.infection, stored.grid
