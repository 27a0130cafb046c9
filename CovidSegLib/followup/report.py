"""The comparison of two CTs as JSON values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import SimpleITK as sitk

from .. import __version__
from ..notices import NOT_FOR_DIAGNOSIS
from ..quantification.lesions import SMALLEST_LESION_ML
from ..quantification.report import json_values
from .changes import CHANGED_SHARE, CHANGES, LesionChange
from .comparison import FollowUp, Place
from .regions import RegionChange
from .time_point import TimePoint
from .timeline import REGION_NUMBERS, Point, joined, points_of

SCHEMA = "covidseg-follow-up/1"


def report_of(
    follow: FollowUp, earlier: Mapping[str, Sequence[Point]] | None = None, *, dates: bool = True
) -> dict[str, Any]:
    """Return a comparison as JSON values, rounded by unit.

    Args:
        follow: The comparison.
        earlier: Timelines of earlier comparisons of the same patient, by name; see `timeline.joined`.
        dates: Whether the report may state the dates of the CTs. The days between them are always stated.

    Returns:
        - `schema`, `notice`, `created`, `versions`
        - `days`: between the CTs, or None
        - `current`, `prior`: `date`, `fingerprint`, `input`, `provenance` of each CT
        - `registration`: `lung_dice`, `lung_dice_before`, `covered_percent`
        - `regions`: for lungs and zones `region`, and `current`, `prior`, `difference` with `volume_ml`,
          `infection_ml`, `involvement_percent`
        - `lesions`: `count` by kind of change, the limits, and `list`
        - `timeline`: see `timeline.joined`
        - `warnings`

    Raises:
        InputError: See `timeline.joined`.
    """
    timeline = joined(points_of(follow), earlier or {})
    if not dates:
        timeline = [{**point, "date": None} for point in timeline]
    lesions = [
        _lesion(number, lesion, place)
        for number, (lesion, place) in enumerate(zip(follow.comparison.lesions, follow.places, strict=True), start=1)
    ]
    report: dict[str, Any] = {
        "schema": SCHEMA,
        "notice": NOT_FOR_DIAGNOSIS,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"covidseg": __version__, "SimpleITK": sitk.Version_VersionString()},
        "days": follow.days,
        "current": _side(follow.current, dates),
        "prior": _side(follow.prior, dates),
        "registration": {
            "lung_dice": round(follow.registration.lung_dice, 4),
            "lung_dice_before": round(follow.registration.lung_dice_before, 4),
            "covered_percent": round(follow.covered_percent, 2),
        },
        "regions": [_region(region) for region in follow.regions],
        "lesions": {
            "count": {change: sum(lesion["change"] == change for lesion in lesions) for change in CHANGES},
            "changed_percent": 100 * CHANGED_SHARE,
            "smallest_counted_ml": SMALLEST_LESION_ML,
            "list": lesions,
        },
        "timeline": timeline,
        "warnings": list(follow.warnings),
    }
    return json_values(report)


def _side(point: TimePoint, dates: bool) -> dict[str, Any]:
    return {
        "date": point.date.isoformat() if point.date and dates else None,
        "fingerprint": point.fingerprint,
        "input": point.volume.source,
        "provenance": point.segmentation.provenance,
    }


def _region(region: RegionChange) -> dict[str, Any]:
    sides = {"current": region.current, "prior": region.prior}
    numbers = {
        side: {name: _rounded(getattr(amount, name)) for name in REGION_NUMBERS} for side, amount in sides.items()
    }
    difference = {
        name: _difference(getattr(region.current, name), getattr(region.prior, name)) for name in REGION_NUMBERS
    }
    return {"region": region.name, **numbers, "difference": difference}


def _lesion(number: int, lesion: LesionChange, place: Place) -> dict[str, Any]:
    inside = lesion.inside_lps_mm
    return {
        "number": number,
        "change": lesion.change,
        "lung": place.lung,
        "zone": place.zone,
        "current_ml": _rounded(lesion.current_ml),
        "prior_ml": _rounded(lesion.prior_ml),
        "difference_ml": _rounded(lesion.difference_ml),
        "difference_percent": _rounded(lesion.difference_percent),
        "current_parts": len(lesion.current),
        "prior_parts": len(lesion.prior),
        "inside_ras_mm": None if inside is None else [round(-inside[0], 2), round(-inside[1], 2), round(inside[2], 2)],
    }


def _difference(current: float | None, prior: float | None) -> float | None:
    return None if current is None or prior is None else _rounded(current - prior)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 3) + 0.0
