"""`cohort.csv` and `lesions.csv`: the tables for spreadsheets, R and pandas."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ..printable import printable
from ..storage.atomic import write_atomically
from ..storage.disk_errors import explain_disk_errors
from .database import Cohort
from .schema import CASE_NUMBERS, LESION_COLUMNS

CASES_FILE, LESIONS_FILE = "cohort.csv", "lesions.csv"
#: Columns of `cohort.csv`. Further columns of the list of scans follow, then the numbers and `warnings`.
_FIRST = ("id", "input", "series", "choice", "state", "sentence", "attempts", "seconds", "output")
_MODEL = ("model", "model_sha256", "covidseg_version", "device")
#: Share of the time of a run that may be spent on writing the tables meanwhile.
_SHARE = 0.01
_SECONDS = 60.0


class Exporter:
    """Writes the tables during a run, but not so often that it costs time.

    Args:
        cohort: The cohort.
    """

    def __init__(self, cohort: Cohort):
        self._cohort = cohort
        self._due = time.monotonic() + _SECONDS

    def __call__(self) -> None:
        """Write the tables if that is due.

        Raises:
            InputError: They cannot be written.
        """
        started = time.monotonic()
        if started >= self._due:
            write_tables(self._cohort)
            ended = time.monotonic()
            self._due = ended + max(_SECONDS, (ended - started) / _SHARE)


def write_tables(cohort: Cohort) -> list[Path]:
    """Write `cohort.csv` and `lesions.csv`: UTF-8 with a byte order mark, by which Excel recognises the encoding.

    Raises:
        InputError: They cannot be written.
    """
    files = [cohort.folder / CASES_FILE, cohort.folder / LESIONS_FILE]
    with explain_disk_errors(cohort.folder):
        for file, rows in zip(files, (_cases(cohort), _lesions(cohort)), strict=True):
            write_atomically(file, lambda path, rows=rows: _write(path, rows))  # type: ignore[misc]
    return files


def _write(path: Path, rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8-sig", errors="backslashreplace", newline="") as file:
        csv.writer(file).writerows(rows)


def _cases(cohort: Cohort) -> Iterator[Sequence[object]]:
    known = (*_FIRST, *_MODEL, *CASE_NUMBERS)
    with cohort.reading() as connection:
        further = [
            row[0]
            for row in connection.execute(
                "SELECT key FROM cases, json_each(cases.extra) GROUP BY key ORDER BY min(position), min(json_each.id)"
            )
        ]
        yield [
            *_FIRST,
            *[f"given_{name}" if name in known else name for name in further],
            *known[len(_FIRST) :],
            "warnings",
        ]
        for row in connection.execute("SELECT * FROM cases ORDER BY position"):
            extra, warnings = json.loads(row["extra"]), json.loads(row["warnings"] or "[]")
            yield [
                *(_cell(row[name]) for name in _FIRST),
                *(extra.get(name) for name in further),
                *(row[name] for name in known[len(_FIRST) :]),
                " ".join(warnings),
            ]


def _lesions(cohort: Cohort) -> Iterator[Sequence[object]]:
    yield ["case_id", *LESION_COLUMNS]
    with cohort.reading() as connection:
        yield from connection.execute(
            f"SELECT case_id, {', '.join(LESION_COLUMNS)} FROM lesions JOIN cases ON cases.id = case_id "
            "ORDER BY position, number"
        )


def _cell(value: object) -> object:
    return printable(value) if isinstance(value, str) else value
