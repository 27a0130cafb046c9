"""Calibration is counted within the lungs, and its error follows the definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from support.calibrations import random_calibration

from CovidSegLib.metrics.calibration import BINS, Calibration


def test_perfectly_calibrated_probabilities_have_no_error(rng: np.random.Generator) -> None:
    assert random_calibration(rng).error < 0.005
    # 0.3 everywhere, except for the three most probable tenths, of which no more than all can be infected.
    assert random_calibration(rng, bias=0.3).error == pytest.approx(0.3 - 0.3**2 / 2, abs=0.005)


def test_the_error_of_known_voxels() -> None:
    """Of four voxels at 0.2 one is infected, of one at 1 none: (4 |1/4 - 1/5| + 1 |0 - 1|) / 5. One is not lung."""
    probability = np.array([51, 51, 51, 51, 255, 102], np.uint8)
    infection = np.array([1, 0, 0, 0, 0, 1], bool)
    lungs = np.array([1, 1, 1, 1, 1, 0], bool)
    calibration = Calibration.of(probability, infection, lungs)
    assert calibration.error == pytest.approx((4 * 0.05 + 1) / 5)
    assert [tuple(each) for each in calibration.bins()] == [
        pytest.approx((0.8, 0.2, 0.25)),
        pytest.approx((0.2, 1.0, 0.0)),
    ]


def test_bins_have_equal_widths_and_contain_every_voxel_once() -> None:
    one_voxel_each = Calibration(np.ones(256, np.int64), np.zeros(256, np.int64))
    bins = one_voxel_each.bins()
    assert len(bins) == BINS and sum(each.share for each in bins) == pytest.approx(1)
    for number, each in enumerate(bins):
        assert number / BINS <= each.probability <= (number + 1) / BINS
        assert round(each.share * 256) in (17, 18)


def test_calibrations_of_slice_ranges_are_added(rng: np.random.Generator) -> None:
    first, second = random_calibration(rng), random_calibration(rng, 0.2)
    assert ((first + second).voxels == first.voxels + second.voxels).all()
    assert first.error < (first + second).error < second.error


def test_without_voxels_the_error_is_undefined() -> None:
    assert math.isnan(Calibration().error) and Calibration().bins() == []


def test_nothing_counted_is_whole_numbers_too() -> None:
    """They are written to calibration.json as they are."""
    empty = Calibration()
    assert empty.voxels.dtype.kind == empty.infected.dtype.kind == "i"
    assert math.isnan(empty.error)
