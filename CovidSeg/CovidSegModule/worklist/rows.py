"""The rows of the table of cases: what they show, and how they are filtered and sorted."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from slicer.i18n import tr as _

from CovidSegLib.cohorts.case_list import Entry
from CovidSegLib.cohorts.readings import Reading

#: States of a case for the present reader, in the order in which they are sorted.
TO_REVIEW, BEGUN, REVIEWED, FAILED = STATES = ("to review", "begun", "reviewed", "failed")
#: What the table can be limited to. Each is the states that it shows.
FILTERS = {"all": STATES, "to review": (TO_REVIEW, BEGUN), "reviewed": (REVIEWED,), "failed": (FAILED,)}
#: Columns of the table.
COLUMNS = ("case", "state", "involvement", "grade", "reviewed_by")
#: Grades that a reader can give. They are stored in readings.
GRADES = ("no infection", "mild", "moderate", "severe", "not assessable")


@dataclass(frozen=True)
class CaseRow:
    """A row of the table.

    Attributes:
        case: Name of the case.
        state: One of `STATES`.
        involvement: Infected share of the lungs in percent, or None.
        grade: The grade that the reader has given; empty if none.
        reviewed_by: Names of all who have reviewed the case.
        failure: Why the case cannot be read; empty if it can.
    """

    case: str
    state: str
    involvement: float | None
    grade: str
    reviewed_by: str
    failure: str = ""


def row_of(entry: Entry, reading: Reading | None, reviewed_by: Collection[str], unreadable: str) -> CaseRow:
    """Return the row of a case.

    Args:
        entry: The case.
        reading: What the present reader has said about it, or None.
        reviewed_by: Names of those who have reviewed it.
        unreadable: Why it could not be opened; empty if it could, or if nobody has tried.
    """
    failure = entry.failure or unreadable
    if failure:
        state = FAILED
    elif reading is None:
        state = TO_REVIEW
    else:
        state = BEGUN if reading.reviewed is None else REVIEWED
    names = ", ".join(sorted(reviewed_by, key=str.casefold))
    grade = (reading.grade or "") if reading else ""
    return CaseRow(entry.case_id, state, entry.involvement_percent, grade, names, failure)


def choose(rows: Sequence[CaseRow], states: str, text: str, column: str, descending: bool) -> list[CaseRow]:
    """Return the rows that a filter and a search leave, sorted. Those without a value come last.

    Args:
        rows: All rows, in the order of the list.
        states: A key of `FILTERS`.
        text: Part of the name of the case; empty for all.
        column: One of `COLUMNS`; empty for the order of the list.
        descending: Whether large values come first.
    """
    chosen = [row for row in rows if row.state in FILTERS[states] and text.casefold() in row.case.casefold()]
    if not column:
        return chosen
    rest = [row for row in chosen if getattr(row, column) in (None, "")]
    known = [row for row in chosen if getattr(row, column) not in (None, "")]
    order = {"state": STATES, "grade": GRADES}.get(column)

    def key(row: CaseRow) -> object:
        value = getattr(row, column)
        if order is not None:
            return order.index(value) if value in order else len(order)
        return value.casefold() if isinstance(value, str) else value

    return sorted(known, key=key, reverse=descending) + rest  # type: ignore[arg-type]


def cells(row: CaseRow) -> list[str]:
    """Return the texts of a row, in the order of `COLUMNS`."""
    involvement = "–" if row.involvement is None else f"{row.involvement:.1f} %"
    return [row.case, state_text(row.state), involvement, grade_text(row.grade), row.reviewed_by]


def state_text(state: str) -> str:
    """Return a state as it is shown."""
    return {TO_REVIEW: _("to review"), BEGUN: _("begun"), REVIEWED: _("reviewed"), FAILED: _("failed")}[state]


def grade_text(grade: str) -> str:
    """Return a grade as it is shown. One that another program has stored is shown as it is."""
    texts = {
        "no infection": _("no infection"),
        "mild": _("mild"),
        "moderate": _("moderate"),
        "severe": _("severe"),
        "not assessable": _("not assessable"),
    }
    return texts.get(grade, grade)
