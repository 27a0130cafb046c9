"""Models are found by name, and their weights are used only if they are those that the card describes."""

from __future__ import annotations

import csv
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import CovidSegLib
from CovidSegLib import models
from CovidSegLib.errors import InputError

#: Splits and results of the cross-validation that evaluates the default model.
CROSS_VALIDATION = Path(CovidSegLib.__file__).parents[1] / "Resources" / "CrossValidation"
WEIGHTS = b"stand for safetensors"
CARD: dict[str, Any] = {
    "title": "A model",
    "summary": "It finds things.",
    "recipe": "unet-cascade",
    "sha256": hashlib.sha256(WEIGHTS).hexdigest(),
    "threshold": 0.4,
    "licence": "none",
}


@pytest.fixture
def shipped_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in place of the models that come with CovidSeg."""
    monkeypatch.setattr(models.folders, "WEIGHTS", tmp_path)
    return tmp_path


def write_model(shipped_folder: Path, name: str, card: object = CARD, weights: bytes | None = WEIGHTS) -> Path:
    folder = shipped_folder / name
    folder.mkdir()
    text = card if isinstance(card, str) else json.dumps(card)
    (folder / "card.json").write_text(text, encoding="utf-8")
    if weights is not None:
        (folder / "model.safetensors").write_bytes(weights)
    return folder


def test_released_models_are_complete() -> None:
    released = models.installed()
    assert [model.name for model in released] == models.names()
    assert released[0].name == models.DEFAULT
    assert models.find_model() == released[0]
    for model in released:
        assert hashlib.sha256(model.verified_weights()).hexdigest() == model.card["sha256"]
        assert model.card["limits"]
    weights = list(models.WEIGHTS.rglob("*.safetensors"))
    assert sum(path.stat().st_size for path in weights) < 25e6  # the history of the repository keeps every version
    assert sum(path.stat().st_size for path in models.find_model().folder.iterdir()) < 8e6
    assert not list(CROSS_VALIDATION.rglob("*.safetensors"))


def test_each_patient_in_the_default_s_card_is_held_out_by_one_run_of_the_cross_validation() -> None:
    """`covidseg train` and `covidseg evaluate --runs` can reproduce the table of the card."""
    default = models.find_model()
    tests, trained_on = [], []
    for folder in sorted(CROSS_VALIDATION.glob("fold-*")):
        split = json.loads((folder / "split.json").read_text())
        scans = (folder / "whole_scans.txt").read_text().split()
        tests.append(set(split["test"]))
        trained_on.append({*split["train"], *scans})
        assert tests[-1] and not tests[-1] & trained_on[-1] and trained_on[-1] <= default.seen
    results = default.card["results"]
    assert [sum(patient in test for test in tests) for patient in results["masks"]] == [1] * len(results["masks"])
    for scan in results["whole_scans"]:
        assert any(scan not in seen for seen in trained_on)


def test_the_numbers_of_the_default_s_card_are_those_of_the_cross_validation() -> None:
    results = models.find_model().card["results"]
    with (CROSS_VALIDATION / "cases.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    for patient, by_structure in results["masks"].items():
        for structure, of in by_structure.items():
            found = [row for row in rows if row["patient"] == patient and row["structure"] == structure]
            assert np.mean([float(row["dice"]) for row in found]) == pytest.approx(of["dice"], abs=5e-4)
    with (CROSS_VALIDATION / "slices.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = [row for row in csv.DictReader(file) if row["structure"] == "infection"]
    assert len(rows) == results["single_slices"]["count"]
    dice = np.mean([float(row["dice"]) for row in rows])
    assert dice == pytest.approx(results["single_slices"]["infection"]["dice"], abs=5e-4)
    with (CROSS_VALIDATION / "scans.csv").open(newline="", encoding="utf-8-sig") as file:
        found = {row["scan"]: float(row["infection_ml"]) for row in csv.DictReader(file)}
    assert found == {scan: of["infection_ml"] for scan, of in results["whole_scans"].items()}


def test_models_are_listed_without_torch() -> None:
    """Slicer's own process lists them, and torch crashes there."""
    script = "import sys; from CovidSegLib import models; models.installed(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=Path(CovidSegLib.__file__).parents[1]).returncode == 0


def test_models_are_found_by_name_and_the_default_is_listed_first(shipped_folder: Path) -> None:
    for name in ("zeta", models.DEFAULT, "alpha"):
        write_model(shipped_folder, name, {**CARD, "title": name.upper()})
    assert [model.name for model in models.installed()] == [models.DEFAULT, "alpha", "zeta"]
    model = models.find_model("zeta")
    assert (model.title, model.summary, model.recipe) == ("ZETA", "It finds things.", "unet-cascade")
    assert (model.threshold, model.temperature) == (0.4, 1.0)
    assert model.verified_weights() == WEIGHTS
    assert models.find_model().name == models.DEFAULT


@pytest.mark.parametrize("name", ["beta", "../alpha", "/"])
def test_the_error_for_an_unknown_model_names_the_installed_ones(shipped_folder: Path, name: str) -> None:
    write_model(shipped_folder, "alpha")
    with pytest.raises(InputError, match=r'There is no model ".+"\. Installed models: alpha\.'):
        models.find_model(name)


def test_an_empty_name_means_the_default(shipped_folder: Path) -> None:
    write_model(shipped_folder, models.DEFAULT)
    assert models.find_model("") == models.find_model()


def test_the_users_own_models_are_found_too(shipped_folder: Path, own_models: Path) -> None:
    """But none of them replaces a model that comes with CovidSeg."""
    write_model(shipped_folder, "alpha")
    own_models.mkdir()
    write_model(own_models, "alpha", {**CARD, "title": "another"})
    write_model(own_models, "mine", weights=b"changed")
    assert [(model.name, model.title, model.shipped) for model in models.installed()] == [
        ("alpha", "A model", True),
        ("mine", "A model", False),
    ]
    with pytest.raises(InputError, match="Please install or pack this model again"):
        models.find_model("mine").verified_weights()


def test_the_user_s_folder_is_in_the_system_s_folder_for_application_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COVIDSEG_MODELS")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    monkeypatch.setenv("LOCALAPPDATA", "/local")
    found = {}
    for system in ("linux", "win32", "darwin"):
        monkeypatch.setattr(sys, "platform", system)
        found[system] = models.user_folder()
    assert found["linux"] == Path("/data/covidseg/models")
    assert found["win32"] == Path("/local/CovidSeg/models")
    assert found["darwin"] == Path.home() / "Library/Application Support/CovidSeg/models"


def test_without_any_model(shipped_folder: Path) -> None:
    assert models.installed() == []
    with pytest.raises(InputError, match=r"Installed models: none\."):
        models.find_model()


@pytest.mark.parametrize("at", [0, len(WEIGHTS) // 2, -1])
def test_a_changed_byte_is_detected(shipped_folder: Path, at: int) -> None:
    changed = bytearray(WEIGHTS)
    changed[at] ^= 1
    write_model(shipped_folder, "alpha", weights=bytes(changed))
    with pytest.raises(InputError, match=r'"alpha" are not those that its card describes .* install CovidSeg again\.'):
        models.find_model("alpha").verified_weights()


@pytest.mark.parametrize("weights", [b"", WEIGHTS[:-1], WEIGHTS + b"\0"])
def test_weights_of_another_length_are_detected(shipped_folder: Path, weights: bytes) -> None:
    write_model(shipped_folder, "alpha", weights=weights)
    with pytest.raises(InputError, match="SHA-256"):
        models.find_model("alpha").verified_weights()


def test_missing_weights_are_reported(shipped_folder: Path) -> None:
    write_model(shipped_folder, "alpha", weights=None)
    with pytest.raises(InputError, match=r'weights of the model "alpha" are missing .* install CovidSeg again\.'):
        models.find_model("alpha").verified_weights()


BROKEN = {
    "empty": ("", "cannot be read"),
    "cut off": (json.dumps(CARD)[:-9], "cannot be read"),
    "a list": ([CARD], "is not a JSON object"),
    "no hash": ({key: CARD[key] for key in CARD if key != "sha256"}, 'lacks "sha256"'),
    "two lacking": ({**CARD, "title": None, "licence": 3}, 'lacks "title", "licence"'),
    "no threshold": ({key: CARD[key] for key in CARD if key != "threshold"}, 'no "threshold" between 0 and 1'),
    "a list that is none": ({**CARD, "trained_on": 3}, 'a value for "trained_on" that is not a list of texts'),
    "a list of numbers": ({**CARD, "limits": [3]}, 'a value for "limits" that is not a list of texts'),
    "temperature 0": ({**CARD, "temperature": 0.0}, 'a "temperature" that is not a number above 0'),
    "temperature in words": ({**CARD, "temperature": "1"}, 'a "temperature" that is not a number above 0'),
    "threshold in words": ({**CARD, "threshold": "0.5"}, 'no "threshold" between 0 and 1'),
    "threshold in percent": ({**CARD, "threshold": 50.0}, 'no "threshold" between 0 and 1'),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_card_is_reported_and_leaves_other_models_usable(shipped_folder: Path, kind: str) -> None:
    card, expected = BROKEN[kind]
    write_model(shipped_folder, "alpha", card)
    write_model(shipped_folder, "beta")
    with pytest.raises(InputError) as caught:
        models.find_model("alpha")
    message = str(caught.value)
    assert message.startswith('The card of the model "alpha" ')
    assert expected in message
    assert message.endswith(". Please install CovidSeg again.")
    assert [model.name for model in models.installed()] == ["beta"]


def test_a_card_that_is_not_text(shipped_folder: Path) -> None:
    (write_model(shipped_folder, "alpha") / "card.json").write_bytes(b"\xff\xfe\x00{")
    with pytest.raises(InputError, match='"alpha" cannot be read'):
        models.find_model("alpha")
