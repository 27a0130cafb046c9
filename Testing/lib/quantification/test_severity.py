"""Severity scores at the borders of their classes."""

import pytest

from CovidSegLib.quantification.severity import ct_severity_score, six_zone_score


@pytest.mark.parametrize(
    ("percent", "score"),
    [(0, 0), (0.1, 1), (4.9, 1), (5, 2), (25, 2), (25.1, 3), (49.9, 3), (50, 4), (75, 4), (75.1, 5)],
)
def test_lobes(percent, score):
    assert ct_severity_score(dict.fromkeys("abcde", percent)).score == 5 * score


@pytest.mark.parametrize(
    ("percent", "score"), [(0, 0), (0.1, 1), (24.9, 1), (25, 2), (49.9, 2), (50, 3), (74.9, 3), (75, 4), (100, 4)]
)
def test_zones(percent, score):
    assert six_zone_score(dict.fromkeys("abcdef", percent)).score == 6 * score


def test_highest_scores():
    assert ct_severity_score(dict.fromkeys("abcde", 100.0)).maximum == 25
    assert six_zone_score(dict.fromkeys("abcdef", 100.0)).maximum == 24


def test_a_part_without_lung_has_no_score():
    severity = six_zone_score({"a": 10.0, "b": None})
    assert severity.score is None
    assert severity.parts == {"a": 1, "b": None}
    assert "Yuan" in severity.source
