"""The rows of the table of cases."""

from pathlib import Path

from CovidSegLib.cohorts.case_list import Entry
from CovidSegLib.cohorts.readings import Reading
from CovidSegModule.worklist.rows import CaseRow, cells, choose, row_of


def row(case, state="to review", involvement=None, grade=""):
    return CaseRow(case, state, involvement, grade, "")


def test_the_state_is_that_of_the_reader():
    entry = Entry("a", Path("a.nii"), involvement_percent=2.5)
    assert row_of(entry, None, ["Ben"], "").state == "to review"
    assert row_of(entry, Reading("a", "Anna", 1.0), [], "").state == "begun"
    seen = row_of(entry, Reading("a", "Anna", 1.0, 2.0, grade="mild"), ["ben", "Anna"], "")
    assert cells(seen) == ["a", "reviewed", "2.5 %", "mild", "Anna, ben"]
    assert row_of(entry, None, [], "It is missing.").state == "failed"


def test_sorting_puts_cases_without_a_value_last():
    rows = [row("a", involvement=5.0), row("b"), row("c", involvement=9.0)]
    assert [found.case for found in choose(rows, "all", "", "involvement", True)] == ["c", "a", "b"]
    assert [found.case for found in choose(rows, "all", "", "involvement", False)] == ["a", "c", "b"]
    assert [found.case for found in choose(rows, "all", "", "", False)] == ["a", "b", "c"]


def test_grades_and_states_have_an_order_of_their_own():
    rows = [row("a", grade="severe"), row("b", "reviewed", grade="mild"), row("c", "begun", grade="T2"), row("d")]
    assert [found.case for found in choose(rows, "all", "", "grade", False)] == ["b", "a", "c", "d"]
    assert [found.case for found in choose(rows, "all", "", "state", False)] == ["a", "d", "c", "b"]
    assert [found.case for found in choose(rows, "to review", "", "", False)] == ["a", "c", "d"]
