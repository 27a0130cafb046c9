"""`covidseg evaluate`: how masks and slices are counted, what is written, and what is told."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from support.masked_patients import RUNS, SHAPE, always, segmented, write_masked_patients

from CovidSegLib import models, recipes
from CovidSegLib.cli import main as cli
from CovidSegLib.data import open_data
from CovidSegLib.errors import Cancelled, InputError
from CovidSegLib.evaluation import patients, report, tables, whole_scans
from CovidSegLib.figures.slices import SliceView, draw_comparison
from CovidSegLib.models import Model
from CovidSegLib.segmentation import Segmentation
from CovidSegLib.volume import Grid, Volume

MODEL = Model(Path("nowhere"), {"trained_on": ["p1"]})


DIRECTIONS = {"from the feet": (1, 0, 0, 0, 1, 0, 0, 0, 1), "from the head": (1, 0, 0, 0, 1, 0, 0, 0, -1)}


@pytest.mark.parametrize("stored", DIRECTIONS)
def test_slices_of_whole_scans_are_counted_from_the_head(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored: str
) -> None:
    """Infected are 0, 1 and 2 from the head; found are 1, 2 and 5."""
    facts = {"p1": {"diagnosis": "COVID-19", "infected_slices": [0, 1, 2]}}
    facts["n1"] = {"diagnosis": "normal", "infected_slices": []}
    facts["p2"] = {"diagnosis": "CAP", "infected_slices": [9]}  # is not asked for
    (tmp_path / "labels.json").write_text(json.dumps({"cases": facts}))
    grid = Grid(SHAPE, (10.0, 10.0, 20.0), direction=tuple(map(float, DIRECTIONS[stored])))
    from_head = (1, 2, 5)
    found = segmented(grid, *(from_head if stored == "from the head" else [5 - z for z in from_head]))
    monkeypatch.setattr(whole_scans, "read_volume", lambda path: Volume(np.zeros(SHAPE, np.int16), grid))
    monkeypatch.setattr(whole_scans, "segment", lambda volume, model, **options: found)
    results = whole_scans.evaluate_whole_scans(tmp_path, MODEL, ["p1", "n1"])
    assert results == {
        "p1": {
            "diagnosis": "COVID-19",
            "sensitivity": 0.667,
            "specificity": 0.667,
            "involvement_percent": 5.0,
            "lungs_ml": 240,
        },
        "n1": {
            "diagnosis": "normal",
            "sensitivity": None,
            "specificity": 0.5,
            "involvement_percent": 5.0,
            "lungs_ml": 240,
        },
    }


# On masks


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three patients with masks."""
    return write_masked_patients(tmp_path / "data")


@pytest.fixture
def instant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patients, "segment", always(1, 2, 3))


@pytest.mark.usefixtures("instant")
def test_the_slices_where_most_is_wrong_are_kept(data: Path) -> None:
    """Found are slices 1, 2 and 3, true 0 and 1 of p1_a and 2 of p1_b; two voxels of 1 cm2 each."""
    cases = [case for case in open_data(data).cases() if case.name in RUNS]
    p1, p2, _ = patients.evaluate_patients(cases, MODEL)
    assert (p1.failures["missed"].location, p1.failures["missed"].error_mm2("missed")) == ("p1_a, slice 1 of 6", 200)
    assert p1.failures["missed"].error_mm2("false") == 0
    assert (p1.failures["false"].location, p1.failures["false"].error_mm2("false")) == ("p1_a, slice 3 of 6", 200)
    assert p2.failures["false"].error_mm2("false") == p2.failures["missed"].error_mm2("missed") == 0


@pytest.mark.usefixtures("instant")
def test_the_runs_of_a_patient_are_one_case(data: Path) -> None:
    """Slices found: 3 and 3; true: 2 and 1; both: 1 and 1."""
    cases = [case for case in open_data(data).cases() if case.name in RUNS]
    told: list[float] = []
    results = patients.evaluate_patients(cases, MODEL, progress=lambda stage, fraction: told.append(fraction))
    assert [(one.patient, one.seen) for one in results] == [("p1", True), ("p2", False), ("p3", False)]
    p1, p2, p3 = (one.measured for one in results)
    assert p1["infection"].voxels.dice == pytest.approx(4 / 9)
    assert (p1["infection"].slices.sensitivity, p1["infection"].slices.specificity) == (2 / 3, 5 / 9)
    assert p1["infection"].target_ml == pytest.approx(3 * 2 * 2.0)  # voxels of 10 x 10 x 20 mm
    assert (p1["lungs"].voxels.dice, p2["infection"].voxels.dice, p3["infection"].voxels.dice) == (1, 1, 0)
    # The lungs fill the files, so all but their ends, beyond which the scan goes on, is surface.
    assert p2["lungs"].surface.target_to_prediction.size == 6 * (4 * 5 - 2 * 3)
    assert told == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert results[0].view.location == "p1_a, slice 1 of 6"
    assert results[1].view.target.sum() == 2
    assert results[1].view.spacing == (10.0, 10.0)


def test_a_case_that_cannot_be_segmented_is_named(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise InputError("No lungs were found.")

    monkeypatch.setattr(patients, "segment", refuse)
    with pytest.raises(InputError, match=r"^p1_a: No lungs were found\.$"):
        patients.evaluate_patients(open_data(data).cases()[:1], MODEL)


# The command


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two models, which were trained on p1, and on nobody here."""
    for name, trained_on, recipe in (("first", ["p1"], "unet-cascade"), ("second", [], "covid-segnet")):
        shutil.copytree(models.find_model().folder, tmp_path / "models" / name, ignore=lambda *_: ["model.safetensors"])
        card = tmp_path / "models" / name / "card.json"
        changed = {
            **json.loads(card.read_text()),
            "trained_on": trained_on,
            "recipe": recipe,
            "results": {},
            "temperature": 1.0,
        }
        card.write_text(json.dumps(changed))
    monkeypatch.setattr(models.folders, "WEIGHTS", tmp_path / "models")
    monkeypatch.setattr(models.catalogue, "DEFAULT", "first")
    return tmp_path / "models"


@pytest.fixture
def rows(data: Path, tmp_path: Path) -> Callable[..., list[dict[str, str]]]:
    """Runs the command, which must end well; gives the rows of cases.csv."""

    def run(*arguments: str) -> list[dict[str, str]]:
        assert cli.main(["evaluate", str(data), "-o", str(tmp_path / "out"), *arguments]) == cli.DONE
        with (tmp_path / "out" / "cases.csv").open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))

    return run


@pytest.mark.usefixtures("instant", "shelf")
def test_it_measures_whom_the_model_never_saw(
    rows: Callable[..., list[dict[str, str]]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = rows()
    assert [(row["patient"], row["structure"]) for row in written] == [
        (patient, structure) for patient in ("p2", "p3") for structure in ("lungs", "infection")
    ]
    assert written[1]["dice"] == "1.0" and written[3]["dice"] == "0.0"
    assert written[3]["hd95_mm"] == written[3]["sensitivity"] == written[0]["lesion_f1"] == ""
    # Six of the 120 voxels of lung are infected, and all are given a probability of 0.
    assert (written[1]["calibration_error"], written[0]["calibration_error"]) == ("0.05", "")
    assert (written[1]["lesions_found"], written[3]["lesions_false"], written[1]["true_ml"]) == ("1", "1", "12.0")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == set(report.FILES) - {"scans.csv", "missed.png"}  # of p2 nothing is missed, in p3 there is nothing
    assert "Done: 9 files" in capsys.readouterr().out
    for name in (*report.PICTURES, "false"):
        height, width, _ = matplotlib.image.imread(tmp_path / "out" / f"{name}.png").shape
        assert height > 200 and width > (600 if name in report.PICTURES else 400)
    sure = {"sensitivity": 1.0, "precision": 1.0, "calibration_error": 0.05}
    false = {"precision": 0.0, "calibration_error": 0.0}
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == {
        "first": {
            "masks": {
                "p2": {"lungs": {"dice": 1.0, "nsd_3mm": 1.0}, "infection": {"dice": 1.0, "nsd_3mm": 1.0, **sure}},
                "p3": {"lungs": {"dice": 1.0, "nsd_3mm": 1.0}, "infection": {"dice": 0.0, "nsd_3mm": 0.0, **false}},
            },
            "whole_scans": {},
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


@pytest.mark.usefixtures("instant", "shelf")
def test_patients_that_were_asked_for_and_whether_they_were_seen(
    rows: Callable[..., list[dict[str, str]]], tmp_path: Path
) -> None:
    assert {(row["patient"], row["seen_in_training"]) for row in rows("--patients", "p1", "p2")} == {
        ("p1", "yes"),
        ("p2", "no"),
    }
    text = (tmp_path / "out" / "evaluation.md").read_text(encoding="utf-8")
    assert "| first | p1 | yes | 1.000 | 0.444 |" in text
    assert "| Dice | 1.000 [-, -] | 1.000 | 1 | - |" in text  # of p2 alone
    rows("--patients", "p1", "--overwrite")
    assert tables.ALL_SEEN in (tmp_path / "out" / "evaluation.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("instant", "shelf")
def test_lungs_that_nobody_has_drawn_are_not_measured(
    rows: Callable[..., list[dict[str, str]]], data: Path, tmp_path: Path
) -> None:
    """The same scans in the layout of the COVID-19-20 challenge, which has no lungs."""
    folder = data / "covid19_ct_seg_hu"
    for name in ("p2_a", "p3_a"):
        (folder / f"{name}_ct.nii.gz").rename(data / f"{name}_ct.nii.gz")
        (folder / f"{name}_infection.nii.gz").rename(data / f"{name}_seg.nii.gz")
    shutil.rmtree(folder)
    written = rows()
    assert [(row["patient"], row["structure"], row["dice"]) for row in written] == [
        ("p2_a", "infection", "1.0"),
        ("p3_a", "infection", "0.0"),
    ]
    assert written[0]["calibration_error"] == "0.05"  # within the lungs that the model found
    text = (tmp_path / "out" / "evaluation.md").read_text(encoding="utf-8")
    assert "| first | p2_a | no | - | 1.000 |" in text
    assert "| first | lungs | 0 | - | - to - |" in text


@pytest.mark.usefixtures("shelf")
def test_models_side_by_side(
    rows: Callable[..., list[dict[str, str]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def segment(volume: Volume, model: Model, **options: object) -> Segmentation:
        return always(*([1, 2, 3] if model.name == "first" else [1]))(volume, model, **options)

    monkeypatch.setattr(patients, "segment", segment)
    written = rows("--compare", "first", "second")
    assert {(row["model"], row["patient"]) for row in written} == {
        (model, patient) for model in ("first", "second") for patient in ("p2", "p3")
    }
    text = (tmp_path / "out" / "evaluation.md").read_text(encoding="utf-8")
    paper = recipes.load("covid-segnet").reported["infection"]["dice"]
    mean = "0.250 [0.000, 0.500] | 0.250 | 2"  # of 2 of the 6 voxels, 0.5, and 0
    assert "| metric | model | mean [95 % interval] | median | n | its paper | against first |" in text
    assert "| Dice | first | 0.500 [0.000, 1.000] | 0.500 | 2 | - | - |" in text
    assert f"| Dice | second | {mean} | {paper:g} | too few cases (2) |" in text
    assert "| **second**, measured here | 0.250 |" in text
    alone, both = (matplotlib.image.imread(tmp_path / "out" / f"{name}.png").shape for name in ("best", "worst"))
    assert alone[1] == both[1] == pytest.approx(3 * 550, abs=2)  # the CT and two models


def test_many_models_stand_below_each_other(tmp_path: Path) -> None:
    """In rows that fit on a screen."""
    disc = np.hypot(*np.mgrid[-20:20, -20:20]) < 8
    view = SliceView("case, slice 1 of 1", np.where(disc, -300.0, -850.0), disc, disc, (1.0, 1.0))
    sizes = []
    for number in (3, 6):
        draw_comparison(tmp_path / "p.png", "Title", {f"model {each}": view for each in range(number)})
        sizes.append(matplotlib.image.imread(tmp_path / "p.png").shape)
    assert sizes[0][1] == sizes[1][1] == pytest.approx(4 * 550, abs=2)
    assert sizes[1][0] > 1.8 * sizes[0][0]


@pytest.mark.usefixtures("instant")
def test_lungs_of_another_model_that_has_seen_the_case_are_told(
    rows: Callable[..., list[dict[str, str]]], shelf: Path, tmp_path: Path
) -> None:
    shutil.copytree(shelf / "first", shelf / "unet-cascade")  # was trained on p1
    card = shelf / "second" / "card.json"
    card.write_text(json.dumps({**json.loads(card.read_text()), "recipe": "raiu-net"}))
    rows("--model", "second")
    told = "The lungs of second are those of unet-cascade, which has seen p1 in training"
    assert told in (tmp_path / "out" / "evaluation.md").read_text(encoding="utf-8")
    rows("--model", "second", "--patients", "p2", "--overwrite")
    assert "The lungs of" not in (tmp_path / "out" / "evaluation.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("instant")
def test_the_numbers_go_into_the_card(rows: Callable[..., list[dict[str, str]]], shelf: Path) -> None:
    before = json.loads((shelf / "first" / "card.json").read_text())
    rows("--card")
    after = models.find_model("first").card
    assert after["results"]["masks"]["p2"]["lungs"] == {"dice": 1.0, "nsd_3mm": 1.0}
    assert {**after, "results": {}} == before
    assert [path.name for path in (shelf / "first").iterdir()] == ["card.json"]


@pytest.mark.usefixtures("instant", "shelf")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--patients", "p9"], "there is no patient “p9” with two slices or more; there are: p1, p2, p3."),
        (["--patients", "single"], "there is no patient “single”"),
        (["--model", "third"], 'There is no model "third"'),
        (["--compare", "first"], "two or more different models"),
        (["--compare", "first", "first"], "two or more different models"),
        (["--card", "--patients", "p1"], "use --card with --model, and without --compare, "),
        (["--card", "--compare", "first", "second"], "use --card with --model"),
        (["--folds", "3"], "--folds is an option of the cross-validation of a recipe: give --recipe with it."),
        (["--recipe", "chs-net", "--epochs", "0"], "Give 1 or more to --epochs."),
        (["--recipe", "chs-net", "--folds", "4"], "3 patients cannot be divided into 4 folds. Choose 2 to 3 folds."),
        (["--recipe", "chs-net", "--folds", "1"], "3 patients cannot be divided into 1 folds"),
        (["--recipe", "chs", "--folds", "2"], "There is no recipe “chs”"),
        (["--recipe", "chs-net", "--folds", "2", "--ablation", "X"], "has no row “X”"),
    ],
)
def test_wrong_arguments_are_told(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert cli.main(["evaluate", str(data), "-o", str(tmp_path / "out"), *arguments]) == cli.UNUSABLE
    said = capsys.readouterr().err
    assert told in said and said.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("instant", "shelf")
def test_data_that_is_not_there_is_told(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def told(folder: Path) -> str:
        assert cli.main(["evaluate", str(folder), "-o", str(tmp_path / "out")]) == cli.UNUSABLE
        assert not (tmp_path / "out").exists()
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        return said

    assert "There is no folder" in told(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    assert "has a known layout" in told(tmp_path / "empty")
    card = models.find_model("first").folder / "card.json"
    card.write_text(json.dumps({**json.loads(card.read_text()), "trained_on": ["p1", "p2", "p3"]}))
    assert "name patients with --patients" in told(data)
    index = data / "covid19_ct_seg_hu" / "index.json"
    index.write_text("{}{")
    assert "which lists the runs of slices, is missing or cannot be read" in told(data)
    index.unlink()
    assert "which lists the runs of slices, is missing or cannot be read" in told(data)
    (data / "covid_ct_md").mkdir()
    index.write_text("[]")
    assert "which lists the infected slices, is missing or cannot be read" in told(data)


@pytest.mark.usefixtures("instant", "shelf")
def test_earlier_results_are_kept_unless_told_otherwise(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "cases.csv").write_text("mine")
    assert cli.main(["evaluate", str(data), "-o", str(tmp_path / "out")]) == cli.UNUSABLE
    assert "already holds results" in capsys.readouterr().err
    assert (tmp_path / "out" / "cases.csv").read_text() == "mine"


@pytest.mark.usefixtures("instant", "shelf")
@pytest.mark.parametrize(
    "where", ["CovidSegLib.evaluation.patients.segment", "CovidSegLib.evaluation.report.draw_comparison"]
)
def test_a_run_that_is_cancelled_leaves_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], where: str
) -> None:
    def cancel(*arguments: object, **options: object) -> None:
        raise Cancelled

    monkeypatch.setattr(where, cancel)
    assert cli.main(["evaluate", str(data), "-o", str(tmp_path / "out")]) == cli.CANCELLED
    assert "nothing was written" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("shelf")
def test_whole_scans_alone_are_measured_too(
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
    assert "| first | n1 | COVID-19 | 1.0 | 0.75 | 5.0 | 240 | no |" in text
    assert "| first | p1 | COVID-19 | 1.0 | 0.75 | 5.0 | 240 | its clean slices |" in text


def test_best_median_and_worst_are_by_the_mean_over_models() -> None:
    class Given:
        def __init__(self, patient: str, dice: float) -> None:
            counts = type("ConfusionMatrix", (), {"dice": dice})
            self.patient, self.measured = patient, {"infection": type("Measured", (), {"voxels": counts})}

    results = [Given(*row) for row in (("a", 0.9), ("b", 0.5), ("c", 0.7), ("a", 0.1), ("b", 0.7), ("c", 0.7))]
    assert report.rank_patients(results) == {"best": "c", "median": "b", "worst": "a"}
    assert report.rank_patients(results[:1]) == dict.fromkeys(report.PICTURES, "a")
