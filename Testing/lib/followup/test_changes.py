"""Lesions of two CTs are matched by overlap, also if they merge or split, and their changes are named."""

from __future__ import annotations

import numpy as np
import pytest

from CovidSegLib.followup import CHANGES, Comparison, compare_lesions, lesion_components
from CovidSegLib.volume import Grid, GridSpacing

GRID = Grid((20, 40, 60), GridSpacing(1.0, 1.0, 2.0))


def boxes(*corners: tuple[int, int, int, int]) -> np.ndarray:
    """Boxes of (first column, columns, rows, slices), from row 5 and slice 5."""
    mask = np.zeros(GRID.shape, bool)
    for column, columns, rows, slices in corners:
        mask[5 : 5 + slices, 5 : 5 + rows, column : column + columns] = True
    return mask


def components(infection: np.ndarray) -> tuple[np.ndarray, dict[int, float]]:
    """The components of an infection, in one lung."""
    return lesion_components(np.ones(GRID.shape, np.uint8), infection, GRID.voxel_ml)


def compare(current: np.ndarray, prior: np.ndarray, covered: np.ndarray | None = None) -> Comparison:
    """Compare two masks on the same grid."""
    return compare_lesions(*components(current), *components(prior), GRID, covered)


def test_each_kind_of_change() -> None:
    current = boxes((2, 5, 10, 5), (12, 8, 10, 5), (24, 5, 10, 5), (36, 3, 10, 5))
    prior = boxes((12, 5, 10, 5), (24, 5, 10, 5), (36, 5, 10, 5), (50, 5, 10, 5))
    comparison = compare(current, prior)
    assert sorted(lesion.change for lesion in comparison.lesions) == sorted(CHANGES[:5])
    by_change = {lesion.change: lesion for lesion in comparison.lesions}
    assert by_change["new"].prior_ml == by_change["resolved"].current_ml == 0
    assert by_change["grown"].difference_ml == pytest.approx(0.3)
    assert by_change["shrunken"].difference_ml == pytest.approx(-0.2)
    middle, before = comparison.labels[7, 10], comparison.prior_labels[7, 10]
    assert [CHANGES[middle[x] - 1] for x in (4, 14, 26, 37, 52)] == ["new", "grown", "stable", "shrunken", "resolved"]
    assert [CHANGES[before[x] - 1] for x in (14, 26, 37, 40, 52)] == [
        "grown",
        "stable",
        "shrunken",
        "shrunken",
        "resolved",
    ]
    assert before[4] == middle[40] == 0


@pytest.mark.parametrize(
    ("factor", "change"), [(1.24, "stable"), (1.25, "grown"), (0.76, "stable"), (0.75, "shrunken")]
)
def test_the_limit_is_a_quarter_of_the_volume(factor: float, change: str) -> None:
    infection = boxes((10, 10, 10, 10))
    labels, volumes = components(infection)
    (lesion,) = compare_lesions(labels, volumes, labels, {1: volumes[1] / factor}, GRID).lesions
    assert lesion.change == change
    assert lesion.difference_percent == pytest.approx(100 * (factor - 1))


def test_a_lesion_that_splits_or_merges_is_one() -> None:
    one, two = boxes((10, 20, 10, 5)), boxes((10, 8, 10, 5), (22, 8, 10, 5))
    (split,) = compare(two, one).lesions
    assert (len(split.current), len(split.prior)) == (2, 1)
    (merged,) = compare(one, two).lesions
    assert (len(merged.current), len(merged.prior)) == (1, 2)
    assert merged.prior_ml == pytest.approx(split.current_ml)


def test_a_small_error_of_the_registration_does_not_make_two_lesions_of_one() -> None:
    (lesion,) = compare(boxes((10, 5, 10, 5)), boxes((17, 5, 10, 5))).lesions  # a gap of 2 mm
    assert lesion.change == "stable"
    assert len(compare(boxes((10, 5, 10, 5)), boxes((20, 5, 10, 5))).lesions) == 2


def test_specks_are_left_out_but_what_grew_from_one_is_not() -> None:
    assert not compare(boxes((10, 2, 2, 2)), boxes((30, 2, 2, 2))).lesions
    (lesion,) = compare(boxes((10, 8, 10, 5)), boxes((12, 2, 2, 2))).lesions
    assert lesion.change == "grown"


def test_a_lesion_is_named_by_a_point_inside_it() -> None:
    infection = boxes((10, 7, 9, 5))
    (lesion,) = compare(infection, boxes()).lesions
    x, y, z = (round(mm / step) for mm, step in zip(lesion.inside_lps_mm, GRID.spacing, strict=True))
    assert infection[z, y, x]
    assert x == 13, "the middle of the shortest side"


def test_nothing_in_either_ct() -> None:
    comparison = compare(boxes(), boxes())
    assert comparison.lesions == () and not comparison.labels.any()
    assert not comparison.prior_labels.any()


def test_infection_in_both_lungs_is_two_lesions() -> None:
    lungs = np.ones(GRID.shape, np.uint8)
    lungs[:, :, 15:] = 2
    labels, volumes = lesion_components(lungs, boxes((10, 10, 10, 5)), GRID.voxel_ml)
    assert volumes == {1: pytest.approx(0.5), 2: pytest.approx(0.5)}
    assert labels[7, 10, 14] == 1 and labels[7, 10, 15] == 2
    assert len(compare_lesions(labels, volumes, *lesion_components(lungs, boxes(), 1.0), GRID).lesions) == 2


def test_a_lesion_where_the_prior_ct_has_no_voxels_is_not_new() -> None:
    covered = np.ones(GRID.shape, bool)
    covered[:, :, 30:] = False
    changes = {
        lesion.current: lesion.change
        for lesion in compare(boxes((5, 5, 9, 9), (40, 5, 9, 9)), boxes(), covered).lesions
    }
    assert changes == {(1,): "new", (2,): "not covered"}


def test_a_lesion_outside_the_current_ct_has_not_resolved() -> None:
    labels, volumes = components(boxes((10, 8, 9, 9)))
    none = components(boxes())
    (lesion,) = compare_lesions(*none, labels, {1: 3 * volumes[1]}, GRID).lesions
    assert lesion.change == "not covered"
    (lesion,) = compare_lesions(*none, np.zeros_like(labels), volumes, GRID).lesions
    assert lesion.change == "not covered" and lesion.inside_lps_mm is None
    (lesion,) = compare_lesions(*none, labels, volumes, GRID).lesions
    assert lesion.change == "resolved" and lesion.inside_lps_mm is not None
