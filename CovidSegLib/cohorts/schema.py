"""The tables of `cohort.sqlite`.

The file has no write-ahead log: that needs shared memory, which network drives lack. Every change is one short
transaction, so that a batch can write its cases while a worklist writes its readings.
"""

from __future__ import annotations

import sqlite3

from ..errors import InputError
from ..outputs.report_files import CENTRE, NUMBERS, REGIONS

#: Version of the tables, in `PRAGMA user_version`. Raise it with every change, and add the step to `create_tables`.
VERSION = 1
#: "CSeg", in `PRAGMA application_id`: the file is a cohort of CovidSeg.
APPLICATION = 0x43536567

#: Numbers of a case by column, as `report.json` has them: "right_volume_ml", ..., "both_infection_mean_hu".
LUNG_NUMBERS = tuple(f"{lung}_{number}" for lung in REGIONS for number in NUMBERS)
#: Further numbers of a case.
#:
#: - `lesion_count`, `largest_lesion_ml`: of the lesions that are counted.
#: - `severity`, `severity_maximum`: the six-zone score of `quantification.severity`.
#: - `slices`, `slice_mm`: slices of the CT, and the distance between them.
#: - `cpu_seconds`, `peak_mb`: what the case has cost. The peak is that of its worker since it started.
OTHER_NUMBERS = {
    "lesion_count": "INTEGER",
    "largest_lesion_ml": "REAL",
    "severity": "INTEGER",
    "severity_maximum": "INTEGER",
    "slices": "INTEGER",
    "slice_mm": "REAL",
    "cpu_seconds": "REAL",
    "peak_mb": "REAL",
}
#: Columns of `cases` that hold numbers, with their types.
CASE_NUMBERS = {**dict.fromkeys(LUNG_NUMBERS, "REAL"), **OTHER_NUMBERS}
#: Columns of `lesions` beside the case, with their types. The centre is in RAS, the coordinates that Slicer displays.
LESION_COLUMNS = {
    "number": "INTEGER NOT NULL",
    "lung": "TEXT",
    "volume_ml": "REAL",
    "mean_hu": "REAL",
    **dict.fromkeys(CENTRE, "REAL"),
}


def _columns(columns: dict[str, str]) -> str:
    return ",\n    ".join(f"{name} {kind}" for name, kind in columns.items())


#: What the columns of `cases` mean is in `cases.Case`, those of `readings` in `readings.Reading`.
_TABLES = f"""
CREATE TABLE cohort (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE cases (
    id TEXT PRIMARY KEY COLLATE NOCASE,
    identity TEXT NOT NULL UNIQUE,
    position INTEGER NOT NULL,
    input TEXT NOT NULL,
    series TEXT,
    choice TEXT,
    extra TEXT NOT NULL DEFAULT '{{}}',
    output TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'done', 'failed')),
    sentence TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    started REAL,
    finished REAL,
    seconds REAL,
    model TEXT,
    model_sha256 TEXT,
    covidseg_version TEXT,
    device TEXT,
    warnings TEXT,
    {_columns(CASE_NUMBERS)}
);
CREATE INDEX cases_by_state ON cases (state, attempts, position);
CREATE TABLE lesions (
    case_id TEXT NOT NULL COLLATE NOCASE REFERENCES cases (id) ON DELETE CASCADE,
    {_columns(LESION_COLUMNS)},
    PRIMARY KEY (case_id, number)
);
CREATE TABLE failures (
    case_id TEXT NOT NULL COLLATE NOCASE REFERENCES cases (id) ON DELETE CASCADE,
    attempt INTEGER NOT NULL,
    time REAL NOT NULL,
    sentence TEXT NOT NULL
);
CREATE TABLE readings (
    case_id TEXT NOT NULL COLLATE NOCASE REFERENCES cases (id) ON DELETE CASCADE,
    reader TEXT NOT NULL,
    opened REAL NOT NULL,
    reviewed REAL,
    seconds REAL NOT NULL DEFAULT 0,
    grade TEXT,
    comment TEXT,
    infection_ml REAL,
    result TEXT,
    PRIMARY KEY (case_id, reader)
);
"""


def create_tables(connection: sqlite3.Connection) -> None:
    """Create the tables in a new file, in one transaction."""
    connection.executescript(
        f"BEGIN IMMEDIATE; {_TABLES} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;"
    )


def check_version(connection: sqlite3.Connection, name: str) -> None:
    """Check that a file is a cohort that this version can read and write.

    Args:
        connection: The open file.
        name: Its name, for the message.

    Raises:
        InputError: It is another database, or that of a later version.
    """
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION:
        raise InputError(f'"{name}" is not a cohort of CovidSeg. Choose the file that `covidseg batch` has written.')
    if version > VERSION:
        raise InputError(f'"{name}" was written by a later version of CovidSeg. Update CovidSeg.')
