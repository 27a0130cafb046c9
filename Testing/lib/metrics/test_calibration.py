"""Calibration: counted within the lungs, with an error as defined, and drawn."""

from __future__ import annotations

import math
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from CovidSegLib.evaluation.calibration_plot import draw_reliability
from CovidSegLib.metrics.calibration import BINS, Calibration


def drawn(rng: np.random.Generator, bias: float = 0.0) -> Calibration:
    """Voxels that are infected as often as their probability says, or more often."""
    probability = rng.integers(0, 256, (50, 100, 100)).astype(np.uint8)
    infection = rng.random(probability.shape) < probability / 255 + bias
    return Calibration.of(probability, infection, np.ones(probability.shape, bool))


def test_what_is_so_often_right_as_it_says_has_no_error(rng: np.random.Generator) -> None:
    assert drawn(rng).error < 0.005
    # 0.3 more in all, but for the most probable three tenths, of which there is no more than all.
    assert drawn(rng, bias=0.3).error == pytest.approx(0.3 - 0.3**2 / 2, abs=0.005)


def test_the_error_of_known_voxels() -> None:
    """Of four voxels at 0.2, one infected; of one at 1, none: (4 |1/4 - 1/5| + 1 |0 - 1|) / 5. One more is no lung."""
    probability = np.array([51, 51, 51, 51, 255, 102], np.uint8)
    infection = np.array([1, 0, 0, 0, 0, 1], bool)
    lungs = np.array([1, 1, 1, 1, 1, 0], bool)
    found = Calibration.of(probability, infection, lungs)
    assert found.error == pytest.approx((4 * 0.05 + 1) / 5)
    assert [tuple(each) for each in found.bins()] == [
        pytest.approx((0.8, 0.2, 0.25)),
        pytest.approx((0.2, 1.0, 0.0)),
    ]


def test_bins_are_of_one_width_and_hold_every_voxel_once() -> None:
    every = Calibration(np.ones(256, np.int64), np.zeros(256, np.int64))
    bins = every.bins()
    assert len(bins) == BINS and sum(each.share for each in bins) == pytest.approx(1)
    for number, each in enumerate(bins):
        assert number / BINS <= each.probability <= (number + 1) / BINS
        assert round(each.share * 256) in (17, 18)


def test_runs_of_slices_are_added_up(rng: np.random.Generator) -> None:
    first, second = drawn(rng), drawn(rng, 0.2)
    assert ((first + second).voxels == first.voxels + second.voxels).all()
    assert first.error < (first + second).error < second.error


def test_without_voxels_there_is_no_error() -> None:
    assert math.isnan(Calibration().error) and Calibration().bins() == []


def test_models_are_drawn_together(tmp_path: Path, rng: np.random.Generator) -> None:
    heights = set()
    for number, models in enumerate(
        ({}, {"one": [drawn(rng)]}, {"one": [drawn(rng), drawn(rng)], "two": [drawn(rng, 0.2)]})
    ):
        draw_reliability(tmp_path / f"{number}.png", {**models, "none": [Calibration()]})
        picture = matplotlib.image.imread(tmp_path / f"{number}.png")
        heights.add(picture.shape)
        coloured = np.ptp(picture[..., :3], axis=-1) > 0.3
        assert bool(coloured.any()) == bool(models)
    assert len(heights) == 1
