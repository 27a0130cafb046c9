"""Statistics of a cohort, and the cases to look at first."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import SimpleITK as sitk
from support.cohorts import cohort_of, finding, finish

from CovidSegLib.cli.main import DONE, UNUSABLE, main
from CovidSegLib.cohorts.cases import NewCase, add_cases, all_cases, fail_case, finish_case, start_case
from CovidSegLib.cohorts.claims import claimed_cohort
from CovidSegLib.cohorts.database import Cohort
from CovidSegLib.cohorts.outliers import find_outliers
from CovidSegLib.cohorts.parts import Part, claimed_part
from CovidSegLib.cohorts.statistics import statistics_of
from CovidSegLib.cohorts.summary import FILES
from CovidSegLib.errors import InputError


def cohort_with_centres(folder: Path, column: str = "Centre") -> Cohort:
    """Return four done cases of two centres, a failed one, and one that waits."""
    cohort = cohort_of(folder)
    names = {"a": "Rome", "b": "Rome", "c": "Rome", "d": "Oslo", "e": "Oslo", "f": ""}
    add_cases(cohort, [NewCase(name, name, f"{name}.nii", extra={column: centre}) for name, centre in names.items()])
    for name, involvement in (("a", 0.0), ("b", 10.0), ("c", 20.0), ("d", 50.0)):
        finish(cohort, name, involvement, severity=int(involvement // 10))
    start_case(cohort, "e")
    fail_case(cohort, "e", "It is no CT.")
    return cohort


def test_statistics_of_all_and_by_centre(tmp_path: Path) -> None:
    statistics = statistics_of(all_cases(cohort_with_centres(tmp_path)))
    share = statistics.whole.numbers["both_involvement_percent"]
    assert (share.count, share.mean, share.minimum, share.median, share.maximum) == (4, 20.0, 0.0, 15.0, 50.0)
    assert (share.quartile1, share.quartile3) == (7.5, 27.5)
    assert (statistics.whole.infected, statistics.by) == (3, "Centre")
    assert [(group.name, group.states["done"], group.states["failed"]) for group in statistics.groups] == [
        ("Rome", 3, 0), ("Oslo", 1, 1), ("not stated", 0, 0)
    ]  # fmt: skip
    assert statistics.groups[0].numbers["both_involvement_percent"].median == 10.0


def test_another_column_is_grouped_by_on_request_only(tmp_path: Path) -> None:
    cases = all_cases(cohort_with_centres(tmp_path, "scanner"))
    assert statistics_of(cases).groups == ()
    assert statistics_of(cases, "scanner").by == "scanner"
    with pytest.raises(InputError, match='no column "sex"'):
        statistics_of(cases, "sex")


def outliers_of(folder: Path, **numbers: float | None) -> list[tuple[str, ...]]:
    """Return the reasons against a case with these numbers among nine usual ones."""
    cohort = cohort_of(folder, *"abcdefghij")
    usual = {"right_volume_ml": 2200.0, "left_volume_ml": 1800.0, "both_infection_mean_hu": -500.0}
    for number, name in enumerate("abcdefghi"):
        finish(cohort, name, 5.0 + number / 10, **usual, both_mean_hu=-780.0 - number)
    last = finding(5.0, **{**usual, "both_mean_hu": -780.0, **numbers})
    start_case(cohort, "j")
    finish_case(cohort, "j", last, 1.0)
    found = find_outliers(all_cases(cohort))
    return [outlier.reasons for outlier in found if outlier.case.id == "j" and outlier.stands_out]


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ({"both_volume_ml": 700.0}, "The lungs have 700 ml, which is little"),
        ({"both_volume_ml": 12000.0}, "The lungs have 12000 ml, which is much"),
        ({"right_volume_ml": 3000.0, "left_volume_ml": 900.0}, "The lungs differ much: 3000 ml right, 900 ml left"),
        ({"both_involvement_percent": 75.0}, "75 % of the lungs are infected"),
        ({"both_infection_mean_hu": -850.0}, "The infection has a mean of -850 HU, which is lung"),
        ({"both_infection_mean_hu": 60.0}, "The infection has a mean of 60 HU, which is soft tissue or fluid"),
        (
            {"both_mean_hu": -500.0},
            "The mean density of the lungs of -500 HU stands out: the median of the cohort is -784 HU",
        ),
    ],
)
def test_each_reason_to_look(tmp_path: Path, numbers: dict[str, float], reason: str) -> None:
    (reasons,) = outliers_of(tmp_path, **numbers)
    assert reason in reasons


def test_a_usual_case_has_its_warning_only(tmp_path: Path) -> None:
    assert outliers_of(tmp_path) == []


def test_a_case_without_lungs_or_infection_has_no_number_to_compare(tmp_path: Path) -> None:
    assert outliers_of(tmp_path, both_infection_mean_hu=None, both_involvement_percent=0.0)[0][0].startswith(
        "The infected share of 0 % stands out"
    )


def test_the_command_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cohort_with_centres(tmp_path)
    for _ in range(2):  # again replaces
        assert main(["cohort", str(tmp_path)]) == DONE
    printed = capsys.readouterr().out
    assert "1 waiting, 4 done, 1 failed.\n3 of 4 scans have infection." in printed
    assert "  Rome: 3 scans, median 10, quartiles 5 to 15\n" in printed
    assert "  e: It is no CT.\n" in printed
    folder = tmp_path / "statistics"
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES.values())
    with (folder / FILES["table"]).open(encoding="utf-8-sig", newline="") as file:
        rows = {(row["group"], row["number"]): row for row in csv.DictReader(file)}
    assert rows["Oslo", "both_involvement_percent"]["median"] == "50.0"
    assert rows["not stated", "severity"]["median"] == ""
    assert sitk.ReadImage(str(folder / FILES["picture"])).GetSize() == (1200, 760)


def test_a_cohort_in_which_nothing_is_done_yet_is_drawn(tmp_path: Path) -> None:
    cohort_of(tmp_path, "a")
    assert main(["cohort", str(tmp_path)]) == DONE


def test_parts_are_collected_unless_a_run_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with claimed_part(tmp_path, Part(1, 1)) as part:
        add_cases(part, [NewCase("a", "a", "a.nii")])
        finish(part, "a", 5.0)
        assert main(["cohort", str(tmp_path)]) == DONE  # while the part runs
    with claimed_cohort(tmp_path):
        assert main(["cohort", str(tmp_path)]) == DONE
    assert "is not counted" in capsys.readouterr().err


def test_there_is_no_cohort(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cohort", str(tmp_path)]) == UNUSABLE
    cohort_of(tmp_path)
    assert main(["cohort", str(tmp_path)]) == UNUSABLE
    assert "has no cases" in capsys.readouterr().err
