"""Slice-level results on whole scans."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from support import data_layouts
from support.masked_patients import SHAPE, segmented

from CovidSegLib.data import open_data
from CovidSegLib.data.entry import Entry, SliceLabels
from CovidSegLib.errors import NoLungsError
from CovidSegLib.evaluation import whole_scans
from CovidSegLib.models import Model
from CovidSegLib.volume import Grid, Volume

DIRECTIONS = {"from the feet": (1, 0, 0, 0, 1, 0, 0, 0, 1), "from the head": (1, 0, 0, 0, 1, 0, 0, 0, -1)}


@pytest.mark.parametrize("stored", DIRECTIONS)
def test_slices_are_numbered_from_the_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored: str) -> None:
    """From the head, slices 0, 1 and 2 are infected; 1, 2 and 5 are predicted."""
    scans = [
        Entry("p1", "p1", {"ct": tmp_path}, slice_labels=SliceLabels("COVID-19", (0, 1, 2), tmp_path)),
        Entry("n1", "n1", {"ct": tmp_path}, slice_labels=SliceLabels("normal", (), tmp_path)),
    ]
    grid = Grid(SHAPE, (10.0, 10.0, 20.0), direction=tuple(map(float, DIRECTIONS[stored])))
    from_head = (1, 2, 5)
    prediction = segmented(grid, *(from_head if stored == "from the head" else [5 - z for z in from_head]))
    monkeypatch.setattr(whole_scans, "read_volume", lambda path: Volume(np.zeros(SHAPE, np.int16), grid))
    monkeypatch.setattr(whole_scans, "segment", lambda volume, model, **options: prediction)
    results = whole_scans.evaluate_whole_scans(scans, Model(Path("nowhere"), {}))
    assert results == {
        "p1": {
            "diagnosis": "COVID-19",
            "sensitivity": 0.667,
            "specificity": 0.667,
            "involvement_percent": 5.0,
            "infection_ml": 12.0,
            "lungs_ml": 240,
        },
        "n1": {
            "diagnosis": "normal",
            "sensitivity": None,
            "specificity": 0.5,
            "involvement_percent": 5.0,
            "infection_ml": 12.0,
            "lungs_ml": 240,
        },
    }


def test_lungs_are_compared_with_the_mask_of_the_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data_layouts.whole_scans(tmp_path)
    data = open_data(tmp_path)

    def right_lung_only(volume: Volume, model: Model, **options: object) -> SimpleNamespace:
        right = np.flip(data_layouts.SIDES == 2, 0)
        return SimpleNamespace(lungs=right.astype(np.uint8), infection=np.zeros_like(right))

    monkeypatch.setattr(whole_scans, "segment", right_lung_only)
    results = whole_scans.evaluate_whole_scans([data.whole_scan(name) for name in "ab"], Model(Path("nowhere"), {}))
    right, both = np.count_nonzero(data_layouts.SIDES == 2), np.count_nonzero(data_layouts.SIDES)
    assert results["b"]["lungs_dice"] == pytest.approx(2 * right / (right + both), abs=1e-4)
    assert results["b"]["specificity"] == 1.0 and "lungs_dice" not in results["a"]


def test_a_scan_without_lungs_has_no_infection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise NoLungsError("No lungs were found.")

    monkeypatch.setattr(whole_scans, "segment", refuse)
    data_layouts.whole_scans(tmp_path)
    (found,) = whole_scans.evaluate_whole_scans(
        [open_data(tmp_path).whole_scan("a")], Model(Path("nowhere"), {})
    ).values()
    assert (found["lungs_ml"], found["infection_ml"], found["involvement_percent"]) == (0, 0.0, None)
    assert found["specificity"] == 1.0
