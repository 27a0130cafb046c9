"""All metrics of a case: values for empty and perfect masks, volumes, and sums of slice ranges."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.mask_pairs import BLOCK, EMPTY, SPACING, random_pair

from CovidSegLib.metrics.measurement import METRICS, Measurement, metrics_for
from CovidSegLib.volume import AxialSpacing

NAN = math.nan
#: Value of each metric if both masks are empty, if only the prediction is, and if only the target is.
EMPTY_MASK_VALUES = {
    "dice": (1, 0, 0),
    "iou": (1, 0, 0),
    "sensitivity": (NAN, 0, NAN),
    "specificity": (1, 1, 0.9),
    "precision": (NAN, NAN, 0),
    "accuracy": (1, 0.9, 0.9),
    "nsd_1mm": (1, 0, 0),
    "nsd_3mm": (1, 0, 0),
    "hd95_mm": (0, NAN, NAN),
    "volume_error_percent": (0, 100, NAN),
    "lesion_f1": (1, 0, 0),
    "slice_sensitivity": (NAN, 0, NAN),
    "slice_specificity": (1, 1, 2 / 3),
    "calibration_error": (NAN, NAN, NAN),
}


def values(prediction: np.ndarray, target: np.ndarray) -> dict[str, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return Measurement.of(prediction, target, AxialSpacing(10.0, 10.0, 10.0)).values()


def test_empty_masks_have_the_documented_values() -> None:
    both, missed, false = values(EMPTY, EMPTY), values(EMPTY, BLOCK), values(BLOCK, EMPTY)
    assert list(both) == list(METRICS)
    assert EMPTY_MASK_VALUES.keys() == METRICS.keys()
    for key, expected in EMPTY_MASK_VALUES.items():
        assert (both[key], missed[key], false[key]) == pytest.approx(expected, nan_ok=True), key
    assert math.isnan(values(~EMPTY, ~EMPTY)["specificity"])


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000))
def test_no_prediction_scores_better_than_the_target_itself(seed: int) -> None:
    prediction, target = random_pair(seed)
    best = values(target, target)
    assert {key: value for key, value in best.items() if value != 1} == {
        "hd95_mm": 0,
        "volume_error_percent": 0,
        "calibration_error": pytest.approx(math.nan, nan_ok=True),  # no probabilities were given
        **({"slice_specificity": pytest.approx(math.nan, nan_ok=True)} if target.any(axis=(1, 2)).all() else {}),
    }
    for key, value in values(prediction, target).items():
        if key in ("hd95_mm", "volume_error_percent"):
            assert value >= 0
        else:
            assert 0 <= value <= 1 or math.isnan(value)


def test_volumes_and_their_error() -> None:
    prediction = BLOCK.copy()
    prediction[1, 1, 1:3] = False
    measurement = Measurement.of(prediction, BLOCK, AxialSpacing(10.0, 10.0, 5.0))
    assert (measurement.prediction_ml, measurement.target_ml) == pytest.approx((2.0, 3.0))
    assert measurement.volume_error_percent == pytest.approx(100 / 3)
    assert Measurement.of(BLOCK, prediction, AxialSpacing(10.0, 10.0, 5.0)).volume_error_percent == pytest.approx(50)


def test_a_case_of_two_slice_ranges() -> None:
    """Counts are summed and distances pooled."""
    first, second = (Measurement.of(*random_pair(seed), SPACING, open_ends=True) for seed in (1, 2))
    both = first + second
    assert both.voxels == first.voxels + second.voxels
    assert both.slices == first.slices + second.slices
    assert both.lesions == first.lesions + second.lesions
    for direction in ("prediction_to_target", "target_to_prediction"):
        sizes = [getattr(one.surface, direction).size for one in (first, second, both)]
        assert sizes[2] == sizes[0] + sizes[1]
    assert (both.prediction_ml, both.target_ml) == pytest.approx(
        (first.prediction_ml + second.prediction_ml, first.target_ml + second.target_ml)
    )
    open_ends, closed_ends = first.surface, Measurement.of(*random_pair(1), SPACING).surface
    assert open_ends.target_to_prediction.size < closed_ends.target_to_prediction.size


def test_without_masks_nothing_is_measured() -> None:
    assert not Measurement().is_measured
    assert all(map(math.isnan, Measurement().values().values()))
    assert Measurement.of(EMPTY, EMPTY, SPACING).is_measured


def test_the_lungs_have_no_lesion_metrics() -> None:
    assert set(metrics_for("infection")) == set(METRICS)
    assert set(METRICS) - set(metrics_for("lungs")) == {
        "lesion_f1",
        "slice_sensitivity",
        "slice_specificity",
        "calibration_error",
    }
