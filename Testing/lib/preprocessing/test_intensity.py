"""Grey values of a recipe: window, levels and z-score."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from CovidSegLib.preprocessing import grey_statistics, keep_near, scale_window, standardise
from CovidSegLib.recipe import Intensity
from CovidSegLib.volume import AIR_HU

WINDOW = (-1000.0, 200.0)


def test_a_window_becomes_the_range_from_0_to_1() -> None:
    scaled = scale_window(torch.tensor([-2000.0, -1000.0, -300.0, 400.0, 3000.0]), (-1000, 400))
    torch.testing.assert_close(scaled, torch.tensor([0.0, 0.0, 0.5, 1.0, 1.0]))


def test_grey_levels_are_evenly_spaced_and_include_both_ends() -> None:
    grey = standardise(torch.tensor([0.0, 0.2, 0.3, 0.7, 0.8, 1.0]), Intensity(WINDOW, grey_levels=3))
    torch.testing.assert_close(grey, torch.tensor([0.0, 0.0, 0.5, 0.5, 1.0, 1.0]))
    unchanged = torch.tensor([0.0, 0.123, 1.0])
    torch.testing.assert_close(standardise(unchanged, Intensity(WINDOW)), unchanged)


def test_statistics_are_those_of_the_grey_values_and_not_of_the_hu(rng: np.random.Generator) -> None:
    hu = rng.uniform(-1500, 700, 500)
    grey = np.clip((hu + 1000) / 1200, 0, 1)
    pixels = torch.from_numpy(hu)
    assert grey_statistics(pixels, Intensity(WINDOW)) is None
    statistics = grey_statistics(pixels, Intensity(WINDOW, zscore=True))
    assert statistics == pytest.approx((grey.mean(), grey.std(ddof=1)))
    levels = grey_statistics(pixels, Intensity(WINDOW, grey_levels=2, zscore=True))
    assert levels == pytest.approx((np.rint(grey).mean(), np.rint(grey).std(ddof=1)))
    standard = standardise(scale_window(pixels, WINDOW), Intensity(WINDOW, zscore=True), statistics)
    assert (float(standard.mean()), float(standard.std())) == pytest.approx((0, 1), abs=1e-6)


def test_a_scan_of_one_value_is_not_divided_by_zero() -> None:
    intensity = Intensity(WINDOW, zscore=True)
    assert grey_statistics(torch.full((8,), 200.0), intensity) == (1.0, 1e-6)


def test_beyond_the_margin_of_the_mask_there_is_air() -> None:
    """The margin is in pixels within the slice; other slices are not near."""
    pixels, mask = np.zeros((3, 9, 9), np.float32), np.zeros((3, 9, 9))
    mask[1, 4, 4] = 2  # the left lung
    kept = keep_near(pixels, mask, 2)
    assert (kept[1, 2:7, 2:7] == 0).all()
    assert (kept == 0).sum() == 25
    assert (kept[kept != 0] == AIR_HU).all()
    assert (keep_near(pixels, mask, 0) == 0).sum() == 1
    assert (keep_near(pixels, mask, 1) == 0).sum() == 9
