"""Statistics of a metric over cases: mean, median, confidence interval, limits of agreement, paired tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import wilcoxon

RESAMPLES = 10_000
#: With fewer pairs no two-sided signed-rank test can reach p < 0.05: with five, the smallest p is 2 / 2^5 = 0.0625.
FEWEST_PAIRS = 6


@dataclass(frozen=True)
class Summary:
    """Mean and median of a metric over cases. NaN without cases.

    Attributes:
        count: Number of cases for which the metric is defined. Cases with NaN are left out.
        mean: Mean over these cases.
        median: Median over these cases.
        low: Lower limit of the 95 % confidence interval of the mean; NaN with a single case.
        high: Upper limit.
    """

    count: int
    mean: float
    median: float
    low: float
    high: float


def summarise(values: Sequence[float], seed: int = 0) -> Summary:
    """Compute mean and median of a metric, and the percentile bootstrap interval of the mean over cases (Efron 1979).

    >>> summary = summarise([0.7, 0.8, 0.9, float("nan")])
    >>> summary.count, round(summary.mean, 3), round(summary.median, 3)
    (3, 0.8, 0.8)

    Args:
        values: One value for each case; NaN if the metric is not defined.
        seed: Seed of the resampling. The same values and seed give the same interval.
    """
    defined = _defined(values)
    if not defined.size:
        return Summary(0, *[float("nan")] * 4)
    low = high = float("nan")
    if defined.size > 1:
        resampled = np.random.default_rng(seed).integers(defined.size, size=(RESAMPLES, defined.size))
        low, high = map(float, np.percentile(defined[resampled].mean(axis=1), [2.5, 97.5]))
    return Summary(defined.size, float(defined.mean()), float(np.median(defined)), low, high)


@dataclass(frozen=True)
class Agreement:
    """Agreement of predicted and target volumes.

    Attributes:
        count: Number of cases.
        bias: Mean of prediction - target, in ml; NaN without cases.
        low: Lower limit of agreement, in ml. 95 % of the differences are expected between both limits. NaN with fewer
            than two cases.
        high: Upper limit of agreement.
    """

    count: int
    bias: float
    low: float
    high: float


def limits_of_agreement(prediction: Sequence[float], target: Sequence[float]) -> Agreement:
    """Compute bias and limits of agreement, mean ± 1.96 standard deviations of the differences (Bland and Altman 1986).

    >>> limits_of_agreement([11, 22, 36], [10, 20, 30]).bias
    3.0

    Args:
        prediction: Predicted volumes in ml, one for each case.
        target: Target volumes in ml, in the same order.
    """
    difference = np.subtract(prediction, target)
    if not difference.size:
        return Agreement(0, *[float("nan")] * 3)
    bias = float(difference.mean())
    spread = 1.96 * float(difference.std(ddof=1)) if difference.size > 1 else float("nan")
    return Agreement(difference.size, bias, bias - spread, bias + spread)


@dataclass(frozen=True)
class PairedTest:
    """Result of a paired test of two models. `str` formats it for a table.

    Attributes:
        pairs: Number of cases for which the metric is defined for both models.
        p: Two-sided p-value; None with fewer than `FEWEST_PAIRS` pairs.
    """

    pairs: int
    p: float | None

    def __str__(self) -> str:
        if self.p is None:
            return f"too few cases ({self.pairs})"
        return f"{'p < 0.001' if self.p < 0.001 else f'p = {self.p:.3f}'} ({self.pairs} pairs)"


def paired_test(first: Sequence[float], second: Sequence[float]) -> PairedTest:
    """Run Wilcoxon's signed-rank test (1945) on a metric of two models over the same cases.

    If no pair differs, the p-value is 1.

    >>> print(paired_test([0.9, 0.8, 0.7, 0.6, 0.5, 0.4], [0.8, 0.6, 0.4, 0.25, 0.01, -0.2]))
    p = 0.031 (6 pairs)

    Args:
        first: One value for each case. Pairs with a NaN are left out.
        second: Values of the other model, in the same order.

    Raises:
        ValueError: The numbers of values differ.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} values cannot be paired")
    difference = _defined(np.subtract(first, second))
    if difference.size < FEWEST_PAIRS:
        return PairedTest(difference.size, None)
    # Without any difference the test statistic is undefined.
    if not difference.any():
        return PairedTest(difference.size, 1.0)
    return PairedTest(difference.size, float(wilcoxon(difference).pvalue))


def _defined(values: Sequence[float] | np.ndarray) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    return array[~np.isnan(array)]
