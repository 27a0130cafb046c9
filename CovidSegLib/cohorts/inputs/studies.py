"""Sort DICOM files into studies, and choose the chest CT of each by stated rules (docs/cohorts.md)."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...reading.dicom_series import Extent, Series, looks_like_chest_ct
from .scan import Scan, series_identity

#: Names of body parts in descriptions, which hospitals write in several languages.
_CHEST = re.compile(r"chest|thora|torax|lung|pulm|poumon|polmon", re.IGNORECASE)
_ELSEWHERE = re.compile(
    r"head|brain|skull|neck|sinus|orbit|abdom|liver|pelvi|spine|lumbar|cervic|heart|card|coronar|knee|foot|hand|"
    r"should|hip\b|extrem|leg\b|colon|urin|renal|kidney|sch[aä]del|kopf|hals|becken|t[eê]te|crani",  # codespell:ignore
    re.IGNORECASE,
)
_EXPIRATION = re.compile(r"\bexp(ir\w*)?\b", re.IGNORECASE)
#: Share of the longest series of a study that a series must reach to count as complete.
_COMPLETE = 0.8
#: Distance between slices in mm that shows small lesions without needless computing.
_BEST_MM = 1.0


@dataclass(frozen=True)
class SeriesSummary:
    """A DICOM series in a folder tree, without its slices: a tree may hold millions.

    Attributes:
        series: Its header; without slices.
        folder: The innermost folder that holds all of its files.
        slices: Number of slices.
        extent: Where they lie, if known.
    """

    series: Series
    folder: Path
    slices: int
    extent: Extent | None

    @property
    def key(self) -> tuple[str, ...]:
        """What tells series apart; see `dicom_series.list_series`."""
        header = self.series.header
        return header.study_uid, header.series_uid, header.sop_class, str("LOCALIZER" in header.image_type)

    @property
    def length_mm(self) -> float:
        """Distance between the first and the last slice; 0 if unknown."""
        return self.extent.high - self.extent.low if self.extent else 0.0

    @property
    def words(self) -> str:
        """What its header says about the part of the body."""
        return f"{self.series.header.body_part} {self.series.header.description}"


def summary_of(series: Series, folder: Path) -> SeriesSummary:
    """Return the summary of a series, or of the part of it in one folder."""
    extent = series.extent if series.slices else None
    return SeriesSummary(replace(series, slices=()), folder, len(series.slices), extent)


def join_parts(parts: Iterable[SeriesSummary]) -> list[SeriesSummary]:
    """Join the parts of series whose files lie in several folders."""
    joined: dict[tuple[str, ...], SeriesSummary] = {}
    for part in parts:
        first = joined.get(part.key)
        joined[part.key] = part if first is None else _join(first, part)
    return list(joined.values())


def _join(first: SeriesSummary, second: SeriesSummary) -> SeriesSummary:
    extent = None
    if first.extent and second.extent:
        axial = first.extent.axial and second.extent.axial
        extent = Extent(axial, min(first.extent.low, second.extent.low), max(first.extent.high, second.extent.high))
    folder = Path(os.path.commonpath([first.folder, second.folder]))
    return SeriesSummary(first.series, folder, first.slices + second.slices, extent)


def chest_scans(summaries: Sequence[SeriesSummary]) -> list[Scan]:
    """Return the chest CT of each study, in the order of the studies.

    A study without a chest CT yields the series that resembles one most, whose reading says what it is instead.
    """
    studies: dict[str, list[SeriesSummary]] = {}
    for summary in summaries:
        studies.setdefault(summary.series.header.study_uid or summary.series.header.series_uid, []).append(summary)
    return [_scan(*choose_chest_series(study)) for study in studies.values()]


def choose_chest_series(study: Sequence[SeriesSummary]) -> tuple[SeriesSummary, str]:
    """Choose the chest CT of a study. Each rule keeps the series that satisfy it, if there are any.

    Args:
        study: All series of the study, at least one.

    Returns:
        The series, and why it was chosen.
    """
    usable = [item for item in study if not item.series.unusable_content]
    left = usable or list(study)
    if len(left) == 1:
        return left[0], "the only CT series of the study" if usable else "the only series of the study"
    reasons = []
    for reason, rule in _RULES:
        kept = _kept(left, rule)
        if len(kept) < len(left):
            reasons.append(reason)
        left = kept
        if len(left) == 1:
            break
    return left[0], f"1 of {len(usable or study)} {'CT ' if usable else ''}series: {', '.join(reasons)}"


def _kept(series: Sequence[SeriesSummary], rule: Callable[[SeriesSummary, Sequence[SeriesSummary]], float]) -> list:
    """Return the series with the lowest penalty."""
    penalties = [rule(item, series) for item in series]
    return [item for item, penalty in zip(series, penalties, strict=True) if penalty <= min(penalties) + 1e-6]


def _not_chest_ct(item: SeriesSummary, others: Sequence[SeriesSummary]) -> float:
    return not looks_like_chest_ct(item.series, item.slices, item.extent)


def _elsewhere(item: SeriesSummary, others: Sequence[SeriesSummary]) -> float:
    if _CHEST.search(item.words):
        return 0
    return 2 if _ELSEWHERE.search(item.words) else 1


def _lossy(item: SeriesSummary, others: Sequence[SeriesSummary]) -> float:
    return item.series.header.lossy


def _expiration(item: SeriesSummary, others: Sequence[SeriesSummary]) -> float:
    return bool(_EXPIRATION.search(item.words))


def _short(item: SeriesSummary, others: Sequence[SeriesSummary]) -> float:
    return item.length_mm < _COMPLETE * max(other.length_mm for other in others)


def _spacing(item: SeriesSummary, others: Sequence[SeriesSummary]) -> float:
    """Return how far the distance between slices is from the best one, as a ratio."""
    if item.slices < 2 or item.length_mm <= 0:
        return math.inf
    return round(abs(math.log(item.length_mm / (item.slices - 1) / _BEST_MM)), 3)


def _number(item: SeriesSummary, others: Sequence[SeriesSummary]) -> float:
    number = item.series.header.number
    return math.inf if number is None else number


def _uid(item: SeriesSummary, others: Sequence[SeriesSummary]) -> float:
    return sorted(other.series.header.series_uid for other in others).index(item.series.header.series_uid)


#: Rules in their order, with what they say about the chosen series.
_RULES: tuple[tuple[str, Callable[[SeriesSummary, Sequence[SeriesSummary]], float]], ...] = (
    ("axial and long enough", _not_chest_ct),
    ("chest according to its description", _elsewhere),
    ("without lossy compression", _lossy),
    ("not in expiration", _expiration),
    ("covers the lungs", _short),
    ("distance between slices nearest to 1 mm", _spacing),
    ("lowest series number", _number),
    ("first UID", _uid),
)


def _scan(series: SeriesSummary, choice: str) -> Scan:
    uid = series.series.header.series_uid
    return Scan(series.folder, series_identity(uid), uid, choice)
