"""The files of an evaluation."""

from __future__ import annotations

from pathlib import Path

from support.mask_pairs import EMPTY

from CovidSegLib.evaluation import report
from CovidSegLib.evaluation.patients import PatientResult
from CovidSegLib.figures.slices import SliceView
from CovidSegLib.metrics.measurement import Measurement
from CovidSegLib.metrics.overlap import ConfusionMatrix


def test_patients_are_ranked_by_the_mean_dice_over_models() -> None:
    view = SliceView("case, slice 1 of 1", EMPTY[0], EMPTY[0], EMPTY[0], (1.0, 1.0))

    def result(patient: str, dice: float) -> PatientResult:
        confusion = ConfusionMatrix(round(10 * dice), 10 - round(10 * dice), 10 - round(10 * dice))
        assert confusion.dice == dice
        return PatientResult("model", patient, False, {"infection": Measurement(voxels=confusion)}, view)

    results = [result(*row) for row in (("a", 0.9), ("b", 0.5), ("c", 0.7), ("a", 0.1), ("b", 0.7), ("c", 0.7))]
    assert report.rank_patients(results) == {"best": "c", "median": "b", "worst": "a"}
    assert report.rank_patients(results[:1]) == dict.fromkeys(report.PICTURES, "a")


def test_names_do_not_become_formulas(tmp_path: Path) -> None:
    report._write_csv(tmp_path / "cases.csv", [{"patient": '=HYPERLINK("x")', "dice": -0.5}])
    assert (tmp_path / "cases.csv").read_text(encoding="utf-8-sig").splitlines()[1] == '"\'=HYPERLINK(""x"")",-0.5'
