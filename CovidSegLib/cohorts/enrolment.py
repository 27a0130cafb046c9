"""Make the listed scans cases of a cohort, and compare them with the cases that it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import InputError
from .cases import NewCase, add_cases
from .database import Cohort
from .inputs.scan import Scan


@dataclass(frozen=True)
class Known:
    """A case that a cohort has already."""

    id: str
    input: str
    state: str


def enrol(cohort: Cohort, scans: Sequence[Scan]) -> int:
    """Add scans as cases. Those that the cohort has already keep their case; its path becomes the present one.

    Args:
        cohort: The cohort, whose folder is claimed.
        scans: From `inputs.listing.list_scans`.

    Returns:
        The number of new cases.

    Raises:
        InputError: An id stands for another scan than before, or the file cannot be written.
    """
    new = [
        NewCase(scan.case_id, scan.identity, cohort.stored(scan.path), scan.series, scan.choice, scan.extra)
        for scan in scans
    ]
    known = _known(cohort)
    _forget_unreadable(cohort, new, known)
    known = _known(cohort)
    ids = {case.id.lower(): identity for identity, case in known.items()}
    for case in new:
        if case.identity not in known and case.id.lower() in ids:
            earlier = known[ids[case.id.lower()]]
            raise InputError(
                f'The case "{case.id}" is another scan than before: it was "{earlier.input}", and is "{case.input}", '
                "or that file has changed. Give the new scan another id, or choose another folder."
            )
    add_cases(cohort, new)
    return sum(case.identity not in known for case in new)


def _known(cohort: Cohort) -> dict[str, Known]:
    """Return the cases of a cohort by identity."""
    with cohort.reading() as connection:
        rows = connection.execute("SELECT identity, id, input, state FROM cases").fetchall()
    return {row["identity"]: Known(row["id"], row["input"], row["state"]) for row in rows}


def _forget_unreadable(cohort: Cohort, new: Sequence[NewCase], known: dict[str, Known]) -> None:
    """Remove cases that could not be read and so have no result, if their inputs can be read now."""
    inputs = {case.input for case in new if case.identity not in known}
    gone = [
        (identity,)
        for identity, case in known.items()
        if identity.startswith("path:") and case.state != "done" and case.input in inputs
    ]
    if gone:
        with cohort.writing() as connection:
            connection.executemany("DELETE FROM cases WHERE identity = ?", gone)
