"""Models are calibrated from the results of an evaluation, without the patients that they are evaluated on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.calibrations import simulated_patient
from support.tiny_run import make_run

from CovidSegLib import models
from CovidSegLib.cli import main as cli
from CovidSegLib.errors import InputError
from CovidSegLib.evaluation import calibration_file
from CovidSegLib.evaluation.model_calibration import calibrate_model
from CovidSegLib.evaluation.temperature import rescale
from CovidSegLib.metrics.calibration import Calibration
from CovidSegLib.runs.card import write_card


def write_run(folder: Path, test: list[str]) -> Path:
    """Write a finished run that some of the patients a, b and c were held out from."""
    make_run(folder, trained_on=[name for name in "abc" if name not in test], never_trained_on=test)
    write_card(folder)
    return folder


def write_results(folder: Path, patients: dict[str, Calibration], temperature: float = 1.0) -> Path:
    """Write results of an evaluation of the recipe "tiny"."""
    folder.mkdir()
    calibration_file.write(folder, "tiny", {name: (temperature, patient) for name, patient in patients.items()})
    return folder


def test_results_of_a_calibrated_model_give_the_same_calibration(tmp_path: Path, rng: np.random.Generator) -> None:
    uncalibrated = {name: simulated_patient(rng, 2.0) for name in "abc"}
    calibrated = {name: rescale(patient, 2.0) for name, patient in uncalibrated.items()}
    temperatures = [
        calibrate_model(models.open_model(write_run(tmp_path / name, [])), results).temperature
        for name, results in (
            ("first", write_results(tmp_path / "uncalibrated", uncalibrated)),
            ("second", write_results(tmp_path / "calibrated", calibrated, temperature=2.0)),
        )
    ]
    assert temperatures[0] == pytest.approx(2.0, abs=0.05) and temperatures[1] == pytest.approx(
        temperatures[0], abs=0.05
    )


def test_no_run_is_calibrated_on_its_held_out_patients(
    tmp_path: Path, rng: np.random.Generator, capsys: pytest.CaptureFixture[str]
) -> None:
    patients = {name: simulated_patient(rng, value) for name, value in (("a", 3.0), ("b", 1.5), ("c", 1.5))}
    results = write_results(tmp_path / "out", patients)
    fold, everybody = write_run(tmp_path / "fold", ["a"]), write_run(tmp_path / "everybody", [])
    before = (fold / models.WEIGHTS_FILE).read_bytes()
    assert cli.main(["models", "calibrate", str(fold), str(everybody), "--by", str(results)]) == cli.DONE
    one, all_ = models.open_model(fold), models.open_model(everybody)
    assert one.temperature == pytest.approx(1.5, abs=0.05) and all_.temperature > 1.7
    assert (one.card["calibrated_on"], all_.card["calibrated_on"]) == (["b", "c"], ["a", "b", "c"])
    assert 0 < one.threshold < 1
    assert one.verified_weights() == before
    message = f"fold: temperature {one.temperature:g}, threshold {one.threshold:g}, chosen on 2 patients"
    assert message in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"has no calibration\.json\. Choose the results of"),
        ("{", "cannot be read. Evaluate again"),
        ('{"recipe": "tiny", "patients": {"a": {"voxels": [1], "infected": [0]}}}', "cannot be read. Evaluate again"),
        ("[]", "cannot be read. Evaluate again"),
        ('{"recipe": "other", "patients": {}}', 'are those of the recipe "other", but the model "run" has the recipe'),
        ('{"recipe": "tiny", "patients": {}}', 'fewer than two patients with infection on which "run" can be'),
    ],
)
def test_unusable_results_are_reported(tmp_path: Path, content: str | None, message: str) -> None:
    (tmp_path / "out").mkdir()
    if content is not None:
        (tmp_path / "out" / calibration_file.FILE).write_text(content)
    model = models.open_model(write_run(tmp_path / "run", ["b"]))
    before = json.dumps(model.card)
    with pytest.raises(InputError, match=message):
        calibrate_model(model, tmp_path / "out")
    assert json.dumps(models.open_model(model.folder).card) == before
