"""The texts of the section "results"."""

import pytest

from CovidSegModule.logic.results import ResultsLogic, cells, format_number, headline
from CovidSegModule.scene.review import Reviews
from CovidSegModule.scene.tables import Row


@pytest.mark.parametrize(
    ("value", "decimals", "text"), [(None, 0, "–"), (-812.4, 0, "−812"), (3.26, 1, "3.3"), (0.0, 1, "0.0")]
)
def test_numbers_as_text(value, decimals, text):
    assert format_number(value, decimals) == text


def rows(infection_ml):
    return [Row(region, 2000.0, infection_ml, 1.5, -800.0, -500.0, 2) for region in ("Right lung", "Both lungs")]


def test_small_volumes_have_a_decimal():
    assert cells(rows(99.94))[0] == ["Right lung", "2000", "99.9", "1.5", "−800", "2"]
    assert cells(rows(100.4))[0][2] == "100"


def test_headline():
    assert headline(rows(30.0)) == "Infection in 1.5 % of the lungs"
    assert headline(rows(0.0)) == headline(rows(None)) == "No infection was found."


def test_no_result_has_no_rows():
    assert ResultsLogic(Reviews()).rows(None) == []
