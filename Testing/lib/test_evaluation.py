"""How masks and slices are counted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from CovidSegLib.evaluation import __main__ as evaluation
from CovidSegLib.models import Model
from CovidSegLib.segmentation import Segmentation
from CovidSegLib.volume import Grid, Volume

MODEL = Model(Path("nowhere"), {"trained_on": ["p1"]})


SHAPE = (6, 4, 5)
DIRECTIONS = {"from the feet": (1, 0, 0, 0, 1, 0, 0, 0, 1), "from the head": (1, 0, 0, 0, 1, 0, 0, 0, -1)}


def segmented(grid: Grid, *infected: int) -> Segmentation:
    """Everything is lung; two voxels are infected in each of these slices of the array."""
    infection = np.zeros(SHAPE, bool)
    infection[list(infected), 1, :2] = True
    return Segmentation(np.ones(SHAPE, np.uint8), infection, np.zeros(SHAPE, np.uint8), grid)


@pytest.mark.parametrize("stored", DIRECTIONS)
def test_slices_of_whole_scans_are_counted_from_the_head(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored: str
) -> None:
    """Infected are 0, 1 and 2 from the head; found are 1, 2 and 5."""
    facts = {"p1": {"diagnosis": "COVID-19", "infected_slices": [0, 1, 2]}}
    facts["n1"] = {"diagnosis": "normal", "infected_slices": []}
    facts["p2"] = {"diagnosis": "CAP", "infected_slices": [9]}  # is not asked for
    (tmp_path / "labels.json").write_text(json.dumps({"cases": facts}))
    grid = Grid(SHAPE, (10.0, 10.0, 20.0), direction=tuple(map(float, DIRECTIONS[stored])))
    from_head = (1, 2, 5)
    found = segmented(grid, *(from_head if stored == "from the head" else [5 - z for z in from_head]))
    monkeypatch.setattr(evaluation, "read_volume", lambda path: Volume(np.zeros(SHAPE, np.int16), grid))
    monkeypatch.setattr(evaluation, "segment", lambda volume, model: found)
    results = evaluation.evaluate_whole_scans(tmp_path, MODEL, ["p1", "n1"])
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


def test_masks_are_measured_by_patient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs of slices of one patient are added up; single slices and other patients are left out."""
    grid = Grid(SHAPE)
    true = {"p1_a": segmented(grid, 0, 1), "p1_b": segmented(grid, 2)}
    for name, truth in true.items():
        for kind, array in (("ct", truth.lungs), ("lung", truth.lungs), ("infection", truth.infection)):
            sitk.WriteImage(grid.to_image(array.astype(np.int16)), str(tmp_path / f"{name}_{kind}.nii.gz"))
    index = [{"name": name, "patient": "p1", "slices": 6} for name in true]
    index += [{"name": "p1_c", "patient": "p1", "slices": 1}, {"name": "p2_a", "patient": "p2", "slices": 6}]
    (tmp_path / "index.json").write_text(json.dumps(index))
    monkeypatch.setattr(evaluation, "segment", lambda volume, model: segmented(grid, 1, 2, 3))
    results = evaluation.evaluate_masks(tmp_path, MODEL, ["p1"])
    # Slices found: 3 and 3; true: 2 and 1; both: 1 and 1.
    assert results == {"p1": {"lungs": 1.0, "infection": pytest.approx(4 / 9, abs=1e-4)}}


def test_the_tables_say_what_was_seen_in_training() -> None:
    scan = {"diagnosis": "normal", "sensitivity": None, "specificity": 0.5, "involvement_percent": 5.0, "lungs_ml": 240}
    masks = {"p2": {"lungs": 0.9, "infection": 0.5}, "p1": {"lungs": 1.0, "infection": 0.6}}
    lines = evaluation._markdown({"masks": masks, "whole_scans": {"n1": scan, "p1": scan}}, MODEL).splitlines()
    assert lines[2:5] == ["| p1 | 1.000 | 0.600 | yes |", "| p2 | 0.900 | 0.500 | no |", "| mean | 0.950 | 0.550 | |"]
    assert lines[-2:] == ["| n1 | - | 0.5 | 5.0 | 240 | no |", "| p1 | - | 0.5 | 5.0 | 240 | its clean slices |"]
