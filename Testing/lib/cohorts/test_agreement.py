"""Agreement of two readers: Dice, volumes and limits of agreement, whatever part of the CT a file holds."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from support.grids import chest, grid_of

from CovidSegLib.cohorts.agreement import (
    CaseAgreement,
    compare_infections,
    crop_grid,
    summarise_agreement,
    write_agreement,
)
from CovidSegLib.errors import InputError


def dice(first: np.ndarray, second: np.ndarray) -> float:
    return 2 * float((first & second).sum()) / float(first.sum() + second.sum())


def test_masks_in_different_parts_of_the_ct_are_compared_where_they_lie() -> None:
    volume, segmentation = chest()
    first = segmentation.infection
    second = np.roll(first, (1, -2, 3), (0, 1, 2))
    parts = (slice(0, 19), slice(3, 25), slice(2, 40)), (slice(2, 20), slice(0, 27), slice(4, 39))
    cut_first, cut_second = (np.zeros_like(first) for _ in range(2))
    cut_first[parts[0]], cut_second[parts[1]] = first[parts[0]], second[parts[1]]
    grids = [crop_grid(volume.grid, part) for part in parts]
    found = compare_infections("case", first[parts[0]], grids[0], second[parts[1]], grids[1])
    assert found.dice == pytest.approx(dice(cut_first, cut_second))
    assert 0 < found.dice < 1
    assert found.first_ml == pytest.approx(cut_first.sum() * volume.grid.voxel_ml)
    assert found.difference_ml == pytest.approx((int(cut_first.sum()) - int(cut_second.sum())) * volume.grid.voxel_ml)


def test_a_flipped_file_holds_the_same_mask() -> None:
    volume, segmentation = chest()
    grid = volume.grid
    corner = (grid.affine_lps @ [grid.shape[2] - 1, 0, 0, 1])[:3]
    direction = (np.reshape(grid.direction, (3, 3)) @ np.diag([-1, 1, 1])).ravel()
    flipped = type(grid)(grid.shape, grid.spacing, tuple(corner), tuple(direction))
    mask = segmentation.infection
    assert compare_infections("a", mask, grid, mask[:, :, ::-1], flipped).dice == 1


@pytest.mark.parametrize(("first", "second", "expected"), [(0, 0, 1.0), (1, 0, 0.0), (0, 1, 0.0)])
def test_empty_masks(first: int, second: int, expected: float) -> None:
    grid = grid_of((2, 3, 4))
    masks = [np.full(grid.shape, value, bool) for value in (first, second)]
    assert compare_infections("a", masks[0], grid, masks[1], grid).dice == expected


def test_masks_of_another_ct_are_refused() -> None:
    grid, other = grid_of((3, 3, 3)), grid_of((3, 3, 3), (1.3, 1, 1))
    mask = np.ones((3, 3, 3), bool)
    with pytest.raises(InputError, match='both readers of "a"'):
        compare_infections("a", mask, grid, mask, other)


CASES = [
    CaseAgreement("a", 0.8, 12.0, 10.0, ("mild", "mild")),
    CaseAgreement("b", 0.6, 20.0, 24.0, ("mild", "severe")),
    CaseAgreement("c", 1.0, 5.0, 5.0),
]


def test_mean_and_limits_of_agreement() -> None:
    """Bland and Altman 1986: mean of the differences, and 1.96 standard deviations on each side."""
    summary = summarise_agreement(CASES)
    assert summary.dice == pytest.approx(0.8)
    assert summary.bias == pytest.approx(-2 / 3)
    spread = 1.96 * math.sqrt(((2 + 2 / 3) ** 2 + (-4 + 2 / 3) ** 2 + (2 / 3) ** 2) / 2)
    assert (summary.low, summary.high) == (pytest.approx(-2 / 3 - spread), pytest.approx(-2 / 3 + spread))
    assert (summary.count, summary.same_grade, summary.graded) == (3, 1, 2)
    nothing = summarise_agreement([])
    assert nothing.count == 0 and math.isnan(nothing.dice)


def test_the_table_as_csv(tmp_path: Path) -> None:
    path = tmp_path / "agreement.csv"
    write_agreement(path, ("Anna", "Ben"), CASES)
    rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    assert rows[0][:5] == ["case", "dice", "Anna (ml)", "Ben (ml)", "difference (ml)"]
    assert rows[0][5:] == ["grade of Anna", "grade of Ben"]
    assert rows[2] == ["b", "0.6000", "20.000", "24.000", "-4.000", "mild", "severe"]
    assert ["mean", "0.8000", "", "", "-0.667"] in rows
    assert ["same grade", "1 of 2"] in rows
