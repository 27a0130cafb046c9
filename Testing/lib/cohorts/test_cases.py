"""Rows of cases, lesions and failures."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from support.cohorts import cohort_of, finish

from CovidSegLib.cohorts.cases import (
    NewCase,
    add_cases,
    all_cases,
    count_states,
    fail_case,
    lesions_of,
    start_case,
    wait_again,
)
from CovidSegLib.cohorts.schema import CASE_NUMBERS


def test_a_new_case_waits(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path)
    add_cases(cohort, [NewCase("a", "x", "a", "1.2.3", "the only CT", {"centre": "Bergamo"}), NewCase("b", "y", "b")])
    first, second = all_cases(cohort)
    assert (first.id, first.position, first.state, first.output) == ("a", 0, "waiting", "cases/a")
    assert (first.series, first.choice, first.extra) == ("1.2.3", "the only CT", {"centre": "Bergamo"})
    assert (second.position, second.attempts, second.extra) == (1, 0, {})


def test_a_known_scan_keeps_its_row_and_takes_its_new_path(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path, "a", "b")
    finish(cohort, "a", 5.0)
    add_cases(cohort, [NewCase("other", "identity of a", "moved/a.nii.gz"), NewCase("c", "z", "c")])
    cases = all_cases(cohort)
    assert [case.id for case in cases] == ["a", "b", "c"]
    assert (cases[0].input, cases[0].state) == ("moved/a.nii.gz", "done")
    assert cases[2].position > cases[1].position


def test_an_id_is_that_of_one_scan_whatever_its_case(tmp_path: Path) -> None:
    """Folders on Windows and macOS do not differ by case."""
    with pytest.raises(sqlite3.IntegrityError):
        add_cases(cohort_of(tmp_path, "a"), [NewCase("A", "another", "a")])


def test_a_finished_case_has_its_numbers_and_lesions(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path, "a")
    finish(cohort, "a", 5.0, severity=3)
    finish(cohort, "a", 7.5, severity=4)
    (case,) = all_cases(cohort, "done")
    assert case.numbers["both_involvement_percent"] == 7.5
    assert (case.numbers["severity"], case.numbers["left_volume_ml"]) == (4, None)
    assert set(case.numbers) == set(CASE_NUMBERS)
    assert (case.attempts, case.seconds, case.model, case.warnings) == (2, 10.0, "model", ["A warning."])
    (lesion,) = lesions_of(cohort, "a")
    assert (lesion["number"], lesion["volume_ml"], lesion["centre_a_mm"]) == (1, 12.5, None)


def test_each_failed_attempt_is_a_row_with_its_sentence(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path, "a")
    for again in (True, False):
        start_case(cohort, "a")
        fail_case(cohort, "a", f"It failed ({again}).", again=again)
    assert count_states(cohort) == {"waiting": 0, "running": 0, "done": 0, "failed": 1}
    assert all_cases(cohort)[0].sentence == "It failed (False)."
    with cohort.reading() as connection:
        rows = connection.execute("SELECT case_id, attempt, sentence FROM failures ORDER BY attempt").fetchall()
    assert [tuple(row) for row in rows] == [("a", 1, "It failed (True)."), ("a", 2, "It failed (False).")]


def test_a_case_that_succeeds_at_last_has_no_sentence(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path, "a")
    start_case(cohort, "a")
    fail_case(cohort, "a", "It failed.", again=True)
    finish(cohort, "a", 1.0)
    assert all_cases(cohort)[0].sentence is None


def test_cases_of_a_killed_run_wait_again(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path, "a", "b", "c")
    start_case(cohort, "a")
    finish(cohort, "b", 1.0)
    assert wait_again(cohort, ["running"]) == 1
    assert count_states(cohort) == {"waiting": 2, "running": 0, "done": 1, "failed": 0}
