"""Slice-level results on whole scans."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.masked_patients import SHAPE, segmented

from CovidSegLib.evaluation import whole_scans
from CovidSegLib.models import Model
from CovidSegLib.volume import Grid, Volume

DIRECTIONS = {"from the feet": (1, 0, 0, 0, 1, 0, 0, 0, 1), "from the head": (1, 0, 0, 0, 1, 0, 0, 0, -1)}


@pytest.mark.parametrize("stored", DIRECTIONS)
def test_slices_are_numbered_from_the_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored: str) -> None:
    """From the head, slices 0, 1 and 2 are infected; 1, 2 and 5 are predicted."""
    facts = {"p1": {"diagnosis": "COVID-19", "infected_slices": [0, 1, 2]}}
    facts["n1"] = {"diagnosis": "normal", "infected_slices": []}
    facts["p2"] = {"diagnosis": "CAP", "infected_slices": [9]}  # not evaluated
    (tmp_path / "labels.json").write_text(json.dumps({"cases": facts}))
    grid = Grid(SHAPE, (10.0, 10.0, 20.0), direction=tuple(map(float, DIRECTIONS[stored])))
    from_head = (1, 2, 5)
    prediction = segmented(grid, *(from_head if stored == "from the head" else [5 - z for z in from_head]))
    monkeypatch.setattr(whole_scans, "read_volume", lambda path: Volume(np.zeros(SHAPE, np.int16), grid))
    monkeypatch.setattr(whole_scans, "segment", lambda volume, model, **options: prediction)
    results = whole_scans.evaluate_whole_scans(tmp_path, Model(Path("nowhere"), {}), ["p1", "n1"])
    assert results == {
        "p1": {
            "diagnosis": "COVID-19",
            "sensitivity": 0.667,
            "specificity": 0.667,
            "involvement_percent": 5.0,
            "lungs_ml": 240,
        },
        "n1": {
            "diagnosis": "normal",
            "sensitivity": None,
            "specificity": 0.5,
            "involvement_percent": 5.0,
            "lungs_ml": 240,
        },
    }
