"""The metrics against MONAI's on random masks, and against masks whose numbers are known."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.metrics import (
    compute_confusion_matrix_metric,
    compute_dice,
    compute_hausdorff_distance,
    compute_iou,
    compute_surface_dice,
    get_confusion_matrix,
)
from scipy.ndimage import gaussian_filter

from CovidSegLib.metrics.lesion_detection import LesionCounts
from CovidSegLib.metrics.measurement import METRICS, Measurement, metrics_of
from CovidSegLib.metrics.overlap import ConfusionMatrix
from CovidSegLib.metrics.surface_distance import SurfaceDistances

SPACING = (5.0, 0.7, 0.9)
NOTHING = np.zeros((3, 4, 5), dtype=bool)
SOMETHING = NOTHING.copy()
SOMETHING[1, 1:3, 1:4] = True


def blobs(seed: int, shape: tuple[int, int, int] = (9, 20, 24)) -> tuple[np.ndarray, np.ndarray]:
    """Two masks of several pieces that overlap in part, some of them at the border of the array."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=shape)
    found, true = (gaussian_filter(shared + rng.normal(size=shape), (0.8, 2, 2)) > 0.15 for _ in range(2))
    assert (found & true).any()
    assert (found & ~true).any()
    assert (~found & true).any()
    return found, true


def tensors(*masks: np.ndarray) -> list[torch.Tensor]:
    """As MONAI takes them: (batch, channel, z, y, x)."""
    return [torch.from_numpy(mask)[None, None].float() for mask in masks]


SEEDS = pytest.mark.parametrize("seed", range(8))


# Overlap


@SEEDS
def test_overlap_is_that_of_monai(seed: int) -> None:
    found, true = blobs(seed)
    counts, pair = ConfusionMatrix.of(found, true), tensors(found, true)
    assert counts.dice == pytest.approx(compute_dice(*pair).item())
    assert counts.iou == pytest.approx(compute_iou(*pair).item())
    matrix = get_confusion_matrix(*pair)
    assert matrix.flatten().tolist() == [
        counts.true_positive,
        counts.false_positive,
        counts.true_negative,
        counts.false_negative,
    ]
    for name in ("sensitivity", "specificity", "precision", "accuracy"):
        assert getattr(counts, name) == pytest.approx(compute_confusion_matrix_metric(name, matrix).item())


def test_overlap_of_known_masks() -> None:
    found, true = (np.array(mask, dtype=bool) for mask in ([1, 1, 1, 0, 0, 0, 0, 0], [1, 0, 0, 1, 0, 0, 0, 0]))
    counts = ConfusionMatrix.of(found, true)
    assert counts == ConfusionMatrix(true_positive=1, false_positive=2, false_negative=1, true_negative=4)
    assert (counts.dice, counts.iou) == (2 / 5, 1 / 4)
    assert (counts.sensitivity, counts.precision) == (1 / 2, 1 / 3)
    assert (counts.specificity, counts.accuracy) == (4 / 6, 5 / 8)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2), st.integers(1, 50))
def test_counts_of_runs_of_slices_are_those_of_all_slices_together(pairs: list[tuple[bool, bool]], cut: int) -> None:
    found, true = np.array(pairs).T
    assert ConfusionMatrix.of(found[:cut], true[:cut]) + ConfusionMatrix.of(
        found[cut:], true[cut:]
    ) == ConfusionMatrix.of(found, true)


def test_slices_that_hold_a_voxel_count() -> None:
    found, true = np.zeros((2, 5, 3, 3), dtype=bool)
    found[[0, 1, 2], 1, 1] = True
    true[[1, 2, 3], 2] = True
    assert ConfusionMatrix.of_slices(found, true) == ConfusionMatrix(2, 1, 1, 1)


@pytest.mark.parametrize("measure", [ConfusionMatrix.of, lambda a, b: SurfaceDistances.of(a, b, SPACING)])
def test_masks_of_two_shapes_are_refused(measure) -> None:
    with pytest.raises(ValueError, match=r"\(3, 4, 5\) and \(2, 4, 5\)"):
        measure(NOTHING, NOTHING[:2])


# Surfaces


@SEEDS
@pytest.mark.parametrize("spacing", [SPACING, (1.0, 1.0, 1.0), (2.0, 3.0, 0.5)])
def test_surface_distances_are_those_of_monai(seed: int, spacing: tuple[float, float, float]) -> None:
    found, true = blobs(seed)
    surface, pair = SurfaceDistances.of(found, true, spacing), tensors(found, true)
    for tolerance in (0.5, 1.0, 3.0, 5.0):
        theirs = compute_surface_dice(*pair, [tolerance], include_background=True, spacing=spacing)
        assert surface.dice(tolerance) == pytest.approx(theirs.item(), abs=1e-6)
    for percentile in (95.0, 100.0, 60.0):
        theirs = compute_hausdorff_distance(*pair, include_background=True, percentile=percentile, spacing=spacing)
        assert surface.hausdorff(percentile) == pytest.approx(theirs.item(), rel=1e-5)


def test_surfaces_a_known_distance_apart() -> None:
    """Two slabs, one of them 3 voxels deeper: the faces are 3 x 0.7 mm apart, the sides nowhere."""
    found, true = np.zeros((2, 3, 12, 4), dtype=bool)
    true[1, 2:5], found[1, 2:8] = True, True
    surface = SurfaceDistances.of(found, true, SPACING)
    assert surface.of_true.size == 12  # a single slice is all surface
    assert surface.hausdorff(100) == pytest.approx(2.1)
    assert surface.dice(2.1 + 1e-9) == 1.0
    assert surface.dice(1.5) == pytest.approx(32 / 36)
    assert surface.dice(0.0) == pytest.approx(24 / 36)


def test_a_mask_that_goes_on_beyond_the_scan_has_no_surface_at_its_ends() -> None:
    """A rod of 5 x 5 voxels through all four slices: 16 of the 25 are its side."""
    rod = np.zeros((4, 9, 9), dtype=bool)
    rod[:, 2:7, 2:7] = True
    assert SurfaceDistances.of(rod, rod, SPACING, open_ends=True).of_true.size == 4 * 16
    assert SurfaceDistances.of(rod, rod, SPACING).of_true.size == 2 * 16 + 2 * 25
    shorter = rod.copy()
    shorter[[0, 3]] = False  # ends within the scan
    assert SurfaceDistances.of(shorter, shorter, SPACING, open_ends=True).of_true.size == 2 * 25
    from_the_feet, from_the_head = rod.copy(), rod.copy()
    from_the_feet[3], from_the_head[0] = False, False
    for one in (from_the_feet, from_the_head):
        assert SurfaceDistances.of(one, one, SPACING, open_ends=True).of_true.size == 2 * 16 + 25


def test_surfaces_of_runs_are_pooled() -> None:
    near, far = SOMETHING, np.roll(SOMETHING, 1, axis=1)
    first, second = SurfaceDistances.of(near, near, SPACING), SurfaceDistances.of(near, far, SPACING)
    both = first + second
    assert both.dice(0.5) == pytest.approx((12 + 6) / 24)
    assert both.hausdorff(100) == pytest.approx(0.7)
    np.testing.assert_array_equal((SurfaceDistances() + second).of_found, second.of_found)


def test_a_run_in_which_one_is_empty_is_infinitely_far() -> None:
    missed = SurfaceDistances.of(NOTHING, SOMETHING, SPACING)
    right = SurfaceDistances.of(SOMETHING, SOMETHING, SPACING)
    assert (missed + right).dice(100.0) == pytest.approx(12 / 18)
    assert math.isnan((missed + right).hausdorff())
    assert (missed + sum([right] * 20, SurfaceDistances())).hausdorff() == 0.0  # less than 5 % of the surface


# Lesions


def test_lesions_found_missed_and_false() -> None:
    """Voxels of 0.05 ml: lesions have two or more."""
    found, true = np.zeros((2, 3, 20, 20), dtype=bool)
    true[1, 1, 1:4] = found[1, 1, 3] = True  # found by a voxel
    true[1, 5, 1:3] = True  # missed
    true[1, 8, 1:3] = found[1, 8, 1:3] = True  # these two are found as one lesion of the result
    true[1, 8, 4:6] = found[1, 8, 3:6] = True
    found[1, 15, 1:4] = True  # false
    true[1, 18, 1] = True  # too small to be missed
    found[1, 18, 10] = True  # too small to be false
    found[1, 1, 8:11] = true[1, 1, 10] = True  # touches what is too small to be a lesion: neither found nor false
    lesions = LesionCounts.of(found, true, 0.05)
    assert lesions == LesionCounts(found=3, missed=1, false=1)
    assert lesions.f1 == pytest.approx(6 / 8)
    assert lesions + lesions == LesionCounts(6, 2, 2)


def test_lesions_touch_by_corners_too() -> None:
    true = np.zeros((3, 4, 4), dtype=bool)
    true[0, 0, 0] = true[1, 1, 1] = True
    assert LesionCounts.of(NOTHING[:3, :4, :4], true, 0.05) == LesionCounts(missed=1)
    true[1, 1, 1], true[2, 2, 2] = False, True
    assert LesionCounts.of(NOTHING[:3, :4, :4], true, 0.05) == LesionCounts()
    assert LesionCounts.of(true, NOTHING[:3, :4, :4], 0.1) == LesionCounts(false=2)


# All of them


def values(found: np.ndarray, true: np.ndarray) -> dict[str, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return Measurement.of(found, true, (10.0, 10.0, 10.0)).values()


def test_empty_masks_are_as_documented() -> None:
    nan = math.nan
    keys = list(METRICS)
    both = values(NOTHING, NOTHING)
    assert list(both) == keys
    assert both == pytest.approx(
        dict(zip(keys, (1, 1, nan, 1, nan, 1, 1, 1, 0, 0, 1, nan, 1, nan), strict=True)), nan_ok=True
    )
    missed = values(NOTHING, SOMETHING)
    assert missed == pytest.approx(
        dict(zip(keys, (0, 0, 0, 1, nan, 0.9, 0, 0, nan, 100, 0, 0, 1, nan), strict=True)), nan_ok=True
    )
    false = values(SOMETHING, NOTHING)
    assert false == pytest.approx(
        dict(zip(keys, (0, 0, nan, 0.9, 0, 0.9, 0, 0, nan, nan, 0, nan, 2 / 3, nan), strict=True)), nan_ok=True
    )
    assert math.isnan(values(~NOTHING, ~NOTHING)["specificity"])
    assert math.isnan(ConfusionMatrix().accuracy)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000))
def test_nothing_is_better_than_the_truth_itself(seed: int) -> None:
    found, true = blobs(seed)
    best = values(true, true)
    assert {key: value for key, value in best.items() if value != 1} == {
        "hd95_mm": 0,
        "volume_error_percent": 0,
        "calibration_error": pytest.approx(math.nan, nan_ok=True),  # no probability was given
        **({"slice_specificity": pytest.approx(math.nan, nan_ok=True)} if true.any(axis=(1, 2)).all() else {}),
    }
    for key, value in values(found, true).items():
        if key in ("hd95_mm", "volume_error_percent"):
            assert value >= 0
        else:
            assert 0 <= value <= 1 or math.isnan(value)


def test_volumes_and_their_error() -> None:
    found = SOMETHING.copy()
    found[1, 1, 1:3] = False
    measured = Measurement.of(found, SOMETHING, (10.0, 10.0, 5.0))
    assert (measured.found_ml, measured.true_ml) == pytest.approx((2.0, 3.0))
    assert measured.volume_error_percent == pytest.approx(100 / 3)
    assert Measurement.of(SOMETHING, found, (10.0, 10.0, 5.0)).volume_error_percent == pytest.approx(50)


def test_a_case_of_two_runs() -> None:
    """ConfusionMatrix add up and distances are pooled, each metric with its own definition of that."""
    first, second = (Measurement.of(*blobs(seed), SPACING, open_ends=True) for seed in (1, 2))
    both = first + second
    assert both.voxels == first.voxels + second.voxels
    assert both.slices == first.slices + second.slices
    assert both.lesions == first.lesions + second.lesions
    assert both.surface.of_true.size == first.surface.of_true.size + second.surface.of_true.size
    assert both.surface.of_found.size == first.surface.of_found.size + second.surface.of_found.size
    assert (both.found_ml, both.true_ml) == pytest.approx(
        (first.found_ml + second.found_ml, first.true_ml + second.true_ml)
    )
    assert first.surface.of_true.size < Measurement.of(*blobs(1), SPACING).surface.of_true.size


def test_lungs_have_no_lesions() -> None:
    assert set(metrics_of("infection")) == set(METRICS)
    assert set(METRICS) - set(metrics_of("lungs")) == {
        "lesion_f1",
        "slice_sensitivity",
        "slice_specificity",
        "calibration_error",
    }
