"""The cases of a cohort: what is to be segmented, and what has come of it."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from .database import Cohort
from .schema import CASE_NUMBERS, LESION_COLUMNS

STATES = ("waiting", "running", "done", "failed")


@dataclass(frozen=True)
class NewCase:
    """A scan that is to become a case.

    Attributes:
        id: Name of the case and of its folder, without names of patients.
        identity: What makes two scans the same: a digest of the series UID or of the file.
        input: Path as the tables hold it, see `Cohort.stored`.
        series: UID of the DICOM series, or None.
        choice: Why this series of the study was chosen, or None.
        extra: Further columns of the list of scans, such as the centre, by their names.
        position: Its place in the order of the inputs; behind the present cases if None.
    """

    id: str
    identity: str
    input: str
    series: str | None = None
    choice: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    position: int | None = None


@dataclass(frozen=True)
class Case:
    """A row of the table `cases`.

    Attributes:
        id, input, series, choice, extra: As in `NewCase`.
        position: Its place in the order of the inputs, from 0.
        output: Folder with its results, as `covidseg segment` writes them, relative to the folder of the cohort.
        state: One of `STATES`.
        sentence: Why it failed, or None.
        attempts: How often it was begun.
        started, finished: Of the last attempt, in seconds since 1970.
        seconds: Duration of the last attempt.
        model, model_sha256, covidseg_version, device: What segmented it.
        warnings: Sentences on the result.
        numbers: The columns of `schema.CASE_NUMBERS` by name; None where there is no number.
    """

    id: str
    position: int
    input: str
    series: str | None
    choice: str | None
    extra: Mapping[str, str]
    output: str
    state: str
    sentence: str | None
    attempts: int
    started: float | None
    finished: float | None
    seconds: float | None
    model: str | None
    model_sha256: str | None
    covidseg_version: str | None
    device: str | None
    warnings: Sequence[str]
    numbers: Mapping[str, float | None]


@dataclass(frozen=True)
class Finding:
    """What a case has come to.

    Attributes:
        numbers: Columns of `schema.CASE_NUMBERS` by name.
        lesions: Columns of `schema.LESION_COLUMNS` by name, for each lesion.
        model, model_sha256, covidseg_version, device, warnings: As in `Case`.
    """

    numbers: Mapping[str, Any]
    lesions: Sequence[Mapping[str, Any]]
    model: str | None = None
    model_sha256: str | None = None
    covidseg_version: str | None = None
    device: str | None = None
    warnings: Sequence[str] = ()


#: Columns that `Case` holds as they are.
_PLAIN = tuple(item.name for item in fields(Case) if item.name not in ("extra", "warnings", "numbers"))


def all_cases(cohort: Cohort, state: str | None = None) -> list[Case]:
    """Return the cases in their order, all or those of one state.

    Raises:
        InputError: The file cannot be read.
    """
    with cohort.reading() as connection:
        rows = connection.execute(
            "SELECT * FROM cases WHERE :state IS NULL OR state = :state ORDER BY position", {"state": state}
        ).fetchall()
    return [_case(row) for row in rows]


@dataclass(frozen=True)
class WaitingCase:
    """What is needed to segment a case; see `Case`."""

    id: str
    input: str
    series: str | None
    output: str


def waiting_cases(cohort: Cohort) -> list[WaitingCase]:
    """Return the cases that wait, in their order. Those that were begun before come last: one may have ended a run.

    Raises:
        InputError: The file cannot be read.
    """
    with cohort.reading() as connection:
        rows = connection.execute(
            "SELECT id, input, series, output FROM cases WHERE state = 'waiting' ORDER BY attempts, position"
        ).fetchall()
    return [WaitingCase(*row) for row in rows]


def count_states(cohort: Cohort) -> dict[str, int]:
    """Return the number of cases in each of `STATES`.

    Raises:
        InputError: The file cannot be read.
    """
    with cohort.reading() as connection:
        rows = connection.execute("SELECT state, count(*) FROM cases GROUP BY state").fetchall()
    return {**dict.fromkeys(STATES, 0), **dict(rows)}


def lesions_of(cohort: Cohort, case_id: str) -> list[dict[str, Any]]:
    """Return the lesions of a case, largest first, with the keys of `schema.LESION_COLUMNS`.

    Raises:
        InputError: The file cannot be read.
    """
    with cohort.reading() as connection:
        rows = connection.execute(
            f"SELECT {', '.join(LESION_COLUMNS)} FROM lesions WHERE case_id = ? ORDER BY number", (case_id,)
        ).fetchall()
    return [dict(row) for row in rows]


def add_cases(cohort: Cohort, cases: Iterable[NewCase], folder: str = "cases") -> None:
    """Add cases behind the present ones. Of a known scan, path, choice and further columns are updated.

    Args:
        cohort: The cohort.
        cases: The scans. Those that are known by their identity keep their id, state and results.
        folder: Folder in which each case gets a folder for its results, relative to the cohort.

    Raises:
        InputError: The file cannot be written.
        sqlite3.IntegrityError: An id belongs to another scan; check this before.
    """
    with cohort.writing() as connection:
        position = connection.execute("SELECT coalesce(max(position) + 1, 0) FROM cases").fetchone()[0]
        for number, case in enumerate(cases, start=position):
            place = number if case.position is None else case.position
            connection.execute(
                "INSERT INTO cases (id, identity, position, input, series, choice, extra, output) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (identity) DO UPDATE SET "
                "input = excluded.input, series = excluded.series, choice = excluded.choice, extra = excluded.extra",
                (
                    *(case.id, case.identity, place, case.input, case.series, case.choice),
                    *(json.dumps(dict(case.extra)), f"{folder}/{case.id}"),
                ),
            )


def start_case(cohort: Cohort, case_id: str) -> None:
    """Mark a case as running, and count the attempt.

    Raises:
        InputError: The file cannot be written.
    """
    with cohort.writing() as connection:
        connection.execute(
            "UPDATE cases SET state = 'running', attempts = attempts + 1, started = ?, finished = NULL, "
            "seconds = NULL WHERE id = ?",
            (time.time(), case_id),
        )


def finish_case(cohort: Cohort, case_id: str, finding: Finding, seconds: float) -> None:
    """Store the result of a case, and its lesions in place of earlier ones.

    Args:
        cohort: The cohort.
        case_id: The case.
        finding: Its result.
        seconds: How long the attempt took.

    Raises:
        InputError: The file cannot be written.
    """
    numbers = {name: finding.numbers.get(name) for name in CASE_NUMBERS}
    values = {
        "state": "done",
        "sentence": None,
        "finished": time.time(),
        "seconds": seconds,
        "model": finding.model,
        "model_sha256": finding.model_sha256,
        "covidseg_version": finding.covidseg_version,
        "device": finding.device,
        "warnings": json.dumps(list(finding.warnings)),
        **numbers,
    }
    with cohort.writing() as connection:
        connection.execute(
            f"UPDATE cases SET {', '.join(f'{name} = ?' for name in values)} WHERE id = ?", (*values.values(), case_id)
        )
        connection.execute("DELETE FROM lesions WHERE case_id = ?", (case_id,))
        connection.executemany(
            f"INSERT INTO lesions (case_id, {', '.join(LESION_COLUMNS)}) "
            f"VALUES (?, {', '.join('?' * len(LESION_COLUMNS))})",
            [(case_id, *(lesion.get(name) for name in LESION_COLUMNS)) for lesion in finding.lesions],
        )


def fail_case(cohort: Cohort, case_id: str, sentence: str, *, again: bool = False) -> None:
    """Record a failed attempt.

    Args:
        cohort: The cohort.
        case_id: The case.
        sentence: Why it failed.
        again: Whether the case waits for another attempt; otherwise it has failed.

    Raises:
        InputError: The file cannot be written.
    """
    now = time.time()
    with cohort.writing() as connection:
        connection.execute(
            "UPDATE cases SET state = ?, sentence = ?, finished = ?, seconds = round(? - started, 2) WHERE id = ?",
            ("waiting" if again else "failed", sentence, now, now, case_id),
        )
        connection.execute(
            "INSERT INTO failures (case_id, attempt, time, sentence) SELECT id, attempts, ?, ? FROM cases WHERE id = ?",
            (now, sentence, case_id),
        )


def wait_again(cohort: Cohort, states: Sequence[str]) -> int:
    """Let all cases of some states wait for another attempt, such as those of a killed run. Return their number.

    Raises:
        InputError: The file cannot be written.
    """
    with cohort.writing() as connection:
        return connection.execute(
            f"UPDATE cases SET state = 'waiting' WHERE state IN ({', '.join('?' * len(states))})", tuple(states)
        ).rowcount


def _case(row: sqlite3.Row) -> Case:
    return Case(
        **{name: row[name] for name in _PLAIN},
        extra=json.loads(row["extra"]),
        warnings=json.loads(row["warnings"] or "[]"),
        numbers={name: row[name] for name in CASE_NUMBERS},
    )
