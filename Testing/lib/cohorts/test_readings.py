"""What readers have said about the cases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support.cohorts import cohort_of, finish

from CovidSegLib.cohorts.readings import open_reading, readings, save_reading
from CovidSegLib.errors import InputError


def test_a_reading_is_begun_once_and_kept_by_reader(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path, "a", "b")
    first = open_reading(cohort, "a", "MK")
    saved = replace(first, reviewed=first.opened + 60, seconds=60.0, grade="good", comment="ok", infection_ml=3.5)
    save_reading(cohort, saved)
    open_reading(cohort, "a", "JD")
    assert open_reading(cohort, "a", "MK") == saved
    assert [(item.case_id, item.reader) for item in readings(cohort)] == [("a", "JD"), ("a", "MK")]
    assert readings(cohort, "MK") == [saved]


def test_readings_come_in_the_order_of_the_cases(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path, "b", "a")
    open_reading(cohort, "a", "MK")
    open_reading(cohort, "b", "MK")
    assert [item.case_id for item in readings(cohort)] == ["b", "a"]


def test_a_reading_survives_that_its_case_is_segmented_again(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path, "a")
    save_reading(cohort, replace(open_reading(cohort, "a", "MK"), grade="poor"))
    finish(cohort, "a", 2.0)
    assert readings(cohort)[0].grade == "poor"


@pytest.mark.parametrize(("case", "reader"), [("missing", "MK"), ("a", " ")])
def test_a_reading_needs_a_case_and_a_reader(tmp_path: Path, case: str, reader: str) -> None:
    with pytest.raises(InputError):
        open_reading(cohort_of(tmp_path, "a"), case, reader)
