"""Results of a model on patients with masks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.masked_patients import RUNS

from CovidSegLib.data import open_data
from CovidSegLib.errors import InputError, NoLungsError
from CovidSegLib.evaluation import patients
from CovidSegLib.models import Model

MODEL = Model(Path("nowhere"), {"trained_on": ["p1"]})


@pytest.mark.usefixtures("fixed_prediction")
def test_the_slices_with_the_most_errors_are_kept(data: Path) -> None:
    """Slices 1, 2 and 3 are predicted; the targets are 0 and 1 of p1_a, and 2 of p1_b: two voxels of 1 cm2 each."""
    cases = [case for case in open_data(data).cases() if case.name in RUNS]
    p1, p2, _ = patients.evaluate_patients(cases, MODEL)
    missed, false = p1.failure_views["missed"], p1.failure_views["false"]
    assert (missed.location, missed.error_mm2("missed")) == ("p1_a, slice 1 of 6", 200)
    assert missed.error_mm2("false") == 0
    assert (false.location, false.error_mm2("false")) == ("p1_a, slice 3 of 6", 200)
    assert p2.failure_views["false"].error_mm2("false") == p2.failure_views["missed"].error_mm2("missed") == 0


@pytest.mark.usefixtures("fixed_prediction")
def test_the_slice_ranges_of_a_patient_are_one_case(data: Path) -> None:
    """Predicted slices: 3 and 3; target slices: 2 and 1; both: 1 and 1."""
    cases = [case for case in open_data(data).cases() if case.name in RUNS]
    fractions: list[float] = []
    results = patients.evaluate_patients(cases, MODEL, progress=lambda stage, fraction: fractions.append(fraction))
    assert [(one.patient, one.seen_in_training) for one in results] == [("p1", True), ("p2", False), ("p3", False)]
    p1, p2, p3 = (one.measurements for one in results)
    assert p1["infection"].voxels.dice == pytest.approx(4 / 9)
    assert (p1["infection"].slices.sensitivity, p1["infection"].slices.specificity) == (2 / 3, 5 / 9)
    assert p1["infection"].target_ml == pytest.approx(3 * 2 * 2.0)  # voxels of 10 x 10 x 20 mm
    assert (p1["lungs"].voxels.dice, p2["infection"].voxels.dice, p3["infection"].voxels.dice) == (1, 1, 0)
    # The lungs fill the files. They have a surface on their sides, but not at the ends, where the scan continues.
    assert p2["lungs"].surface.target_to_prediction.size == 6 * (4 * 5 - 2 * 3)
    assert fractions == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert results[0].view.location == "p1_a, slice 1 of 6"
    assert results[1].view.target.sum() == 2
    assert results[1].view.spacing == (10.0, 10.0)


def refuse(error: InputError) -> Callable[..., None]:
    """Return a stand-in for `pipeline.segment` that refuses any CT."""

    def segment(*arguments: object, **options: object) -> None:
        raise error

    return segment


def test_a_case_that_cannot_be_segmented_is_named(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patients, "segment", refuse(InputError("The CT is oblique.")))
    with pytest.raises(InputError, match=r"^p1_a: The CT is oblique\.$"):
        patients.evaluate_patients(open_data(data).cases()[:1], MODEL)


def test_where_no_lungs_are_found_nothing_is(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One failure of a model does not end the evaluation of all other cases."""
    monkeypatch.setattr(patients, "segment", refuse(NoLungsError("No lungs were found.")))
    (p1,) = patients.evaluate_patients(open_data(data).cases()[:1], MODEL)
    assert (p1.measurements["lungs"].voxels.dice, p1.measurements["infection"].voxels.dice) == (0, 0)
