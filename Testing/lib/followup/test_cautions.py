"""What a reader is told before trusting a comparison."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from support.follow_ups import FIRST, current, earlier

from CovidSegLib.followup import Registration, TimePoint
from CovidSegLib.followup.cautions import cautions


def told(
    now: TimePoint | None = None, before: TimePoint | None = None, *, days: int | None = 31, dice: float = 0.97,
    covered: float = 100.0,
) -> list[str]:  # fmt: skip
    registration = Registration(sitk.Transform(), dice, 0.9)
    return list(cautions(now or current(), before or earlier(), days, registration, covered))


def with_source(point: TimePoint, **source: Any) -> TimePoint:
    return replace(point, volume=replace(point.volume, source=source))


def test_nothing_to_say() -> None:
    assert told() == []


def test_fit_and_coverage() -> None:
    assert "fit only roughly (Dice 0.85)" in told(dice=0.85)[0]
    assert "shows only 80 % of the current lungs" in told(covered=80.0)[0]


def test_time() -> None:
    assert "same day" in told(days=0)[0]
    assert "not known" in told(days=None)[0]


def test_breathing() -> None:
    point = current()
    lungs = point.segmentation.lungs.copy()
    lungs[:8] = 0
    shallow = replace(point, segmentation=replace(point.segmentation, lungs=lungs))
    assert any("% less volume" in text for text in told(shallow))
    assert any("% more volume" in text for text in told(before=replace(shallow, date=FIRST)))


def test_reconstruction() -> None:
    thin, thick = (with_source(point, slice_thickness_mm=mm) for point, mm in ((current(), 1.0), (earlier(), 5.0)))
    assert "1.0 mm now and 5.0 mm before" in told(thin, thick)[0]
    sharp, soft = with_source(current(), kernel="B70f"), with_source(earlier(), kernel="B30f")
    assert "B70f now and B30f before" in told(sharp, soft)[0]
    assert told(sharp, earlier()) == []


@pytest.mark.parametrize(
    ("before", "message"),
    [
        ({"model": {"name": "other", "sha256": "cd" * 32}}, "demo now and other before"),
        ({"settings": {"threshold": 0.4}}, "thresholds, 0.5 now and 0.4 before"),
        ({"edited": True}, "masks of the earlier CT were edited"),
    ],
    ids=["model", "threshold", "edited"],
)
def test_masks(before: dict[str, Any], message: str) -> None:
    settings = {"settings": {"threshold": 0.5}}
    (text,) = told(current(**settings), earlier(**{**settings, **before}))
    assert message in text


def test_unknown_models_are_not_called_different() -> None:
    assert told(current(model={}), earlier()) == []
    assert np.isfinite(current().regions[2].volume_ml)
