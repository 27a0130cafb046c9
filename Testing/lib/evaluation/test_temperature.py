"""Temperature and threshold: found again where they are known, and put into the cards of those that they fit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.tiny_run import make_run

from CovidSegLib import models
from CovidSegLib.cli import main as cli
from CovidSegLib.errors import InputError
from CovidSegLib.evaluation import temperature
from CovidSegLib.metrics.calibration import Calibration
from CovidSegLib.runs.card import write_card


def patient(rng: np.random.Generator, too_sure: float, bias: float = 0.0, voxels: int = 200_000) -> Calibration:
    """Voxels whose true logits were multiplied by `too_sure` before a model told their probabilities."""
    logits = rng.normal(-1, 1.5, voxels)
    told = np.round(255 / (1 + np.exp(-too_sure * (logits + bias)))).astype(np.uint8)
    infected = rng.random(voxels) < 1 / (1 + np.exp(-logits))
    return Calibration.of(told, infected, np.ones(voxels, bool))


@pytest.mark.parametrize("too_sure", [0.5, 1.0, 1.7, 3.0])
def test_the_temperature_is_found_again_and_mends_the_probabilities(rng: np.random.Generator, too_sure: float) -> None:
    patients = [patient(rng, too_sure, voxels=count) for count in (200_000, 50_000)]
    found = temperature.fit_temperature(patients)
    assert found == pytest.approx(too_sure, abs=0.06)
    mended = [temperature.scaled(each, found) for each in patients]
    assert all(each.error < 0.02 for each in mended)
    assert [each.voxels.sum() for each in mended] == [200_000, 50_000]


def test_every_patient_counts_alike(rng: np.random.Generator) -> None:
    large, small = patient(rng, 2.0, voxels=400_000), patient(rng, 1.0, voxels=20_000)
    assert 1.2 < temperature.fit_temperature([large, small]) < 1.8


def test_the_threshold_is_that_of_the_highest_mean_dice() -> None:
    """Alone, the first patient would have one of 111 to 140, the second one of 141 to 170; together the first."""
    voxels, first, second = (np.zeros(256, np.int64) for _ in range(3))
    voxels[[90, 110, 140, 170, 250]] = 1000
    first[[110, 140, 170, 250]] = (400, 900, 950, 1000)
    second[[140, 170, 250]] = (100, 900, 1000)
    both = [Calibration(voxels, first), Calibration(voxels, second)]
    assert temperature.best_threshold(both[:1]) == pytest.approx(125.5 / 255, abs=0.01)
    assert temperature.best_threshold(both[1:]) == pytest.approx(155.5 / 255, abs=0.01)
    # 2 * 2850 / (3000 + 3250) and 2 * 2000 / (3000 + 2000), not 2 * 1950 / (2000 + 3250) and 2 * 1900 / (2000 + 2000)
    assert temperature.best_threshold(both) == pytest.approx(125.5 / 255, abs=0.01)
    healthy = Calibration(voxels, np.zeros(256, np.int64))
    assert temperature.best_threshold([*both, healthy]) == temperature.best_threshold(both)


def test_a_temperature_that_helps_no_patient_who_is_left_out_is_not_taken(rng: np.random.Generator) -> None:
    alike = [patient(rng, 2.0) for _ in range(4)]
    assert temperature.select_calibration(alike)[0] == pytest.approx(2.0, abs=0.05)
    unlike = [patient(rng, sure, bias) for sure, bias in ((1.9, 0.9), (1.7, -0.9), (0.6, 0.0), (0.65, 0.1))]
    assert temperature.fit_temperature(unlike) != 1.0
    assert temperature.select_calibration(unlike)[0] == 1.0


def test_a_threshold_that_helps_no_patient_who_is_left_out_is_not_taken() -> None:
    """The annotator of one patient marks much, that of the other little: each one's best is bad for the other."""
    voxels, much, little = (np.zeros(256, np.int64) for _ in range(3))
    voxels[[60, 128, 200]] = 1000
    much[[60, 128, 200]] = (950, 950, 1000)
    little[[128, 200]] = (100, 1000)
    generous, strict = Calibration(voxels, much), Calibration(voxels, little)
    assert temperature.best_threshold([generous]) < 0.2 and temperature.best_threshold([strict]) > 0.6
    assert temperature.select_calibration([generous, strict])[1] == 0.5
    assert temperature.select_calibration([generous, generous])[1] == temperature.best_threshold([generous])


def test_results_of_a_calibrated_model_calibrate_it_as_those_of_a_plain_one(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    plain = {name: patient(rng, 2.0) for name in "abc"}
    calibrated = {name: (2.0, temperature.scaled(counted, 2.0)) for name, counted in plain.items()}
    (results(tmp_path / "again", {}) / temperature.FILE).write_text(temperature.as_json("tiny", calibrated))
    found = [
        temperature.calibrate_model(models.open_model(run(tmp_path / name, [])), out).temperature
        for name, out in (("first", results(tmp_path / "out", plain)), ("second", tmp_path / "again"))
    ]
    assert found[0] == pytest.approx(2.0, abs=0.05) and found[1] == pytest.approx(found[0], abs=0.05)


def run(folder: Path, test: list[str]) -> Path:
    make_run(folder, trained_on=[name for name in "abc" if name not in test], never_trained_on=test)
    write_card(folder)
    return folder


def results(folder: Path, patients: dict[str, Calibration], recipe: str = "tiny") -> Path:
    folder.mkdir()
    text = temperature.as_json(recipe, {name: (1.0, counted) for name, counted in patients.items()})
    (folder / temperature.FILE).write_text(text)
    return folder


def test_no_run_is_calibrated_by_those_it_is_measured_on(
    tmp_path: Path, rng: np.random.Generator, capsys: pytest.CaptureFixture[str]
) -> None:
    patients = {name: patient(rng, sure) for name, sure in (("a", 3.0), ("b", 1.5), ("c", 1.5))}
    out = results(tmp_path / "out", patients)
    fold, everybody = run(tmp_path / "fold", ["a"]), run(tmp_path / "everybody", [])
    before = (fold / models.WEIGHTS_FILE).read_bytes()
    assert cli.main(["models", "calibrate", str(fold), str(everybody), "--by", str(out)]) == cli.DONE
    one, all_ = models.open_model(fold), models.open_model(everybody)
    assert one.temperature == pytest.approx(1.5, abs=0.05) and all_.temperature > 1.7
    assert (one.card["calibrated_on"], all_.card["calibrated_on"]) == (["b", "c"], ["a", "b", "c"])
    assert 0 < one.threshold < 1
    assert one.verified_weights() == before
    assert (
        f"fold: temperature {one.temperature:g}, threshold {one.threshold:g}, chosen on 2 patients"
        in capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, r"holds no calibration\.json: give the results of"),
        ("{", "cannot be read; evaluate again"),
        ('{"recipe": "tiny", "patients": {"a": {"voxels": [1], "infected": [0]}}}', "cannot be read; evaluate again"),
        ("[]", "cannot be read; evaluate again"),
        (temperature.as_json("other", {}), "are of the recipe “other”, and the model “run” is of “tiny”"),
        (temperature.as_json("tiny", {}), "fewer than two patients are left by whom “run” could be calibrated"),
    ],
)
def test_results_that_cannot_be_used_are_told(tmp_path: Path, content: str | None, told: str) -> None:
    (tmp_path / "out").mkdir()
    if content is not None:
        (tmp_path / "out" / temperature.FILE).write_text(content)
    model = models.open_model(run(tmp_path / "run", ["b"]))
    before = json.dumps(model.card)
    with pytest.raises(InputError, match=told):
        temperature.calibrate_model(model, tmp_path / "out")
    assert json.dumps(models.open_model(model.folder).card) == before
