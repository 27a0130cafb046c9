"""How far two readers agree on the infection: Dice and volumes by case, mean difference and limits of agreement."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..alignment import onto_grid
from ..errors import InputError
from ..masks import bounding_box
from ..metrics.overlap import ConfusionMatrix
from ..storage.atomic import write_text_atomically
from ..storage.disk_errors import explain_disk_errors
from ..volume import Grid

#: Columns of the table; `{}` is the name of a reader.
COLUMNS = ("case", "dice", "{} (ml)", "{} (ml)", "difference (ml)", "grade of {}", "grade of {}")


@dataclass(frozen=True)
class CaseAgreement:
    """What two readers have made of one case.

    Attributes:
        case_id: The case.
        dice: Dice coefficient of both infections, 0 to 1; 1 if both are empty.
        first_ml: Volume of the infection by the first reader.
        second_ml: The same by the second reader.
        grades: The grades that both have given; empty if they have given none.
    """

    case_id: str
    dice: float
    first_ml: float
    second_ml: float
    grades: tuple[str, str] = ("", "")

    @property
    def difference_ml(self) -> float:
        """First minus second volume."""
        return self.first_ml - self.second_ml


@dataclass(frozen=True)
class ReaderAgreement:
    """The agreement over all cases.

    Attributes:
        count: Number of cases.
        dice: Mean Dice coefficient; NaN without cases.
        bias: Mean of first minus second volume, in ml; NaN without cases.
        low: Lower limit of agreement in ml, within which 95 % of the differences are expected; NaN below two cases.
        high: Upper limit of agreement.
        same_grade: Number of cases to which both have given the same grade.
        graded: Number of cases to which both have given a grade.
    """

    count: int
    dice: float
    bias: float
    low: float
    high: float
    same_grade: int
    graded: int


def compare_infections(case_id: str, first: np.ndarray, grid: Grid, second: np.ndarray, other: Grid) -> CaseAgreement:
    """Compare the infections that two readers have drawn in one CT.

    Args:
        case_id: The case.
        first: Boolean mask (z, y, x) of the first reader.
        grid: Its grid: that of the CT, or a part of it.
        second: Boolean mask of the second reader.
        other: Its grid.

    Raises:
        InputError: The masks do not lie on the same voxels.

    Example:
        >>> grid = Grid((1, 2, 4), (10.0, 10.0, 10.0))
        >>> first = np.array([[[1, 1, 1, 0], [0, 0, 0, 0]]], bool)
        >>> compare_infections("a", first, grid, np.roll(first, 1), grid)
        CaseAgreement(case_id='a', dice=0.6666666666666666, first_ml=3.0, second_ml=3.0, grades=('', ''))
    """
    first_ml, second_ml = (
        float(np.count_nonzero(mask) * lattice.voxel_ml) for mask, lattice in ((first, grid), (second, other))
    )
    if not first_ml or not second_ml:
        return CaseAgreement(case_id, float(first_ml == second_ml), first_ml, second_ml)
    first, grid = _cropped(first, grid)
    second, other = _cropped(second, other)
    common = _common_grid(grid, other)
    try:
        masks = [onto_grid(mask, lattice, common) for mask, lattice in ((first, grid), (second, other))]
    except InputError as error:
        raise InputError(
            f'The masks of both readers of "{case_id}" do not lie on the same voxels. Open the case for each reader '
            "again, with the same CT."
        ) from error
    return CaseAgreement(case_id, ConfusionMatrix.of(*masks).dice, first_ml, second_ml)


def summarise_agreement(cases: Sequence[CaseAgreement]) -> ReaderAgreement:
    """Compute mean Dice, and bias and limits of agreement of the volumes (Bland and Altman 1986)."""
    from ..metrics.statistics import limits_of_agreement  # loads scipy.stats, which takes long

    volumes = limits_of_agreement([case.first_ml for case in cases], [case.second_ml for case in cases])
    graded = [case.grades for case in cases if all(case.grades)]
    return ReaderAgreement(
        count=len(cases),
        dice=float(np.mean([case.dice for case in cases])) if cases else math.nan,
        bias=volumes.bias,
        low=volumes.low,
        high=volumes.high,
        same_grade=sum(first == second for first, second in graded),
        graded=len(graded),
    )


def agreement_csv(readers: tuple[str, str], cases: Sequence[CaseAgreement]) -> str:
    """Return the agreement by case as CSV, with mean and limits of agreement below it."""
    names = iter((*readers, *readers))
    titles = [column.format(next(names)) if "{}" in column else column for column in COLUMNS]
    output = io.StringIO()
    table = csv.writer(output, lineterminator="\n")
    table.writerow(titles)
    for case in cases:
        volumes = (case.first_ml, case.second_ml, case.difference_ml)
        table.writerow([case.case_id, f"{case.dice:.4f}", *(f"{ml:.3f}" for ml in volumes), *case.grades])
    summary = summarise_agreement(cases)
    table.writerow([])
    table.writerow(["mean", _number(summary.dice, 4), "", "", _number(summary.bias, 3)])
    table.writerow(["lower limit of agreement", "", "", "", _number(summary.low, 3)])
    table.writerow(["upper limit of agreement", "", "", "", _number(summary.high, 3)])
    table.writerow(["cases", summary.count])
    table.writerow(["same grade", f"{summary.same_grade} of {summary.graded}"])
    return output.getvalue()


def write_agreement(path: Path, readers: tuple[str, str], cases: Sequence[CaseAgreement]) -> None:
    """Write `agreement_csv` to a file. The byte order mark lets spreadsheets read it as UTF-8.

    Raises:
        InputError: The file cannot be written.
    """
    with explain_disk_errors(path):
        write_text_atomically(path, "\ufeff" + agreement_csv(readers, cases))


def crop_grid(grid: Grid, box: tuple[slice, slice, slice]) -> Grid:
    """Return the part of a grid within a box (z, y, x)."""
    x, y, z = (grid.affine_lps @ [*(part.start for part in reversed(box)), 1.0])[:3].tolist()
    depth, height, width = (part.stop - part.start for part in box)
    return Grid((depth, height, width), grid.spacing, (x, y, z), grid.direction)


def _cropped(mask: np.ndarray, grid: Grid) -> tuple[np.ndarray, Grid]:
    box = bounding_box(mask)
    assert box is not None, "the mask is empty"
    return mask[box], crop_grid(grid, box)


def _common_grid(grid: Grid, other: Grid) -> Grid:
    """Return a grid that continues the first one so far that it contains both."""
    corners = [[x, y, z, 1] for z in (0, 1) for y in (0, 1) for x in (0, 1)]
    last = np.asarray([*(size - 1 for size in reversed(other.shape)), 1])
    indices = np.rint(np.linalg.inv(grid.affine_lps) @ other.affine_lps @ (np.asarray(corners) * last).T)[:3]
    low = np.minimum(indices.min(axis=1), 0).astype(int)[::-1].tolist()
    high = np.maximum(indices.max(axis=1) + 1, grid.shape[::-1]).astype(int)[::-1].tolist()
    z, y, x = (slice(start, stop) for start, stop in zip(low, high, strict=True))
    return crop_grid(grid, (z, y, x))


def _number(value: float, decimals: int) -> str:
    return "" if math.isnan(value) else f"{value:.{decimals}f}"
