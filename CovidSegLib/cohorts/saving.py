"""Save what a reader has made of a case: the masks in a file of the reader, the rest in the store."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .corrections import Correction, new_correction_path, read_correction, remove_correction, write_correction
from .database import Cohort
from .readings import Reading, find_reading, readings, save_reading
from .worklist import Worklist, private_store


@dataclass(frozen=True)
class Saved:
    """What was saved.

    Attributes:
        reading: The reading as it is stored.
        store: Where it is stored.
        others_file: File of the same reader that somebody else has saved meanwhile, and that was kept; otherwise empty.
    """

    reading: Reading
    store: Cohort
    others_file: str = ""


def save(store: Cohort, reading: Reading, correction: Correction | None = None) -> Saved:
    """Save a reading: first the masks in a new file, then the row that names it, and only then is the old file removed.

    A process that is killed in between leaves the earlier reading or the new one, never a part of it.

    Args:
        store: Where to.
        reading: The reading. Its `result` is the file that was saved last, or None.
        correction: Masks that were changed since then, or None.

    Raises:
        InputError: It could not be saved. The earlier reading is unchanged.
    """
    present = find_reading(store, reading.case_id, reading.reader)
    others = present.result if present and present.result != reading.result else None
    if correction is None:
        save_reading(store, reading)
        return Saved(reading, store, others or "")
    path = new_correction_path(store.folder, reading.case_id, reading.reader)
    write_correction(path, correction)
    saved = replace(reading, result=store.stored(path), infection_ml=correction.infection_ml)
    try:
        save_reading(store, saved)
    except BaseException:
        remove_correction(path)
        raise
    if reading.result and not others:
        remove_correction(store.path_of(reading.result))
    return Saved(saved, store, others or "")


def move_private_readings(worklist: Worklist) -> int:
    """Move readings that had to be kept in the user's own folder to the worklist. Return their number.

    A reading stays where it is if the worklist has one of the same reader that took longer.

    Raises:
        InputError: The worklist cannot be written to.
    """
    private = private_store(worklist, create=False)
    if private is None:
        return 0
    stored = {(row.case_id, row.reader): row for row in readings(worklist.store)}
    moved = 0
    for row in readings(private):
        present = stored.get((row.case_id, row.reader))
        if present and present.seconds > row.seconds:
            continue
        old = private.path_of(row.result) if row.result else None
        correction = read_correction(old) if old is not None and old.is_file() else None
        save(worklist.store, replace(row, result=present.result if present else None), correction)
        with private.writing() as connection:
            connection.execute("DELETE FROM readings WHERE case_id = ? AND reader = ?", (row.case_id, row.reader))
        if old is not None:
            remove_correction(old)
        moved += 1
    return moved
