"""Parts that jobs of a cluster segment at the same time."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.cohorts import cohort_of, finish

from CovidSegLib.cohorts.cases import all_cases, count_states, fail_case, lesions_of, start_case
from CovidSegLib.cohorts.claims import claimed_cohort
from CovidSegLib.cohorts.parts import Part, claimed_part, claimed_whole, merge_parts, take_planned
from CovidSegLib.errors import InputError

FIRST, SECOND = Part(1, 2), Part(2, 2)


def test_a_part_is_parsed() -> None:
    assert Part.parse("3/100") == Part(3, 100)
    for text in ("0/3", "4/3", "3", "a/b", "-1/3", "1/0"):
        with pytest.raises(ValueError):
            Part.parse(text)


def test_each_case_belongs_to_one_part() -> None:
    parts = [Part(number, 3) for number in (1, 2, 3)]
    assert all(sum(part.has(position) for part in parts) == 1 for position in range(10))


def test_parts_of_a_planned_cohort_are_merged(tmp_path: Path) -> None:
    whole = cohort_of(tmp_path, "a", "b", "c")
    with claimed_part(tmp_path, FIRST) as first, claimed_part(tmp_path, SECOND) as second:
        for cohort, part in ((first, FIRST), (second, SECOND)):
            take_planned(whole, cohort, part)
        assert [case.id for case in all_cases(first)] == ["a", "c"]
        assert [case.id for case in all_cases(second)] == ["b"]
        finish(first, "c", 5.0)
        start_case(second, "b")
        fail_case(second, "b", "It is no CT.")
        assert first.path_of("cases/a") == tmp_path / "cases" / "a"
        for _ in range(2):  # merging again changes nothing
            assert merge_parts(whole) == 2
    assert [(case.id, case.state) for case in all_cases(whole)] == [("a", "waiting"), ("b", "failed"), ("c", "done")]
    assert all_cases(whole)[2].numbers["both_involvement_percent"] == 5.0
    assert len(lesions_of(whole, "c")) == 1
    with whole.reading() as connection:
        assert connection.execute("SELECT count(*) FROM failures").fetchone()[0] == 1


def test_a_part_that_listed_its_scans_itself_is_merged(tmp_path: Path) -> None:
    with claimed_part(tmp_path, FIRST) as part:
        pass
    source = cohort_of(part.folder / "elsewhere", "a")
    take_planned(source, part, FIRST)
    finish(part, "a", 5.0)
    whole = cohort_of(tmp_path)
    merge_parts(whole)
    assert count_states(whole)["done"] == 1


def test_what_is_done_in_the_whole_stays(tmp_path: Path) -> None:
    whole = cohort_of(tmp_path, "a")
    with claimed_part(tmp_path, Part(1, 1)) as part:
        take_planned(whole, part, Part(1, 1))
        start_case(part, "a")
        fail_case(part, "a", "No.")
    finish(whole, "a", 7.0)
    merge_parts(whole)
    assert (all_cases(whole)[0].state, all_cases(whole)[0].numbers["both_involvement_percent"]) == ("done", 7.0)


def test_a_part_is_taken_once(tmp_path: Path) -> None:
    with (
        claimed_part(tmp_path, FIRST),
        pytest.raises(InputError, match="Another"),
        claimed_part(tmp_path, FIRST),
    ):
        pass


def test_the_whole_and_its_parts_do_not_run_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("CovidSegLib.cohorts.parts._TRIES", 1)
    with claimed_part(tmp_path, FIRST), pytest.raises(InputError, match="Another"), claimed_whole(tmp_path):
        pass
    with claimed_whole(tmp_path), pytest.raises(InputError, match="Another"), claimed_part(tmp_path, SECOND):
        pass


def test_a_claim_that_comes_to_nothing_leaves_nothing(tmp_path: Path) -> None:
    with claimed_cohort(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b").is_dir()
    assert not (tmp_path / "a").exists()
