"""Severity scores that radiologists read, computed from the involved share of lobes or zones.

A score that is computed from a mask is not a score that was read: readers estimate, and a mask counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Severity:
    """A severity score.

    Attributes:
        name: Name of the score.
        score: The score, or None if a part has no lung.
        maximum: Highest possible score.
        parts: Score of each lobe or zone.
        definition: How it is computed, in sentences.
        source: Publication that defines it.
    """

    name: str
    score: int | None
    maximum: int
    parts: dict[str, int | None]
    definition: str
    source: str


def ct_severity_score(involvement_percent: Mapping[str, float | None]) -> Severity:
    """Return the CT severity score of five lobes, 0 to 25.

    Args:
        involvement_percent: Involved share of each lobe in percent, by name; None if the lobe is empty.

    >>> shares = {"right upper": 0.0, "right middle": 3.0, "right lower": 25.0, "left upper": 60.0, "left lower": 80.0}
    >>> ct_severity_score(shares).score
    12
    """
    return _severity(
        "CT severity score",
        involvement_percent,
        _lobe_score,
        5,
        "Sum over the five lobes: 0 not involved, 1 below 5 %, 2 from 5 to 25 %, 3 below 50 %, 4 from 50 to 75 %, "
        "5 above 75 % of the lobe.",
        "Pan et al., Radiology 2020; 295: 715-721",
    )


def six_zone_score(involvement_percent: Mapping[str, float | None]) -> Severity:
    """Return the score of six zones, 0 to 24.

    Args:
        involvement_percent: Involved share of each zone in percent, by name; None if the zone is empty.

    >>> six_zone_score({"right upper": 0.0, "right middle": 10.0, "right lower": 25.0}).parts
    {'right upper': 0, 'right middle': 1, 'right lower': 2}
    """
    return _severity(
        "Six-zone score",
        involvement_percent,
        _zone_score,
        4,
        "Sum over the six zones: 0 not involved, 1 below 25 %, 2 from 25 %, 3 from 50 %, 4 from 75 % of the zone. "
        "The zones are thirds of the height of each lung.",
        "Extent as in Yuan et al., PLoS ONE 2020; 15: e0230548, whose zones divide at the carina and the inferior "
        "pulmonary vein",
    )


def _lobe_score(percent: float) -> int:
    if percent <= 0:
        return 0
    if percent < 5:
        return 1
    if percent <= 25:
        return 2
    if percent < 50:
        return 3
    return 4 if percent <= 75 else 5


def _zone_score(percent: float) -> int:
    return 0 if percent <= 0 else 1 + min(int(percent // 25), 3)


def _severity(
    name: str,
    involvement_percent: Mapping[str, float | None],
    score_of: Callable[[float], int],
    highest: int,
    definition: str,
    source: str,
) -> Severity:
    parts = {part: None if share is None else score_of(share) for part, share in involvement_percent.items()}
    scores = [part for part in parts.values() if part is not None]
    total = sum(scores) if len(scores) == len(parts) else None
    return Severity(name, total, highest * len(parts), parts, definition, source)
