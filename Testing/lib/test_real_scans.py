"""The default model on complete real scans, compared with the radiologists' slice labels."""

from pathlib import Path

import numpy as np
import pytest

from CovidSegLib import models
from CovidSegLib.data import open_data
from CovidSegLib.evaluation.whole_scans import evaluate_whole_scans
from CovidSegLib.pipeline import segment
from CovidSegLib.preprocessing import AxialView
from CovidSegLib.reading import read_volume

#: Structures in cap001 as located by a reader: slices from the feet, rows, columns.
COLON = np.s_[:12, 120:260, 300:430]
TRACHEA = np.s_[116:127, 236:243, 227:234]
CONSOLIDATION = np.s_[98:103, 400:420, 150:170]


@pytest.fixture(scope="module")
def by_scan(shared_data: Path) -> dict[str, dict]:
    data = open_data(shared_data / "covid_ct_md")
    return evaluate_whole_scans([data.whole_scan(name) for name in ("P001", "normal001")], models.find_model())


def test_infected_slices_are_detected_and_others_are_not(by_scan: dict[str, dict]) -> None:
    assert by_scan["P001"]["sensitivity"] >= 0.8
    assert by_scan["P001"]["specificity"] >= 0.8


def test_a_normal_scan_has_almost_no_infection(by_scan: dict[str, dict]) -> None:
    assert by_scan["normal001"]["involvement_percent"] < 1.0


def test_the_volume_of_the_lungs(by_scan: dict[str, dict]) -> None:
    """The expected volumes are those of an independent classical segmentation, verified by eye."""
    assert by_scan["P001"]["lungs_ml"] == pytest.approx(6145, rel=0.03)
    assert by_scan["normal001"]["lungs_ml"] == pytest.approx(3478, rel=0.03)


def test_lungs_contain_neither_air_outside_the_chest_nor_bowel(shared_data: Path) -> None:
    """In normal001, the lungs extend from apex to base, each on its side."""
    volume = read_volume(shared_data / "covid_ct_md" / "normal001")
    view = AxialView.of(volume.grid)
    lungs = view.apply(segment(volume, models.find_model()).lungs)
    from_head = np.flatnonzero(np.flip((lungs > 0).any(axis=(1, 2))))
    # The thin ends of the recesses, a few millimetres with few voxels, may be missing.
    assert from_head[0] == pytest.approx(9, abs=3) and from_head[-1] == pytest.approx(143, abs=6)
    middle = volume.grid.shape[2] / 2
    for side, label in ((-1, 1), (1, 2)):
        columns = np.argwhere(lungs == label)[:, 2] - middle
        assert (np.sign(columns) == side).mean() > 0.97


def test_lungs_of_a_scan_never_seen_include_consolidation_but_not_colon_or_trachea(shared_data: Path) -> None:
    model = models.find_model()
    assert "cap001" not in model.seen
    volume = read_volume(shared_data / "covid_ct_md" / "cap001")
    view = AxialView.of(volume.grid)
    hu, result = view.apply(volume.array), segment(volume, model)
    lungs, infection = view.apply(result.lungs) > 0, view.apply(result.infection)
    assert (hu[COLON] < -900).mean() > 0.3 and not lungs[COLON].any()
    assert hu[TRACHEA].mean() < -900 and not lungs[TRACHEA].any()
    assert -50 < hu[CONSOLIDATION].mean() < 50 and infection[CONSOLIDATION].mean() > 0.9
