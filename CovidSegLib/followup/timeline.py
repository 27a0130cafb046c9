"""Infection over time: the points of one comparison, joined with those of earlier comparisons of the same patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date as Date
from typing import Any

from ..errors import InputError
from .comparison import FollowUp
from .time_point import TimePoint

#: A time point as JSON: "fingerprint", "date" (ISO) or None, "days" before the current CT (not positive) or None, and
#: "regions" with the volumes and the involvement of the lungs by name.
Point = dict[str, Any]
REGION_NUMBERS = ("volume_ml", "infection_ml", "involvement_percent")


def points_of(follow: FollowUp) -> list[Point]:
    """Return the two time points of a comparison, the earlier one first."""
    days = None if follow.days is None else -follow.days
    return [_point(follow.prior, days), _point(follow.current, 0)]


def joined(points: Sequence[Point], earlier: Mapping[str, Sequence[Point]]) -> list[Point]:
    """Join the points of a comparison with those of earlier ones.

    Args:
        points: From `points_of`.
        earlier: Timelines of earlier comparisons, by the name under which a message mentions them.

    Returns:
        All points, the earliest first, each CT once. Days count from the current CT. If they are not known for all
        points, the order is that of the comparisons.

    Raises:
        InputError: A comparison has no CT in common with the others and no dates, so its place in time is not known; or
            it contains a CT that is later than the current one.
    """
    known = {point["fingerprint"]: point for point in points}
    current = points[-1]
    waiting = dict(earlier)
    while waiting:
        name = next((name for name, line in waiting.items() if _has_place(line, known, current)), None)
        if name is None:
            raise InputError(
                f'The comparison "{next(iter(waiting))}" has no CT in common with these two, and no dates. Leave it '
                "out, or give comparisons that follow each other."
            )
        line = waiting.pop(name)
        shift = _shift(line, known, current)
        moved = [{**point, "days": _sum(point["days"], shift)} for point in line if point["fingerprint"] not in known]
        if any(point["days"] is not None and point["days"] > 0 for point in moved):
            raise InputError(f'The comparison "{name}" contains a CT that is later than the current one. Leave it out.')
        known = {**{point["fingerprint"]: point for point in moved}, **known}
    ordered = list(known.values())
    if all(point["days"] is not None for point in ordered):
        ordered.sort(key=lambda point: point["days"])
    return ordered


def checked_points(report: Any) -> list[Point]:
    """Return the timeline of a report that was read from a file.

    Raises:
        ValueError: It is not the report of a comparison.
    """
    try:
        points = [
            {
                "fingerprint": str(point["fingerprint"]),
                "date": None if point["date"] is None else Date.fromisoformat(point["date"]).isoformat(),
                "days": None if point["days"] is None else int(point["days"]),
                "regions": {
                    str(region): {name: float(numbers[name]) for name in REGION_NUMBERS}
                    for region, numbers in point["regions"].items()
                },
            }
            for point in report["timeline"]
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("not a report of a comparison") from error
    if not points:
        raise ValueError("a comparison without time points")
    return points


def _point(point: TimePoint, days: int | None) -> Point:
    regions = {
        region.name: {name: round(float(getattr(region, name) or 0.0), 3) for name in REGION_NUMBERS}
        for region in point.regions[:3]
    }
    day = point.date.isoformat() if point.date else None
    return {"fingerprint": point.fingerprint, "date": day, "days": days, "regions": regions}


def _has_place(line: Sequence[Point], known: Mapping[str, Point], current: Point) -> bool:
    """Return True if it is known where a timeline belongs: by a common CT or by dates."""
    return any(point["fingerprint"] in known for point in line) or _shift(line, known, current) is not None


def _shift(line: Sequence[Point], known: Mapping[str, Point], current: Point) -> int | None:
    """Return the days to add to those of a timeline, None if they are not known."""
    for point in line:
        there = known.get(point["fingerprint"])
        if there is not None and there["days"] is not None and point["days"] is not None:
            return int(there["days"] - point["days"])
    last = line[-1]
    if last["date"] and current["date"] and last["days"] is not None:
        return (Date.fromisoformat(last["date"]) - Date.fromisoformat(current["date"])).days - int(last["days"])
    return None


def _sum(days: int | None, shift: int | None) -> int | None:
    return None if days is None or shift is None else days + shift
