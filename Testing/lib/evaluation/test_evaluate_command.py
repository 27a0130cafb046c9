"""`covidseg evaluate`: which patients are evaluated, which files are written, and which errors are reported."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from support.masked_patients import SHAPE, always

from CovidSegLib import models, recipes
from CovidSegLib.cli import main as cli
from CovidSegLib.errors import Cancelled
from CovidSegLib.evaluation import patients, report, tables, whole_scans
from CovidSegLib.models import Model
from CovidSegLib.segmentation import Segmentation
from CovidSegLib.volume import Grid, Volume


def case_rows(markdown: str) -> dict[str, dict[str, str]]:
    """Return the table of cases in evaluation.md: cells by patient and title of the column."""
    section = markdown.partition("## Cases\n\n")[2].partition("\n\n")[0]
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines())
    cells = [dict(zip(head, row, strict=True)) for row in rows]
    return {row["patient"]: row for row in cells}


@pytest.mark.usefixtures("fixed_prediction", "installed_models")
def test_patients_unseen_in_training_are_evaluated(
    evaluate: Callable[..., list[dict[str, str]]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = evaluate()
    assert [(row["patient"], row["structure"]) for row in written] == [
        (patient, structure) for patient in ("p2", "p3") for structure in ("lungs", "infection")
    ]
    assert written[1]["dice"] == "1.0" and written[3]["dice"] == "0.0"
    assert written[3]["hd95_mm"] == written[3]["sensitivity"] == written[0]["lesion_f1"] == ""
    # 6 of the 120 lung voxels are infected, and the predicted probability is 0 everywhere.
    assert (written[1]["calibration_error"], written[0]["calibration_error"]) == ("0.05", "")
    assert (written[1]["lesions_found"], written[3]["lesions_false"], written[1]["true_ml"]) == ("1", "1", "12.0")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == set(report.FILES) - {"scans.csv", "missed.png"}  # p2 has no missed voxels, and p3 no infection
    assert "Done: 10 files" in capsys.readouterr().out
    for name in (*report.PICTURES, "false"):
        height, width, _ = matplotlib.image.imread(tmp_path / "out" / f"{name}.png").shape
        assert height > 200 and width > (600 if name in report.PICTURES else 400)
    p2 = {"sensitivity": 1.0, "precision": 1.0, "calibration_error": 0.05}
    p3 = {"precision": 0.0, "calibration_error": 0.0}
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == {
        "first": {
            "masks": {
                "p2": {"lungs": {"dice": 1.0, "nsd_3mm": 1.0}, "infection": {"dice": 1.0, "nsd_3mm": 1.0, **p2}},
                "p3": {"lungs": {"dice": 1.0, "nsd_3mm": 1.0}, "infection": {"dice": 0.0, "nsd_3mm": 0.0, **p3}},
            },
            "whole_scans": {},
            "single_slices": {
                "count": 1,
                "lungs": {"dice": 1.0, "median": 1.0},
                "infection": {"dice": 1.0, "median": 1.0},
            },
        }
    }
    text = (tmp_path / "out" / "evaluation.md").read_text(encoding="utf-8")
    assert "| Dice | 0.500 [0.000, 1.000] | 0.500 | 2 | - |" in text
    assert "| 95 % Hausdorff distance, mm | 0.0 [-, -] | 0.0 | 1 | - |" in text
    assert "| first | infection | 2 | 6.0 | -10.6 to 22.6 |" in text  # 0 and 12 ml
    assert tables.UNSEEN in text
    for name in ("qc-hc-unet", "covid-segnet"):
        dice = recipes.load(name).reported["infection"]["dice"]
        assert f"| {name}, its paper | {dice:g} |" in text


@pytest.mark.usefixtures("fixed_prediction", "installed_models")
def test_requested_patients_are_evaluated_and_marked_if_seen_in_training(
    evaluate: Callable[..., list[dict[str, str]]], tmp_path: Path
) -> None:
    assert {(row["patient"], row["seen_in_training"]) for row in evaluate("--patients", "p1", "p2")} == {
        ("p1", "yes"),
        ("p2", "no"),
    }
    text = (tmp_path / "out" / "evaluation.md").read_text(encoding="utf-8")
    row = case_rows(text)["p1"]
    assert (row["seen in training"], row["lungs, Dice"], row["Dice"]) == ("yes", "1.000", "0.444")
    assert "| Dice | 1.000 [-, -] | 1.000 | 1 | - |" in text  # p2 only
    evaluate("--patients", "p1", "--overwrite")
    assert tables.ALL_SEEN in (tmp_path / "out" / "evaluation.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("fixed_prediction", "installed_models")
def test_lungs_without_annotation_are_not_measured(
    evaluate: Callable[..., list[dict[str, str]]], data: Path, tmp_path: Path
) -> None:
    """The same scans in the layout of the COVID-19-20 challenge, which has no lungs."""
    folder = data / "covid19_ct_seg_hu"
    for name in ("p2_a", "p3_a"):
        (folder / f"{name}_ct.nii.gz").rename(data / f"{name}_ct.nii.gz")
        (folder / f"{name}_infection.nii.gz").rename(data / f"{name}_seg.nii.gz")
    shutil.rmtree(folder)
    written = evaluate()
    assert [(row["patient"], row["structure"], row["dice"]) for row in written] == [
        ("p2_a", "infection", "1.0"),
        ("p3_a", "infection", "0.0"),
    ]
    assert written[0]["calibration_error"] == "0.05"  # within the predicted lungs
    text = (tmp_path / "out" / "evaluation.md").read_text(encoding="utf-8")
    row = case_rows(text)["p2_a"]
    assert (row["seen in training"], row["lungs, Dice"], row["Dice"]) == ("no", "-", "1.000")
    assert "| first | lungs | 0 | - | - to - |" in text


@pytest.mark.usefixtures("installed_models")
def test_models_are_compared(
    evaluate: Callable[..., list[dict[str, str]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def segment(volume: Volume, model: Model, **options: object) -> Segmentation:
        return always(*([1, 2, 3] if model.name == "first" else [1]))(volume, model, **options)

    monkeypatch.setattr(patients, "segment", segment)
    written = evaluate("--compare", "first", "second")
    assert {(row["model"], row["patient"]) for row in written} == {
        (model, patient) for model in ("first", "second") for patient in ("p2", "p3")
    }
    text = (tmp_path / "out" / "evaluation.md").read_text(encoding="utf-8")
    paper = recipes.load("covid-segnet").reported["infection"]["dice"]
    mean = "0.250 [0.000, 0.500] | 0.250 | 2"  # p2: 2 of 6 voxels, Dice 0.5; p3: 0
    assert "| metric | model | mean [95 % interval] | median | n | its paper | against first |" in text
    assert "| Dice | first | 0.500 [0.000, 1.000] | 0.500 | 2 | - | - |" in text
    assert f"| Dice | second | {mean} | {paper:g} | too few cases (2) |" in text
    assert "| **second**, measured here | 0.250 |" in text
    alone, both = (matplotlib.image.imread(tmp_path / "out" / f"{name}.png").shape for name in ("best", "worst"))
    assert alone[1] == both[1] == pytest.approx(3 * 550, abs=2)  # the CT and two models


@pytest.mark.usefixtures("fixed_prediction")
def test_lungs_of_another_model_that_was_trained_on_the_case_are_noted(
    evaluate: Callable[..., list[dict[str, str]]], installed_models: Path, tmp_path: Path
) -> None:
    shutil.copytree(installed_models / "first", installed_models / "unet-cascade")  # was trained on p1
    card = installed_models / "second" / "card.json"
    card.write_text(json.dumps({**json.loads(card.read_text()), "recipe": "raiu-net"}))
    evaluate("--model", "second", "--protocol", "clinical")
    note = "second uses the lungs of unet-cascade, which was trained on p1"
    assert note in (tmp_path / "out" / "evaluation.md").read_text(encoding="utf-8")
    evaluate("--model", "second", "--protocol", "clinical", "--patients", "p2", "--overwrite")
    assert "uses the lungs of" not in (tmp_path / "out" / "evaluation.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("fixed_prediction")
def test_results_are_stored_in_the_card(evaluate: Callable[..., list[dict[str, str]]], installed_models: Path) -> None:
    folder = installed_models / "first"
    files = sorted(path.name for path in folder.iterdir())
    before = json.loads((folder / "card.json").read_text())
    evaluate("--card")
    after = models.find_model("first").card
    assert after["results"]["masks"]["p2"]["lungs"] == {"dice": 1.0, "nsd_3mm": 1.0}
    assert {**after, "results": {}} == before
    assert sorted(path.name for path in folder.iterdir()) == files


@pytest.mark.usefixtures("fixed_prediction", "installed_models")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--patients", "p9"], 'has no patient "p9" with masks of infection. Patients and scans: p1, p2, p3, single.'),
        (["--model", "third"], 'There is no model "third"'),
        (["--compare", "first"], "two or more different models"),
        (["--compare", "first", "first"], "two or more different models"),
        (["--card", "--patients", "p1"], "use --card with --model, and without --compare, "),
        (["--card", "--compare", "first", "second"], "use --card with --model"),
        (["--folds", "3"], "--folds is an option of the cross-validation of a recipe: give --recipe with it."),
        (["--recipe", "chs-net", "--epochs", "0"], "Give 1 or more to --epochs."),
        (["--recipe", "chs-net", "--folds", "5"], "4 patients cannot be divided into 5 folds. Choose 2 to 4 folds."),
        (["--recipe", "chs-net", "--folds", "1"], "4 patients cannot be divided into 1 folds"),
        (["--recipe", "chs", "--folds", "2"], 'There is no recipe "chs"'),
        (["--recipe", "chs-net", "--folds", "2", "--ablation", "X"], 'has no row "X"'),
    ],
)
def test_unusable_arguments_are_reported(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert cli.main(["evaluate", str(data), "-o", str(tmp_path / "out"), *arguments]) == cli.UNUSABLE
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("fixed_prediction", "installed_models")
def test_unusable_data_is_reported(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def error_for(folder: Path) -> str:
        assert cli.main(["evaluate", str(folder), "-o", str(tmp_path / "out")]) == cli.UNUSABLE
        assert not (tmp_path / "out").exists()
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        return error

    assert "There is no folder" in error_for(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    assert "has a known layout" in error_for(tmp_path / "empty")
    card = models.find_model("first").folder / "card.json"
    card.write_text(json.dumps({**json.loads(card.read_text()), "trained_on": ["p1", "p2", "p3", "single"]}))
    assert "Name patients with --patients" in error_for(data)
    index = data / "covid19_ct_seg_hu" / "index.json"
    index.write_text("{}{")
    assert "which lists the runs of slices, is missing or cannot be read" in error_for(data)
    index.unlink()
    assert "which lists the runs of slices, is missing or cannot be read" in error_for(data)
    (data / "covid_ct_md").mkdir()
    index.write_text("[]")
    assert "which lists the infected slices, is missing or cannot be read" in error_for(data)


@pytest.mark.usefixtures("fixed_prediction", "installed_models")
def test_earlier_results_are_not_overwritten(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "cases.csv").write_text("mine")
    assert cli.main(["evaluate", str(data), "-o", str(tmp_path / "out")]) == cli.UNUSABLE
    assert "already holds results" in capsys.readouterr().err
    assert (tmp_path / "out" / "cases.csv").read_text() == "mine"


@pytest.mark.usefixtures("fixed_prediction", "installed_models")
@pytest.mark.parametrize(
    "where", ["CovidSegLib.evaluation.patients.segment", "CovidSegLib.evaluation.report.draw_comparison"]
)
def test_a_cancelled_run_leaves_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], where: str
) -> None:
    def cancel(*arguments: object, **options: object) -> None:
        raise Cancelled

    monkeypatch.setattr(where, cancel)
    assert cli.main(["evaluate", str(data), "-o", str(tmp_path / "out")]) == cli.CANCELLED
    assert "nothing was written" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("installed_models")
def test_a_data_set_of_whole_scans_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "data" / "covid_ct_md"
    folder.mkdir(parents=True)
    facts = {name: {"diagnosis": "COVID-19", "infected_slices": [0, 1]} for name in ("n1", "p1")}
    (folder / "labels.json").write_text(json.dumps({"cases": facts}))
    grid = Grid(SHAPE, (10.0, 10.0, 20.0))
    monkeypatch.setattr(whole_scans, "read_volume", lambda path: Volume(np.zeros(SHAPE, np.int16), grid))
    monkeypatch.setattr(whole_scans, "segment", always(5, 4, 3))
    assert cli.main(["evaluate", str(folder.parent), "-o", str(tmp_path / "out")]) == cli.DONE
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"evaluation.md", "scans.csv", "results.json"}
    text = (tmp_path / "out" / "evaluation.md").read_text(encoding="utf-8")
    assert "| first | n1 | COVID-19 | 1.0 | 0.75 | 5.0 | 12.0 | 240 | - | no |" in text
    assert "| first | p1 | COVID-19 | 1.0 | 0.75 | 5.0 | 12.0 | 240 | - | its clean slices |" in text


@pytest.mark.usefixtures("fixed_prediction", "installed_models")
def test_single_slices_are_cases_of_their_own(
    evaluate: Callable[..., list[dict[str, str]]], data: Path, tmp_path: Path
) -> None:
    """A patient with a scan has none; the other slice is predicted as the middle of a scan of its copies."""
    index = data / "covid19_ct_seg_hu" / "index.json"
    listed = json.loads(index.read_text())
    for kind in ("ct", "lung", "infection"):
        shutil.copy(index.with_name(f"single_a_{kind}.nii.gz"), index.with_name(f"single_b_{kind}.nii.gz"))
    shutil.copy(index.with_name("single_a_lung.nii.gz"), index.with_name("single_b_infection.nii.gz"))
    index.write_text(json.dumps([*listed, {"name": "single_b", "patient": "single", "slices": 1}]))
    assert {row["patient"] for row in evaluate()} == {"p2", "p3"}
    with (tmp_path / "out" / "slices.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = {(row["patient"], row["structure"]): float(row["dice"]) for row in csv.DictReader(file)}
    # single_b: 2 of 20 infected voxels are predicted.
    assert rows == {
        ("single_a", "lungs"): 1.0,
        ("single_a", "infection"): 1.0,
        ("single_b", "lungs"): 1.0,
        ("single_b", "infection"): pytest.approx(4 / 22, abs=1e-6),
    }
    text = (tmp_path / "out" / "evaluation.md").read_text(encoding="utf-8")
    assert "## Single slices" in text and "| first | infection | 0.591 [0.182, 1.000] | 0.591 | 2 | no |" in text
