"""Parts of a cohort that jobs of a cluster segment at the same time, such as the tasks of a Slurm array.

Each part has a `parts/I-of-N/cohort.sqlite` of its own, so that no two jobs write to one file. `merge_parts` collects
them.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import InUseError
from .cases import NewCase, add_cases
from .claims import claimed_cohort
from .database import FILE, Cohort, create_cohort, open_cohort
from .schema import CASE_NUMBERS, LESION_COLUMNS

PARTS = "parts"
#: Tries to see that no run on the whole cohort goes on; the other parts look at the same time.
_TRIES = 30
#: Columns of `cases` that the result of a case fills.
_RESULT = (
    *("state", "sentence", "attempts", "started", "finished", "seconds", "model", "model_sha256", "covidseg_version"),
    *("device", "warnings", *CASE_NUMBERS),
)


@dataclass(frozen=True)
class Part:
    """One of several parts of a cohort.

    Attributes:
        number: From 1.
        count: Number of parts.
    """

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Part:
        """Return the part that a text such as "3/100" names.

        Raises:
            ValueError: It names none.
        """
        match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise ValueError(text)
        return cls(int(match[1]), int(match[2]))

    def has(self, position: int) -> bool:
        """Return whether a case belongs to this part. Neighbours, which are often alike, go to different parts."""
        return position % self.count == self.number - 1

    @property
    def name(self) -> str:
        """Name of its folder, whose claim keeps a second job out of it."""
        return f"{self.number}-of-{self.count}"


@contextmanager
def claimed_part(folder: Path, part: Part) -> Iterator[Cohort]:
    """Claim a part of a cohort until the end of the `with` block, and yield it. It is created if need be.

    Raises:
        InputError: Another job has it, or a run on the whole cohort goes on.
    """
    with claimed_cohort(folder / PARTS / part.name):
        _check_whole_is_free(folder)
        yield create_cohort(folder, f"{PARTS}/{part.name}/{FILE}")


def _check_whole_is_free(folder: Path) -> None:
    for attempt in range(_TRIES):
        try:
            with claimed_cohort(folder):
                return
        except InUseError:
            if attempt == _TRIES - 1:
                raise
            time.sleep(random.uniform(0.02, 0.2))


def take_planned(whole: Cohort, part: Cohort, which: Part) -> None:
    """Add to a part its share of the cases of the cohort, which `covidseg batch --list-only` has stored.

    Raises:
        InputError: A file cannot be read or written.
    """
    with whole.reading() as connection:
        rows = connection.execute(
            "SELECT id, identity, input, series, choice, position FROM cases "
            "WHERE position % ? = ? AND state != 'done'",
            (which.count, which.number - 1),
        ).fetchall()
        settings = connection.execute("SELECT key, value FROM cohort").fetchall()
    with part.writing() as connection:
        connection.executemany("INSERT OR IGNORE INTO cohort VALUES (?, ?)", map(tuple, settings))
    add_cases(part, [NewCase(**row) for row in map(dict, rows)])


def part_folders(folder: Path) -> list[Path]:
    """Return the folders of the parts of a cohort."""
    return sorted(path.parent for path in (folder / PARTS).glob(f"*/{FILE}"))


@contextmanager
def claimed_whole(folder: Path) -> Iterator[None]:
    """Claim a cohort with all of its parts until the end of the `with` block.

    Raises:
        InputError: Another run writes to it or to a part of it.
    """
    with claimed_cohort(folder):
        for part in part_folders(folder):
            with claimed_cohort(part):
                pass
        yield


def merge_parts(whole: Cohort) -> int:
    """Copy what the parts of a cohort have come to into its `cohort.sqlite`. A case that is done there stays.

    Parts may be running. What they do later is copied by the next call.

    Returns:
        The number of parts.

    Raises:
        InputError: A file cannot be read or written.
    """
    folders = part_folders(whole.folder)
    for folder in folders:
        _merge(whole, open_cohort(folder / FILE, folder=whole.folder))
    return len(folders)


def _merge(whole: Cohort, part: Cohort) -> None:
    with part.reading() as connection:
        cases = connection.execute("SELECT * FROM cases").fetchall()
        lesions = connection.execute("SELECT * FROM lesions").fetchall()
        failures = connection.execute("SELECT * FROM failures").fetchall()
        settings = connection.execute("SELECT key, value FROM cohort").fetchall()
    given = ("id", "identity", "position", "input", "series", "choice", "extra", "output")
    names = (*given, *_RESULT)
    results = ", ".join(f"{name} = excluded.{name}" for name in _RESULT)
    with whole.writing() as connection:
        connection.executemany("INSERT OR IGNORE INTO cohort VALUES (?, ?)", map(tuple, settings))
        # Those that are done already keep their lesions.
        done = {row[0] for row in connection.execute("SELECT identity FROM cases WHERE state = 'done'")}
        copied = {case["id"] for case in cases if case["identity"] not in done}
        connection.executemany(
            f"INSERT INTO cases ({', '.join(names)}) VALUES ({', '.join('?' * len(names))}) "
            f"ON CONFLICT (identity) DO UPDATE SET {results} WHERE cases.state != 'done' AND excluded.attempts > 0",
            [tuple(case[name] for name in names) for case in cases],
        )
        connection.executemany(
            f"INSERT OR REPLACE INTO lesions (case_id, {', '.join(LESION_COLUMNS)}) "
            f"VALUES (?, {', '.join('?' * len(LESION_COLUMNS))})",
            [(row["case_id"], *(row[name] for name in LESION_COLUMNS)) for row in lesions if row["case_id"] in copied],
        )
        connection.executemany(
            "INSERT INTO failures SELECT ?1, ?2, ?3, ?4 WHERE NOT EXISTS "
            "(SELECT 1 FROM failures WHERE case_id = ?1 AND attempt = ?2 AND time = ?3)",
            [(row["case_id"], row["attempt"], row["time"], row["sentence"]) for row in failures],
        )
        # A part that was killed, or still runs, leaves cases that wait in the whole.
        connection.execute("UPDATE cases SET state = 'waiting' WHERE state = 'running'")
