"""The statistics of a cohort as text, CSV and PNG, in its folder `statistics`."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from ..notices import NOT_FOR_DIAGNOSIS
from ..printable import printable
from ..storage.staging import staged_files
from .cases import STATES, Case
from .outliers import Outlier, find_outliers
from .statistics import SUMMARISED, Distribution, Group, Statistics, statistics_of

FOLDER = "statistics"
FILES = {
    "text": "statistics.txt",
    "table": "statistics.csv",
    "outliers": "outliers.csv",
    "failures": "failed.csv",
    "picture": "cohort.png",
}
#: Outliers and failures in the text. The tables have all.
SHOWN = 10
_QUARTILES = tuple(item.name for item in fields(Distribution))


@dataclass(frozen=True)
class Summary:
    """The statistics of a cohort, and the cases to look at first, the most important first."""

    statistics: Statistics
    outliers: tuple[Outlier, ...]
    failed: tuple[Case, ...]


def summarise(cases: Sequence[Case], by: str | None = None) -> Summary:
    """Return the statistics of cases.

    Args:
        cases: All cases of a cohort.
        by: As in `statistics.statistics_of`.

    Raises:
        InputError: There is no such column.
    """
    failed = tuple(case for case in cases if case.state == "failed")
    return Summary(statistics_of(cases, by), tuple(find_outliers(cases)), failed)


def write_summary(folder: Path, cases: Sequence[Case], summary: Summary) -> list[Path]:
    """Write the files to the folder `statistics` of a cohort, in place of earlier ones.

    Raises:
        InputError: They cannot be written.
    """
    # Imported here because it loads matplotlib.
    from .plots import draw_cohort

    with staged_files(folder / FOLDER, FILES.values(), overwrite=True) as out:
        (out / FILES["text"]).write_text(summary_text(summary) + "\n", "utf-8", "backslashreplace", "\n")
        _write_csv(out / FILES["table"], _table(summary.statistics))
        _write_csv(out / FILES["outliers"], _outliers(summary.outliers))
        _write_csv(out / FILES["failures"], [("id", "input", "sentence"), *map(_failure, summary.failed)])
        draw_cohort(out / FILES["picture"], cases, summary.statistics, summary.outliers)
    return [folder / FOLDER / name for name in FILES.values()]


def summary_text(summary: Summary) -> str:
    """Return the statistics as text for a terminal."""
    whole = summary.statistics.whole
    done = whole.states["done"]
    lines = [
        ", ".join(f"{whole.states[state]} {state}" for state in STATES if whole.states[state] or state == "done") + ".",
        f"{whole.infected} of {done} scans have infection.",
    ]
    if done:
        lines += ["", f"{'':<40}{'median':>9}{'quartiles':>18}{'range':>20}", *map(_line, whole.numbers.items())]
    if summary.statistics.by is not None:
        lines += ["", f"By {printable(summary.statistics.by)}: infected share of the lungs (%)"]
        lines += [_group_line(group) for group in summary.statistics.groups]
    lines += _looked_at_first(summary)
    return "\n".join([*lines, "", NOT_FOR_DIAGNOSIS])


def _line(item: tuple[str, Distribution]) -> str:
    name, numbers = item
    quartiles = f"{_short(numbers.quartile1)} to {_short(numbers.quartile3)}"
    extremes = f"{_short(numbers.minimum)} to {_short(numbers.maximum)}"
    return f"{SUMMARISED[name]:<40}{_short(numbers.median):>9}{quartiles:>18}{extremes:>20}"


def _group_line(group: Group) -> str:
    numbers = group.numbers["both_involvement_percent"]
    text = f"  {printable(group.name)}: {numbers.count} scans"
    if numbers.count:
        quartiles = f"{_short(numbers.quartile1)} to {_short(numbers.quartile3)}"
        text += f", median {_short(numbers.median)}, quartiles {quartiles}"
    return text + (f", {group.states['failed']} failed" if group.states["failed"] else "")


def _looked_at_first(summary: Summary) -> list[str]:
    lines = []
    first = [item for item in summary.outliers if item.stands_out][:SHOWN]
    if first:
        lines += ["", "Look at these first:"]
        lines += [f"  {item.case.id}: {printable('. '.join(item.reasons))}." for item in first]
    more = len(summary.outliers) - len(first)
    lines += [f"{more} more scans have warnings or stand out less, see {FILES['outliers']}."] if more else []
    sentences: dict[str, list[str]] = {}
    for case in summary.failed:
        sentences.setdefault(_first_line(case.sentence or ""), []).append(case.id)
    if sentences:
        lines += ["", f"Failed, see {FILES['failures']}:"]
        for sentence, ids in sorted(sentences.items(), key=lambda item: -len(item[1]))[:SHOWN]:
            others = f" and {len(ids) - 1} more" if len(ids) > 1 else ""
            lines.append(f"  {ids[0]}{others}: {sentence}")
    return lines


def _table(statistics: Statistics) -> list[Sequence[object]]:
    """Return one row for each group and number."""
    rows: list[Sequence[object]] = [("group", "number", *_QUARTILES)]
    for group in (statistics.whole, *statistics.groups):
        for name, numbers in group.numbers.items():
            values = [None if isinstance(value, float) and math.isnan(value) else value for value in astuple(numbers)]
            rows.append((printable(group.name), name, *values))
    return rows


def _outliers(outliers: Sequence[Outlier]) -> list[Sequence[object]]:
    rows: list[Sequence[object]] = [("rank", "id", "input", "output", "score", "reasons")]
    for rank, outlier in enumerate(outliers, start=1):
        case = outlier.case
        reasons = printable(". ".join(outlier.reasons) + ".")
        rows.append((rank, case.id, printable(case.input), case.output, round(outlier.score, 2), reasons))
    return rows


def _failure(case: Case) -> Sequence[object]:
    return case.id, printable(case.input), printable(case.sentence or "")


def _write_csv(path: Path, rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8-sig", errors="backslashreplace", newline="") as file:
        csv.writer(file).writerows(rows)


def _first_line(text: str) -> str:
    return printable(text.partition("\n")[0])


def _short(value: float) -> str:
    """Return a number with three significant digits."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
