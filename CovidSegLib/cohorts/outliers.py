"""Cases to look at first, with the reason: implausible lungs or infection, and what stands out in the cohort."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .cases import Case
from .statistics import values_of

#: Lungs of adults, in inspiration or expiration, healthy or ill, rarely lie outside of these volumes in ml.
LUNGS_ML = (1500.0, 9000.0)
#: Share of the smaller lung in both. The left lung has about 45 % of the volume.
SMALLER_LUNG = 0.33
#: Infected share of the lungs in percent from which most of the aerated lung is gone.
MUCH_PERCENT = 60.0
#: Mean density of infection in HU. Ground glass and consolidation lie within; below is lung, above is soft tissue.
INFECTION_HU = (-800.0, 30.0)
#: Limit of the modified z-score, and the factor that makes it one (Iglewicz and Hoaglin, How to Detect and Handle
#: Outliers, 1993).
Z_LIMIT, Z_FACTOR = 3.5, 0.6745
#: Cases that make a distribution.
FEWEST = 8
#: Numbers that are compared with the cohort: column, title, unit, and what makes their distribution symmetric.
_COMPARED: tuple[tuple[str, str, str, Callable[[np.ndarray], np.ndarray]], ...] = (
    ("both_volume_ml", "lung volume", "ml", np.log),
    ("both_involvement_percent", "infected share", "%", np.sqrt),
    ("both_mean_hu", "mean density of the lungs", "HU", np.asarray),
    ("both_infection_mean_hu", "mean density of the infection", "HU", np.asarray),
)


@dataclass(frozen=True)
class Outlier:
    """A case to look at.

    Attributes:
        case: The case.
        reasons: Sentences without a full stop, the most important first.
        score: How important it is to look at it; see `find_outliers`.
    """

    case: Case
    reasons: tuple[str, ...]
    score: float

    @property
    def stands_out(self) -> bool:
        """Whether there is more against it than a warning, which many scans of a cohort may have."""
        return self.score >= 1.0


def find_outliers(cases: Sequence[Case]) -> list[Outlier]:
    """Return the done cases to look at, the most important first.

    What is implausible counts 2, what stands out in the cohort counts its modified z-score divided by `Z_LIMIT`, at
    most 2, and each warning of the segmentation counts 0.5.

    Args:
        cases: All cases of a cohort.
    """
    done = [case for case in cases if case.state == "done"]
    scores = [_z_scores(done, *compared) for compared in _COMPARED]
    outliers = []
    for number, case in enumerate(done):
        reasons = [(2.0, reason) for reason in _implausible(case)]
        reasons += [score[number] for score in scores if score[number][0] > 0]
        reasons += [(0.5, warning.rstrip(".")) for warning in case.warnings]
        if reasons:
            reasons.sort(key=lambda reason: -reason[0])
            outliers.append(Outlier(case, tuple(text for _, text in reasons), sum(score for score, _ in reasons)))
    return sorted(outliers, key=lambda outlier: (-outlier.score, outlier.case.position))


def _implausible(case: Case) -> list[str]:
    numbers = case.numbers
    volume, right, left = (numbers[f"{lung}_volume_ml"] for lung in ("both", "right", "left"))
    involvement, density = numbers["both_involvement_percent"], numbers["both_infection_mean_hu"]
    reasons = []
    if volume is not None and not LUNGS_ML[0] <= volume <= LUNGS_ML[1]:
        reasons.append(f"The lungs have {volume:.0f} ml, which is {'little' if volume < LUNGS_ML[0] else 'much'}")
    if right is not None and left is not None and min(right, left) < SMALLER_LUNG * (right + left):
        reasons.append(f"The lungs differ much: {right:.0f} ml right, {left:.0f} ml left")
    if involvement is not None and involvement > MUCH_PERCENT:
        reasons.append(f"{involvement:.0f} % of the lungs are infected")
    if density is not None and not INFECTION_HU[0] <= density <= INFECTION_HU[1]:
        tissue = "lung" if density < INFECTION_HU[0] else "soft tissue or fluid"
        reasons.append(f"The infection has a mean of {density:.0f} HU, which is {tissue}")
    return reasons


def _z_scores(
    cases: Sequence[Case], column: str, title: str, unit: str, transform: Callable[[np.ndarray], np.ndarray]
) -> list[tuple[float, str]]:
    """Return score and reason for each case; a score of 0 if it does not stand out."""
    nothing = (0.0, "")
    known = values_of(cases, column)
    if known.size < FEWEST:
        return [nothing] * len(cases)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = transform(known)
        median = np.median(values)
        spread = np.median(np.abs(values - median))
    if not np.isfinite(spread) or spread == 0:
        return [nothing] * len(cases)
    middle = np.median(known)
    results = []
    for case in cases:
        value = case.numbers[column]
        if value is None:
            results.append(nothing)
            continue
        with np.errstate(divide="ignore"):
            z = float(Z_FACTOR * abs(transform(np.array(value, float)) - median) / spread)
        reason = f"The {title} of {value:.0f} {unit} stands out: the median of the cohort is {middle:.0f} {unit}"
        results.append((min(z / Z_LIMIT, 2.0), reason) if z > Z_LIMIT else nothing)
    return results
