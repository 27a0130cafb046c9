"""Whole scans for training: lungs, and the slices in which they are known to be free of infection."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support import data_layouts
from support.tiny_case import chest_case

from CovidSegLib.data import clean_slices, open_data
from CovidSegLib.volume import Grid, Volume


def test_infected_slices_and_their_neighbours_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The labels count from the head, and the scan is stored from head to feet."""
    chest = chest_case(slices=20)
    grid = Grid(chest.scan.hu.shape, chest.scan.spacing[::-1], direction=(1, 0, 0, 0, 1, 0, 0, 0, -1))
    volume = Volume(np.ascontiguousarray(chest.scan.hu[::-1]), grid)
    (tmp_path / "labels.json").write_text(json.dumps({"cases": {"p9": {"infected_slices": [6, 7]}}}))
    monkeypatch.setattr(clean_slices, "read_volume", {tmp_path / "p9": volume}.__getitem__)
    case = open_data(tmp_path).clean_slices("p9")
    np.testing.assert_array_equal(case.scan.hu, chest.scan.hu)
    # Slices 2 to 11 from the head are 8 to 17 from the feet.
    assert np.flatnonzero(~case.lungs_known).tolist() == list(range(8, 18))
    assert not case.infection.any()
    assert (case.infection_known == case.lungs_known).all()
    assert (case.lungs & chest.lungs).sum() > 0.9 * (chest.lungs & ~chest.infection).sum()
    assert not case.eight_bit


def test_a_given_mask_is_used_without_its_gas(tmp_path: Path) -> None:
    data_layouts.whole_scans(tmp_path)
    hu = data_layouts.CHEST.scan.hu.copy()
    lungs = np.where(data_layouts.SIDES == 1, 10, np.where(data_layouts.SIDES == 2, 14, 0)).astype(np.uint8)
    colon = np.s_[3, 2:5, 2:5]
    assert not lungs[colon].any()
    lungs[colon], hu[colon] = 10, -1000
    data_layouts.write(tmp_path / "b_ct.nii.gz", hu)
    data_layouts.write(tmp_path / "b_lungs.nii.gz", lungs)
    case = open_data(tmp_path).clean_slices("b")
    np.testing.assert_array_equal(case.lungs, data_layouts.SIDES > 0)
    assert case.lungs_known.all() and not case.infection.any()


def test_slices_whose_lungs_are_cut_off_by_the_edge_are_not_used() -> None:
    chest = chest_case(slices=8)
    assert not clean_slices.cuts_lungs_off(chest.scan).any()
    hu = chest.scan.hu.copy()
    lung, table = np.s_[2, 10:30, :20], np.s_[5, 10:30, :20]
    hu[lung], hu[table] = -800, -890
    hu[2, 9:31, 20] = hu[2, [9, 30], :20] = hu[5, 9:31, 20] = 40
    hu[5, [9, 30], :20] = 40
    assert np.flatnonzero(clean_slices.cuts_lungs_off(replace(chest.scan, hu=hu))).tolist() == [2]


def test_slices_far_from_the_lungs_do_not_train_the_infection(tmp_path: Path) -> None:
    data_layouts.whole_scans(tmp_path)
    shape = (40, *data_layouts.CHEST.scan.hu.shape[1:])
    hu, lungs = np.full(shape, 40, np.int16), np.zeros(shape, np.uint8)
    hu[20:23], lungs[20:23] = data_layouts.CHEST.scan.hu[5:8], np.where(data_layouts.LUNGS[5:8], 10, 0)
    data_layouts.write(tmp_path / "b_ct.nii.gz", hu)
    data_layouts.write(tmp_path / "b_lungs.nii.gz", lungs)
    case = open_data(tmp_path).clean_slices("b")
    assert case.lungs_known.all()
    # 15 mm are five slices.
    assert np.flatnonzero(case.infection_known).tolist() == list(range(15, 28))
