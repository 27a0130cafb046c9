"""The shipped model on whole real scans, against the radiologists' slice labels."""

from pathlib import Path

import numpy as np
import pytest

import CovidSegLib
from CovidSegLib import models
from CovidSegLib.evaluation.whole_scans import evaluate_whole_scans
from CovidSegLib.pipeline import segment
from CovidSegLib.preprocessing import AxialView
from CovidSegLib.reading import read_volume

#: Of the cross-validation, the training that has not seen cap001.
WITHOUT_CAP001 = Path(CovidSegLib.__file__).parents[1] / "Resources" / "CrossValidation" / "fold-2"
#: What a reader sees in cap001: slices from the feet, rows, columns.
COLON = np.s_[:12, 120:260, 300:430]
TRACHEA = np.s_[116:127, 236:243, 227:234]
CONSOLIDATION = np.s_[98:103, 400:420, 150:170]


@pytest.fixture(scope="module")
def by_scan(shared_data: Path) -> dict[str, dict]:
    return evaluate_whole_scans(shared_data / "covid_ct_md", models.find_model(), ["P001", "normal001"])


def test_infected_slices_are_found_and_clean_ones_left_clean(by_scan: dict[str, dict]) -> None:
    assert by_scan["P001"]["sensitivity"] >= 0.8
    assert by_scan["P001"]["specificity"] >= 0.8


def test_a_normal_scan_has_hardly_any_infection(by_scan: dict[str, dict]) -> None:
    assert by_scan["normal001"]["involvement_percent"] < 1.0


def test_lungs_are_whole(by_scan: dict[str, dict]) -> None:
    """Volumes as an independent, classical segmentation measures them (which looked right to the eye)."""
    assert by_scan["P001"]["lungs_ml"] == pytest.approx(6145, rel=0.03)
    assert by_scan["normal001"]["lungs_ml"] == pytest.approx(3478, rel=0.03)


def test_lungs_hold_no_air_outside_the_chest_and_no_bowel(shared_data: Path) -> None:
    """From apex to base of normal001 each lung is one piece, on its own side."""
    volume = read_volume(shared_data / "covid_ct_md" / "normal001")
    view = AxialView.of(volume.grid)
    lungs = view.apply(segment(volume, models.find_model()).lungs)
    from_head = np.flatnonzero(np.flip((lungs > 0).any(axis=(1, 2))))
    # The thinnest ends of the recesses, a few mm of a few voxels, may be missing.
    assert from_head[0] == pytest.approx(9, abs=3) and from_head[-1] == pytest.approx(143, abs=6)
    middle = volume.grid.shape[2] / 2
    for side, label in ((-1, 1), (1, 2)):
        columns = np.argwhere(lungs == label)[:, 2] - middle
        assert (np.sign(columns) == side).mean() > 0.97


def test_of_a_scan_never_seen_the_lungs_hold_its_consolidation_and_neither_colon_nor_trachea(shared_data: Path) -> None:
    run = models.open_model(WITHOUT_CAP001)
    assert "cap001" not in run.seen
    volume = read_volume(shared_data / "covid_ct_md" / "cap001")
    view = AxialView.of(volume.grid)
    hu, found = view.apply(volume.array), segment(volume, run)
    lungs, infection = view.apply(found.lungs) > 0, view.apply(found.infection)
    assert (hu[COLON] < -900).mean() > 0.3 and not lungs[COLON].any()
    assert hu[TRACHEA].mean() < -900 and not lungs[TRACHEA].any()
    assert -50 < hu[CONSOLIDATION].mean() < 50 and infection[CONSOLIDATION].mean() > 0.9
