"""Open a cohort or a list of cases as a worklist, and the file that keeps its readings."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import InputError
from ..storage.user_data import user_data_folder
from .case_list import Entry, read_case_list
from .case_masks import MaskFiles
from .cases import Case, all_cases
from .database import FILE, Cohort, create_cohort, open_cohort

#: Seconds to wait while another process writes. Slicer must not stand still for long.
PATIENCE = 2.0
#: Ending of the file beside a CSV list that keeps its readings.
READINGS_ENDING = ".readings.sqlite"


@dataclass(frozen=True)
class Worklist:
    """Cases to read, and where the readings are kept.

    Attributes:
        path: The cohort or the list that was opened.
        entries: The cases, in their order.
        store: What keeps the readings.
    """

    path: Path
    entries: tuple[Entry, ...]
    store: Cohort


def open_worklist(path: Path) -> Worklist:
    """Open a worklist.

    Args:
        path: A `cohort.sqlite`, its folder, or a CSV file, see `case_list.read_case_list`. The readings of a CSV file
            are kept in a file beside it; the list itself is never changed.

    Raises:
        InputError: It cannot be read, or the file with the readings cannot be made.
    """
    if path.is_dir() or path.suffix.lower() in (".sqlite", ".db"):
        cohort = open_cohort(path, PATIENCE)
        return Worklist(cohort.file, tuple(_of_case(case, cohort) for case in all_cases(cohort)), cohort)
    entries = tuple(read_case_list(path))
    try:
        store = create_cohort(path.parent, path.stem + READINGS_ENDING, PATIENCE)
        add_entries(store, entries)
    except InputError:
        # Such as a list on a disk that nobody may write to. Readings of others cannot be read there.
        store = create_cohort(private_folder(path), patience=PATIENCE)
        add_entries(store, entries)
    return Worklist(path, entries, store)


def private_store(worklist: Worklist, *, create: bool = True) -> Cohort | None:
    """Return a store in the user's own folder, for readings of a worklist whose file cannot be written to.

    Args:
        worklist: The worklist.
        create: Create the store if there is none; otherwise return None then.

    Raises:
        InputError: It cannot be written to either.
    """
    folder = private_folder(worklist.path)
    if not create and not (folder / FILE).is_file():
        return None
    store = create_cohort(folder, patience=PATIENCE)
    add_entries(store, worklist.entries)
    return store


def private_folder(path: Path) -> Path:
    """Return the user's own folder for the readings of a worklist."""
    name = hashlib.sha256(str(path.absolute()).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return user_data_folder("readings") / name


def is_writable(store: Cohort) -> bool:
    """Return whether the file with the readings and its folder seem to be writable. Only a trial tells for sure."""
    return os.access(store.file, os.W_OK) and os.access(store.folder, os.W_OK)


def add_entries(store: Cohort, entries: tuple[Entry, ...]) -> None:
    """Make the cases known to a store that is not their cohort, so that there can be readings of them."""
    with store.writing() as connection:
        connection.executemany(
            "INSERT INTO cases (id, identity, position, input, output, state) VALUES (?, ?, ?, ?, '', 'done') "
            "ON CONFLICT (id) DO UPDATE SET position = excluded.position, input = excluded.input",
            [
                (entry.case_id, f"list:{entry.case_id.casefold()}", position, store.stored(entry.ct))
                for position, entry in enumerate(entries)
            ],
        )


def _of_case(case: Case, cohort: Cohort) -> Entry:
    output = cohort.path_of(case.output)
    entry = Entry(
        case_id=case.id,
        ct=cohort.path_of(case.input),
        series=case.series,
        involvement_percent=case.numbers.get("both_involvement_percent"),
    )
    if case.state == "done":
        return replace(entry, masks=MaskFiles(output))
    if case.state == "failed":
        return replace(entry, failure=case.sentence or "The case failed without a sentence. Segment it again.")
    return entry
