"""What readers have said about the cases of a cohort: when, for how long, their grade, comment and correction."""

from __future__ import annotations

import time
from dataclasses import dataclass, fields

from ..errors import InputError
from .database import Cohort


@dataclass(frozen=True)
class Reading:
    """What one reader has said about one case.

    Attributes:
        case_id: The case.
        reader: Name or initials of the reader.
        opened: When the reader first opened the case, in seconds since 1970.
        reviewed: When the reader marked it as reviewed; None until then.
        seconds: How long the reader has had it open, over all visits.
        grade: A grade in words or numbers, as the worklist offers them.
        comment: Free text.
        infection_ml: Volume of the infection after the correction.
        result: File of the corrected segmentation, relative to the folder of the cohort.
    """

    case_id: str
    reader: str
    opened: float
    reviewed: float | None = None
    seconds: float = 0.0
    grade: str | None = None
    comment: str | None = None
    infection_ml: float | None = None
    result: str | None = None


_COLUMNS = tuple(field.name for field in fields(Reading))


def open_reading(cohort: Cohort, case_id: str, reader: str) -> Reading:
    """Return what a reader has said about a case, and begin it if the reader has not opened the case before.

    Raises:
        InputError: There is no such case, or the file cannot be written.
    """
    if not reader.strip():
        raise InputError("A reading needs a reader. Enter a name or initials.")
    with cohort.writing() as connection:
        if connection.execute("SELECT 1 FROM cases WHERE id = ?", (case_id,)).fetchone() is None:
            raise InputError(f'There is no case "{case_id}" in the cohort. Load the worklist again.')
        connection.execute(
            "INSERT INTO readings (case_id, reader, opened) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (case_id, reader, time.time()),
        )
        row = connection.execute(
            f"SELECT {', '.join(_COLUMNS)} FROM readings WHERE case_id = ? AND reader = ?", (case_id, reader)
        ).fetchone()
    return Reading(*row)


def find_reading(cohort: Cohort, case_id: str, reader: str) -> Reading | None:
    """Return what a reader has said about a case, or None.

    Raises:
        InputError: The file cannot be read.
    """
    with cohort.reading() as connection:
        row = connection.execute(
            f"SELECT {', '.join(_COLUMNS)} FROM readings WHERE case_id = ? AND reader = ?", (case_id, reader)
        ).fetchone()
    return Reading(*row) if row else None


def save_reading(cohort: Cohort, reading: Reading) -> None:
    """Store a reading in place of what the same reader has said about the case before. Others are left alone.

    Raises:
        InputError: The file cannot be written.
    """
    marks = ", ".join("?" * len(_COLUMNS))
    changes = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[2:])
    with cohort.writing() as connection:
        connection.execute(
            f"INSERT INTO readings ({', '.join(_COLUMNS)}) VALUES ({marks}) "
            f"ON CONFLICT (case_id, reader) DO UPDATE SET {changes}",
            [getattr(reading, name) for name in _COLUMNS],
        )


def readings(cohort: Cohort, reader: str | None = None) -> list[Reading]:
    """Return all readings, or those of one reader, in the order of the cases.

    Raises:
        InputError: The file cannot be read.
    """
    columns = ", ".join(f"readings.{name}" for name in _COLUMNS)
    with cohort.reading() as connection:
        rows = connection.execute(
            f"SELECT {columns} FROM readings JOIN cases ON cases.id = readings.case_id "
            "WHERE :reader IS NULL OR reader = :reader ORDER BY position, reader",
            {"reader": reader},
        ).fetchall()
    return [Reading(*row) for row in rows]
