"""The comparison as JSON."""

from __future__ import annotations

import json

import pytest
from support.follow_ups import compared

from CovidSegLib.followup import CHANGES, report_of
from CovidSegLib.followup.report import SCHEMA


def test_content(monkeypatch: pytest.MonkeyPatch) -> None:
    report = report_of(compared(monkeypatch))
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert report["schema"] == SCHEMA and report["days"] == 31
    assert report["prior"]["date"] == "2020-03-02"
    assert report["current"]["provenance"]["model"]["name"] == "demo"
    assert report["registration"] == {"lung_dice": 0.97, "lung_dice_before": 0.9, "covered_percent": 100}
    lesions = report["lesions"]
    assert lesions["count"] == dict(zip(CHANGES, (1, 1, 1, 0, 1, 0), strict=True))
    new = next(lesion for lesion in lesions["list"] if lesion["change"] == "new")
    assert (new["prior_ml"], new["current_ml"], new["difference_ml"], new["difference_percent"]) == (
        0,
        0.512,
        0.512,
        None,
    )
    assert (new["lung"], new["zone"], new["current_parts"], new["prior_parts"]) == ("left", "upper", 1, 0)
    right, anterior, superior = new["inside_ras_mm"]
    assert right == pytest.approx(-20, abs=4) and anterior == pytest.approx(-70, abs=6)
    assert superior == pytest.approx(-860, abs=6)
    assert [lesion["number"] for lesion in lesions["list"]] == [1, 2, 3, 4]
    regions = {region["region"]: region for region in report["regions"]}
    assert regions["both lungs"]["difference"]["infection_ml"] == pytest.approx(1.0 - 0.512)
    assert regions["right upper zone"]["current"]["involvement_percent"] == 0


def test_without_dates(monkeypatch: pytest.MonkeyPatch) -> None:
    report = report_of(compared(monkeypatch), dates=False)
    assert "2020" not in json.dumps({**report, "created": ""})
    assert report["days"] == 31 and report["timeline"][0]["days"] == -31


def test_a_lesion_outside_the_current_ct_has_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    follow = compared(monkeypatch)
    lesion = follow.comparison.lesions[0]
    object.__setattr__(lesion, "inside_lps_mm", None)
    assert report_of(follow)["lesions"]["list"][0]["inside_ras_mm"] is None
