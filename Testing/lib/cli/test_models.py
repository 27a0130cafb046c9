"""`covidseg models`: the list, its JSON, and what `show` adds. See models/test_model_store.py for the other actions."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from CovidSegLib import models
from CovidSegLib.cli.main import DONE, UNUSABLE, main
from CovidSegLib.models.description import describe


@pytest.fixture
def packed(run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> models.Model:
    """The user's own model "mine"."""
    monkeypatch.setitem(sys.modules, "onnx", None)  # type: ignore[arg-type]  # exporting networks takes seconds
    assert main(["models", "pack", str(run), "--name", "mine"]) == DONE
    capsys.readouterr()
    return models.find_model("mine")


@pytest.mark.usefixtures("packed")
@pytest.mark.parametrize("arguments", [[], ["list"]])
def test_models_are_listed_one_line_each(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", *arguments]) == DONE
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["NAME", "ORIGIN", "SIZE", "DESCRIPTION"]
    origins = {models.DEFAULT: "default", "mine": "yours"}
    assert [row.split()[:2] for row in rows] == [[name, origins.get(name, "CovidSeg")] for name in models.names()]
    assert {"mine", "unet-cascade", "covid-segnet-2d"} < {*models.names()}
    for row, model in zip(rows, models.installed(), strict=True):
        assert row.endswith(f"{model.title}. {model.summary}")
        assert f" {model.weights.stat().st_size / 1e6:.1f} MB " in row


@pytest.mark.parametrize("arguments", [["--json"], ["list", "--json"]])
def test_models_are_listed_as_json(
    packed: models.Model, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", *arguments]) == DONE
    records = json.loads(capsys.readouterr().out)
    assert [record["name"] for record in records] == models.names()
    assert [record["default"] for record in records] == [True, *[False] * (len(records) - 1)]
    assert next(record for record in records if record["name"] == "mine") == {
        "name": "mine",
        "title": packed.title,
        "summary": packed.summary,
        "licence": packed.card["licence"],
        "recipe": "tiny",
        "default": False,
        "shipped": False,
        "weights": str(packed.weights),
        "bytes": packed.weights.stat().st_size,
    }


def test_json_is_for_the_list_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json", "verify"]) == UNUSABLE
    assert "--json prints the list of models" in capsys.readouterr().err


def test_damaged_models_are_listed_with_the_others(
    packed: models.Model, own_models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(packed.folder, own_models / "other")
    (own_models / "other" / "card.json").write_text("{")
    packed.weights.unlink()
    assert main(["models"]) == DONE
    printed, errors = capsys.readouterr()
    rows = {row.split()[0]: row for row in printed.splitlines()}
    assert rows["mine"].split()[2] == "missing"
    assert rows["other"].endswith("unusable: its card is damaged")
    assert errors.startswith("Note: The card of the model ") and "cannot be read" in errors
    assert main(["models", "--json"]) == DONE
    records = {record["name"]: record for record in json.loads(capsys.readouterr().out)}
    mine, other = records["mine"], records["other"]
    assert mine["bytes"] is None
    assert "cannot be read" in other["error"]


def test_show_prints_the_card_and_the_path(packed: models.Model, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, model in ([], models.find_model()), (["mine"], packed):
        assert main(["models", "show", *arguments]) == DONE
        printed = capsys.readouterr().out
        assert printed == f"{describe(model)}- Weights file: `{model.weights}`\n"
        assert f"Licence of the weights: {model.card['licence']}" in printed
