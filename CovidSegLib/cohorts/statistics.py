"""Statistics of a cohort: involvement, severity, volumes, of all cases and by a column of the list of scans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .cases import STATES, Case

#: Numbers that are summarised, with their titles.
SUMMARISED = {
    "both_involvement_percent": "infected share of the lungs (%)",
    "both_infection_ml": "infection (ml)",
    "both_volume_ml": "lungs (ml)",
    "both_mean_hu": "mean density of the lungs (HU)",
    "severity": "six-zone severity score (0 to 24)",
    "lesion_count": "lesions of at least 0.1 ml",
}
#: Titles of columns that name the centre, by which cases are grouped unless another column is asked for.
CENTRES = ("centre", "center", "site", "hospital", "institution", "clinic")
#: Value of a group without a name.
UNNAMED = "not stated"


@dataclass(frozen=True)
class Distribution:
    """How a number is distributed over cases.

    Attributes:
        count: Cases that have it.
        mean, minimum, quartile1, median, quartile3, maximum: In the unit of the number; NaN if no case has it.
    """

    count: int
    mean: float
    minimum: float
    quartile1: float
    median: float
    quartile3: float
    maximum: float


@dataclass(frozen=True)
class Group:
    """Cases with one value of a column, or all cases.

    Attributes:
        name: The value, or "all".
        states: Number of cases by state.
        infected: Done cases with any infection.
        numbers: Distributions of `SUMMARISED` over the done cases, by column.
    """

    name: str
    states: Mapping[str, int]
    infected: int
    numbers: Mapping[str, Distribution]


@dataclass(frozen=True)
class Statistics:
    """Statistics of a cohort.

    Attributes:
        whole: All cases.
        by: The column by which cases are grouped, or None.
        groups: The groups, the largest first.
    """

    whole: Group
    by: str | None
    groups: tuple[Group, ...]


def statistics_of(cases: Sequence[Case], by: str | None = None) -> Statistics:
    """Compute the statistics of cases.

    Args:
        cases: All cases of a cohort.
        by: The column to group by; one of `CENTRES` if None and there is one.

    Raises:
        InputError: There is no such column.
    """
    columns = list(dict.fromkeys(name for case in cases for name in case.extra))
    by = by if by is not None else next((name for name in columns if name.lower() in CENTRES), None)
    if by is not None and by not in columns:
        raise InputError(
            f'The list of scans has no column "{by}". It has: {", ".join(columns) or "none but input, id and series"}.'
        )
    groups: dict[str, list[Case]] = {}
    for case in cases if by is not None else ():
        groups.setdefault(group_of(case, by), []).append(case)
    largest_first = sorted(groups, key=lambda name: (-len(groups[name]), name))
    return Statistics(_group("all", cases), by, tuple(_group(name, groups[name]) for name in largest_first))


def group_of(case: Case, by: str | None) -> str:
    """Return the value of a column for a case."""
    return case.extra.get(by or "") or UNNAMED


def values_of(cases: Sequence[Case], number: str) -> np.ndarray:
    """Return a number of the done cases that have it."""
    found = [case.numbers[number] for case in cases if case.state == "done" and case.numbers[number] is not None]
    return np.array(found, float)


def _group(name: str, cases: Sequence[Case]) -> Group:
    return Group(
        name,
        {state: sum(case.state == state for case in cases) for state in STATES},
        int((values_of(cases, "both_infection_ml") > 0).sum()),
        {number: _distribution(values_of(cases, number)) for number in SUMMARISED},
    )


def _distribution(values: np.ndarray) -> Distribution:
    if values.size == 0:
        return Distribution(0, *[float("nan")] * 6)
    low, quartile1, median, quartile3, high = np.percentile(values, [0, 25, 50, 75, 100])
    return Distribution(values.size, *map(float, (values.mean(), low, quartile1, median, quartile3, high)))
