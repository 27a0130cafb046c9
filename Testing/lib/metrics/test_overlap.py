"""Overlap metrics agree with MONAI on random masks and with values computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.metrics import compute_confusion_matrix_metric, compute_dice, compute_iou, get_confusion_matrix
from support.mask_pairs import EMPTY, random_pair

from CovidSegLib.metrics.overlap import ConfusionMatrix


@pytest.mark.parametrize("seed", range(8))
def test_overlap_agrees_with_monai(seed: int) -> None:
    prediction, target = random_pair(seed)
    confusion = ConfusionMatrix.of(prediction, target)
    tensors = [torch.from_numpy(mask)[None, None].float() for mask in (prediction, target)]
    assert confusion.dice == pytest.approx(compute_dice(*tensors).item())
    assert confusion.iou == pytest.approx(compute_iou(*tensors).item())
    matrix = get_confusion_matrix(*tensors)
    assert matrix.flatten().tolist() == [
        confusion.true_positive,
        confusion.false_positive,
        confusion.true_negative,
        confusion.false_negative,
    ]
    for name in ("sensitivity", "specificity", "precision", "accuracy"):
        assert getattr(confusion, name) == pytest.approx(compute_confusion_matrix_metric(name, matrix).item())


def test_overlap_of_known_masks() -> None:
    prediction, target = (np.array(mask, dtype=bool) for mask in ([1, 1, 1, 0, 0, 0, 0, 0], [1, 0, 0, 1, 0, 0, 0, 0]))
    confusion = ConfusionMatrix.of(prediction, target)
    assert confusion == ConfusionMatrix(true_positive=1, false_positive=2, false_negative=1, true_negative=4)
    assert (confusion.dice, confusion.iou) == (2 / 5, 1 / 4)
    assert (confusion.sensitivity, confusion.precision) == (1 / 2, 1 / 3)
    assert (confusion.specificity, confusion.accuracy) == (4 / 6, 5 / 8)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2), st.integers(1, 50))
def test_matrices_of_slice_ranges_add_up_to_that_of_all_slices(pairs: list[tuple[bool, bool]], cut: int) -> None:
    prediction, target = np.array(pairs).T
    first, second = (ConfusionMatrix.of(prediction[part], target[part]) for part in (np.s_[:cut], np.s_[cut:]))
    assert first + second == ConfusionMatrix.of(prediction, target)


def test_slices_with_a_voxel_are_positive() -> None:
    prediction, target = np.zeros((2, 5, 3, 3), dtype=bool)
    prediction[[0, 1, 2], 1, 1] = True
    target[[1, 2, 3], 2] = True
    assert ConfusionMatrix.of_slices(prediction, target) == ConfusionMatrix(2, 1, 1, 1)


def test_masks_of_different_shapes_are_rejected() -> None:
    with pytest.raises(ValueError, match=r"\(3, 4, 5\) and \(2, 4, 5\)"):
        ConfusionMatrix.of(EMPTY, EMPTY[:2])


def test_accuracy_of_nothing_is_undefined() -> None:
    assert math.isnan(ConfusionMatrix().accuracy)
