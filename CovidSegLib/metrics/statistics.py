"""From the numbers of cases to those of a model: mean, median and interval, limits of agreement, paired tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import wilcoxon

RESAMPLES = 10_000
#: With fewer pairs no two-sided signed-rank test can reach p < 0.05: of five, the least is 2 / 2^5 = 0.0625.
FEWEST_PAIRS = 6


@dataclass(frozen=True)
class Summary:
    """A metric over cases. All but `count` are NaN where there are no cases, the interval where there is only one.

    Attributes:
        count: Cases for which the metric is defined; the others (NaN) are left out.
        mean, median: Over those.
        low, high: The 95 % interval of the mean.
    """

    count: int
    mean: float
    median: float
    low: float
    high: float


def summarise(values: Sequence[float], seed: int = 0) -> Summary:
    """Mean and median of a metric, and the percentile bootstrap interval of the mean over cases (Efron 1979).

    Args:
        values: One a case; NaN where it is not defined.
        seed: Of the resampling, so that the same cases give the same interval.
    """
    known = _known(values)
    if not known.size:
        return Summary(0, *[float("nan")] * 4)
    low = high = float("nan")
    if known.size > 1:
        drawn = np.random.default_rng(seed).integers(known.size, size=(RESAMPLES, known.size))
        low, high = map(float, np.percentile(known[drawn].mean(axis=1), [2.5, 97.5]))
    return Summary(known.size, float(known.mean()), float(np.median(known)), low, high)


@dataclass(frozen=True)
class Agreement:
    """How volumes of result and truth agree.

    Attributes:
        count: Cases.
        bias: Mean of result - truth, in ml; NaN without cases.
        low, high: Limits of agreement, within which 95 % of differences are expected; NaN for fewer than two cases.
    """

    count: int
    bias: float
    low: float
    high: float


def agreement(found: Sequence[float], true: Sequence[float]) -> Agreement:
    """Bias and limits of agreement, mean ± 1.96 standard deviations of the differences (Bland and Altman 1986).

    Args:
        found, true: Volumes of result and truth in ml, one a case.
    """
    difference = np.subtract(found, true)
    if not difference.size:
        return Agreement(0, *[float("nan")] * 3)
    bias = float(difference.mean())
    spread = 1.96 * float(difference.std(ddof=1)) if difference.size > 1 else float("nan")
    return Agreement(difference.size, bias, bias - spread, bias + spread)


@dataclass(frozen=True)
class Paired:
    """A paired comparison of two models.

    Attributes:
        pairs: Cases for which the metric is defined for both.
        p: Two-sided p-value; None where there are fewer than `FEWEST_PAIRS`.
    """

    pairs: int
    p: float | None

    def __str__(self) -> str:
        if self.p is None:
            return f"too few cases ({self.pairs})"
        return f"{'p < 0.001' if self.p < 0.001 else f'p = {self.p:.3f}'} ({self.pairs} pairs)"


def compare(first: Sequence[float], second: Sequence[float]) -> Paired:
    """Wilcoxon's signed-rank test (1945) of a metric of two models over the same cases.

    Args:
        first, second: One value a case, in the same order; pairs with a NaN are left out.

    Raises:
        ValueError: There are not as many of one as of the other.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} values are no pairs")
    difference = _known(np.subtract(first, second))
    if difference.size < FEWEST_PAIRS:
        return Paired(difference.size, None)
    if not difference.any():  # no sign, no test: the models do not differ
        return Paired(difference.size, 1.0)
    return Paired(difference.size, float(wilcoxon(difference).pvalue))


def _known(values: Sequence[float] | np.ndarray) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    return array[~np.isnan(array)]
