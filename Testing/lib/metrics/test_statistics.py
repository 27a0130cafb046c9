"""Summaries, limits of agreement and paired tests agree with SciPy and with values computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from CovidSegLib.metrics.statistics import limits_of_agreement, paired_test, summarise

NAN = math.nan


def test_the_interval_agrees_with_the_percentile_bootstrap_of_scipy(rng: np.random.Generator) -> None:
    values = rng.normal(0.7, 0.1, size=15)
    ours = summarise(values)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", random_state=1)
    assert (ours.low, ours.high) == pytest.approx(
        (theirs.confidence_interval.low, theirs.confidence_interval.high), abs=0.003
    )
    assert ours.low < ours.mean < ours.high


def test_undefined_values_are_left_out() -> None:
    summary = summarise([0.1, NAN, 0.2, 0.9])
    assert (summary.count, summary.mean, summary.median) == (3, pytest.approx(0.4), 0.2)
    assert 0.1 <= summary.low < summary.high <= 0.9


def test_the_same_cases_give_the_same_interval() -> None:
    assert summarise([0.1, 0.5, 0.9]) == summarise([0.1, 0.5, 0.9])
    many = list(np.linspace(0, 1, 30) ** 2)
    assert summarise(many) != summarise(many, seed=1)


def test_a_single_case_has_no_interval_and_no_case_no_mean() -> None:
    one = summarise([0.5])
    assert (one.count, one.mean, one.median) == (1, 0.5, 0.5)
    assert math.isnan(one.low) and math.isnan(one.high)
    for nothing in (summarise([]), summarise([NAN])):
        assert nothing.count == 0
        assert all(map(math.isnan, (nothing.mean, nothing.median, nothing.low, nothing.high)))


def test_two_cases_have_an_interval() -> None:
    """Of four equally likely resamples, one has both lower values and one both higher ones."""
    two = summarise([0.2, 0.6])
    assert (two.low, two.high) == pytest.approx((0.2, 0.6))


def test_limits_of_agreement() -> None:
    """Differences 1, 2 and 6: mean 3, standard deviation √7."""
    agreed = limits_of_agreement([11, 22, 36], [10, 20, 30])
    assert (agreed.count, agreed.bias) == (3, 3)
    assert agreed.low == pytest.approx(3 - 1.96 * math.sqrt(7))
    assert agreed.high == pytest.approx(3 + 1.96 * math.sqrt(7))
    assert limits_of_agreement([8], [10]).bias == -2
    assert math.isnan(limits_of_agreement([8], [10]).low)
    assert math.isnan(limits_of_agreement([], []).bias)


def test_six_pairs_with_differences_of_one_sign_are_significant() -> None:
    """p is 2 / 2^6. The pair with a NaN is left out."""
    paired = paired_test([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.1], [0.8, 0.6, 0.4, 0.25, 0.01, -0.2, NAN])
    assert paired.pairs == 6
    assert paired.p == pytest.approx(2 / 2**6)
    assert str(paired) == "p = 0.031 (6 pairs)"


def test_the_test_is_paired(rng: np.random.Generator) -> None:
    first = rng.uniform(0, 1, 12)
    second = first - rng.uniform(0.001, 0.002, 12)
    assert str(paired_test(first, second)) == "p < 0.001 (12 pairs)"
    mixed = first + rng.normal(size=12)
    assert paired_test(first, mixed).p == pytest.approx(stats.wilcoxon(first, mixed).pvalue)


def test_too_few_pairs_are_reported() -> None:
    assert paired_test([0.9, 0.8, 0.7, 0.6, 0.5], [0.1] * 5).p is None
    assert str(paired_test([0.9] * 5 + [NAN], [0.1] * 6)) == "too few cases (5)"
    assert str(paired_test([], [])) == "too few cases (0)"


def test_models_that_never_differ_have_a_p_value_of_1() -> None:
    assert paired_test([0.5] * 6, [0.5] * 6).p == 1.0


def test_unequal_numbers_of_values_are_rejected() -> None:
    with pytest.raises(ValueError, match="2 and 1"):
        paired_test([0.1, 0.2], [0.1])
