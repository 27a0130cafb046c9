"""Lung masks by thresholds: close to the target in clean lungs, and without the trachea."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from support.phantoms import dice, phantom_on

from CovidSegLib.data.threshold_lungs import threshold_lungs
from CovidSegLib.phantom import Phantom, default_grid
from CovidSegLib.volume import AxialScan, AxialSpacing, Grid

#: Thin enough for the main bronchi to be followed.
CLEAN = Grid((90, 163, 163), (2.2, 2.2, 3.5), default_grid().origin)
SPACING = AxialSpacing(*CLEAN.spacing[::-1])


@pytest.fixture(scope="module")
def clean() -> Phantom:
    return phantom_on(CLEAN, infected=False)


@pytest.fixture(scope="module")
def lungs(clean: Phantom) -> np.ndarray:
    return threshold_lungs(AxialScan(clean.volume.array, SPACING))


def test_clean_lungs_are_segmented(clean: Phantom, lungs: np.ndarray) -> None:
    assert lungs.dtype == bool
    assert dice(lungs, clean.lungs > 0) > 0.95
    for lung in (1, 2):
        assert lungs[clean.lungs == lung].mean() > 0.95


def test_vessels_belong_to_the_lungs(clean: Phantom, lungs: np.ndarray) -> None:
    deep = ndimage.binary_erosion(clean.lungs > 0, iterations=4)
    vessels = deep & (clean.volume.array > -300)
    assert vessels.sum() > 1000
    assert lungs[vessels].mean() > 0.95


def test_the_trachea_and_the_air_around_the_body_are_excluded(clean: Phantom, lungs: np.ndarray) -> None:
    """The trachea is dark air between the lungs, in front of the spine and above its bifurcation."""
    x = CLEAN.origin[0] + np.arange(CLEAN.shape[2]) * CLEAN.spacing[0]
    z = CLEAN.origin[2] + np.arange(CLEAN.shape[0]) * CLEAN.spacing[2]
    y = CLEAN.origin[1] + np.arange(CLEAN.shape[1]) * CLEAN.spacing[1]
    middle = (np.abs(x) < 12) & (np.abs(y) < 60)[:, None] & ((z > 20) & (z < 60))[:, None, None]
    trachea = middle & (clean.volume.array < -900) & (clean.lungs == 0)
    assert trachea.sum() > 100
    assert lungs[trachea].mean() < 0.05
    assert not lungs[:, [0, -1]].any()
    assert not lungs[:, :, [0, -1]].any()


def test_without_lungs_the_mask_is_empty() -> None:
    rows, columns = np.mgrid[:60, :60]
    water = np.repeat(np.where(np.hypot(rows - 30, columns - 30) < 20, 30, -1000)[None], 6, axis=0)
    assert not threshold_lungs(AxialScan(water.astype(np.int16), AxialSpacing(5.0, 5.0, 5.0))).any()
