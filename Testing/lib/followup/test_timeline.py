"""Time points of several comparisons are joined."""

from __future__ import annotations

from typing import Any

import pytest
from support.follow_ups import compared

from CovidSegLib.errors import InputError
from CovidSegLib.followup import report_of
from CovidSegLib.followup.timeline import checked_points, joined, points_of

REGIONS = {"both lungs": {"volume_ml": 1.0, "infection_ml": 0.5, "involvement_percent": 50.0}}


def point(name: str, days: int | None, day: str | None = None) -> dict[str, Any]:
    return {"fingerprint": name, "date": day, "days": days, "regions": REGIONS}


def order(points: list[dict[str, Any]]) -> list[tuple[str, int | None]]:
    return [(point["fingerprint"], point["days"]) for point in points]


def test_the_points_of_a_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    follow = compared(monkeypatch)
    before, now = points_of(follow)
    assert (before["days"], now["days"]) == (-31, 0)
    assert (before["date"], now["date"]) == ("2020-03-02", "2020-04-02")
    assert set(now["regions"]) == {"right lung", "left lung", "both lungs"}
    assert checked_points(report_of(follow)) == [before, now]


def test_comparisons_that_follow_each_other() -> None:
    now = [point("b", -10), point("c", 0)]
    assert order(joined(now, {"first": [point("a", -20), point("b", 0)]})) == [("a", -30), ("b", -10), ("c", 0)]
    chain = {"second": [point("y", -1), point("a", 0)], "first": [point("a", -20), point("b", 0)]}
    assert order(joined(now, chain)) == [("y", -31), ("a", -30), ("b", -10), ("c", 0)]


def test_two_comparisons_with_the_same_ct() -> None:
    assert order(joined([point("b", -10), point("c", 0)], {"other": [point("a", -50), point("c", 0)]})) == [
        ("a", -50),
        ("b", -10),
        ("c", 0),
    ]


def test_dates_place_a_comparison_without_a_common_ct() -> None:
    now = [point("c", -10, "2020-03-21"), point("d", 0, "2020-03-31")]
    before = [point("a", -5, "2020-03-06"), point("b", 0, "2020-03-11")]
    assert order(joined(now, {"first": before})) == [("a", -25), ("b", -20), ("c", -10), ("d", 0)]


def test_without_days_the_order_is_that_of_the_comparisons() -> None:
    now = [point("b", None), point("c", 0)]
    assert order(joined(now, {"first": [point("a", None), point("b", 0)]})) == [("a", None), ("b", None), ("c", 0)]


def test_a_comparison_of_something_else_is_refused() -> None:
    with pytest.raises(InputError, match='"other" has no CT in common'):
        joined([point("b", -10), point("c", 0)], {"other": [point("x", -5), point("y", 0)]})


def test_a_later_ct_is_refused() -> None:
    with pytest.raises(InputError, match="later than the current one"):
        joined([point("a", -10), point("b", 0)], {"other": [point("b", -5), point("c", 0)]})


@pytest.mark.parametrize(
    "report",
    [None, [], {}, {"timeline": []}, {"timeline": [{}]}, {"timeline": [{**point("a", 0), "date": "yesterday"}]}],
)
def test_other_files_are_not_timelines(report: Any) -> None:
    with pytest.raises(ValueError):
        checked_points(report)
