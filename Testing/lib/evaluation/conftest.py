"""A data set, models and segmentations for tests of the evaluation."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from support.masked_patients import always, write_masked_patients

from CovidSegLib import models
from CovidSegLib.cli import main as cli
from CovidSegLib.evaluation import patients


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three patients with masks."""
    return write_masked_patients(tmp_path / "data")


@pytest.fixture
def fixed_prediction(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every model predicts infection in slices 1, 2 and 3."""
    monkeypatch.setattr(patients, "segment", always(1, 2, 3))


@pytest.fixture
def installed_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of two models: "first", the default, was trained on p1; "second" on none of the patients."""
    for name, trained_on, recipe in (("first", ["p1"], "unet-cascade"), ("second", [], "covid-segnet")):
        shutil.copytree(models.find_model().folder, tmp_path / "models" / name, ignore=lambda *_: ["model.safetensors"])
        card = tmp_path / "models" / name / "card.json"
        changes = {"trained_on": trained_on, "recipe": recipe, "results": {}, "temperature": 1.0}
        card.write_text(json.dumps({**json.loads(card.read_text()), **changes}))
    monkeypatch.setattr(models.folders, "WEIGHTS", tmp_path / "models")
    monkeypatch.setattr(models.catalogue, "DEFAULT", "first")
    return tmp_path / "models"


@pytest.fixture
def evaluate(data: Path, tmp_path: Path) -> Callable[..., list[dict[str, str]]]:
    """Run `covidseg evaluate`, which must succeed, and return the rows of cases.csv."""

    def run(*arguments: str) -> list[dict[str, str]]:
        assert cli.main(["evaluate", str(data), "-o", str(tmp_path / "out"), *arguments]) == cli.DONE
        with (tmp_path / "out" / "cases.csv").open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))

    return run
