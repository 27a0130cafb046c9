"""`covidseg segment`: from an image file to all results."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import SimpleITK as sitk
from matplotlib.figure import Figure
from support.command_line import TIMEOUT, events, start
from support.phantoms import UPPER, dice, flipped_oblique_grid, phantom_on

import CovidSegLib
from CovidSegLib import models, outputs, recipes
from CovidSegLib.cli import main as cli
from CovidSegLib.cli import segment
from CovidSegLib.figures.overview import SYNTHETIC
from CovidSegLib.outputs import FILES
from CovidSegLib.volume import Grid

#: Dice that the default model must reach on the phantom. Its accuracy on patients is measured elsewhere.
LUNGS_DICE, INFECTION_DICE = 0.9, 0.6
NAMES = ("Mustermann", "Erika")
#: As long as file names may be, in characters of three bytes.
LONG = "肺" * 80


class Run(NamedTuple):
    """A finished run: the CT, the output folder, the events that were reported, and standard error."""

    ct: Path
    out: Path
    events: list[dict[str, Any]]
    errors: str


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A phantom on an oblique, flipped grid, with long input and output paths in Chinese and German."""
    folder = tmp_path_factory.mktemp("covidseg")
    ct = folder.joinpath(*[LONG] * 5, f"{NAMES[0]}^{NAMES[1]}_Größe.nii.gz")
    ct.parent.mkdir(parents=True)
    sitk.WriteImage(phantom_on(flipped_oblique_grid()).volume.to_image(), str(ct))
    out = folder.joinpath("Ergebnisse für Ärzte", *[LONG] * 5)
    # With this variable oneDNN, which PyTorch uses, writes to standard output.
    arguments = ("segment", ct, "-o", out, "--progress", "json", "--engine", "torch")
    process = start(*arguments, env={"ONEDNN_VERBOSE": "1"})
    printed, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, errors.decode()
    assert b"onednn_verbose" in errors
    lines = [line for line in errors.decode().splitlines() if "onednn_verbose" not in line]
    return Run(ct, out, events(printed), "\n".join(lines))


@pytest.fixture(scope="module")
def report(run: Run) -> dict[str, Any]:
    return json.loads((run.out / "report.json").read_text(encoding="utf-8"))


def image(run: Run, name: str) -> sitk.Image:
    return sitk.ReadImage(str(run.out / FILES[name]))


def array(run: Run, name: str) -> np.ndarray:
    return sitk.GetArrayFromImage(image(run, name))


# Files


def test_exactly_the_eight_files_are_written(run: Run) -> None:
    assert sorted(path.name for path in run.out.iterdir()) == sorted(FILES.values())
    assert len(FILES) == 8
    assert all(path.stat().st_size > 100 for path in run.out.iterdir())


@pytest.mark.parametrize("name", ["labels", "infection_probability", "segmentation"])
def test_images_have_the_grid_of_the_ct(run: Run, name: str) -> None:
    ct, written = sitk.ReadImage(str(run.ct)), image(run, name)
    assert written.GetSize() == ct.GetSize()
    for of in (sitk.Image.GetSpacing, sitk.Image.GetOrigin, sitk.Image.GetDirection):
        np.testing.assert_allclose(of(written), of(ct), atol=1e-4)
    assert Grid.of_image(written).shape == flipped_oblique_grid().shape


def test_the_masks_agree_with_the_phantom(run: Run) -> None:
    labels, phantom = array(run, "labels"), phantom_on(flipped_oblique_grid())
    assert set(np.unique(labels)) == {0, 1, 2, 3}
    assert dice(labels > 0, phantom.lungs > 0) > LUNGS_DICE
    for side in (1, 2):
        assert dice((labels == side) & ~phantom.infection, (phantom.lungs == side) & ~phantom.infection) > LUNGS_DICE
    assert dice(labels == 3, phantom.infection) > INFECTION_DICE


def test_segments_labels_and_probabilities_agree(run: Run) -> None:
    segments = image(run, "segmentation")
    layers = sitk.GetArrayFromImage(segments)
    layers = layers.reshape(*layers.shape[:3], -1)
    masks = {}
    for number in range(3):
        keys = {key: segments.GetMetaData(f"Segment{number}_{key}") for key in ("ID", "Layer", "LabelValue")}
        masks[keys["ID"]] = layers[..., int(keys["Layer"])] == int(keys["LabelValue"])
    labels, probability = array(run, "labels"), array(run, "infection_probability")
    np.testing.assert_array_equal(masks["infection"], labels == 3)
    np.testing.assert_array_equal(masks["right_lung"] & ~masks["infection"], labels == 1)
    np.testing.assert_array_equal(masks["left_lung"] & ~masks["infection"], labels == 2)
    assert not (masks["infection"] & ~masks["right_lung"] & ~masks["left_lung"]).any()
    assert not probability[labels == 0].any()
    assert probability[labels == 3].min() >= round(models.find_model().threshold * 255)


def test_the_report_measures_the_label_map(run: Run, report: dict[str, Any]) -> None:
    ml = Grid.of_image(image(run, "labels")).voxel_ml
    labels = array(run, "labels")
    assert report["lungs"]["both"]["volume_ml"] == pytest.approx((labels > 0).sum() * ml, abs=0.01)
    assert report["lungs"]["both"]["infection_ml"] == pytest.approx((labels == 3).sum() * ml, abs=0.01)
    with (run.out / "report.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = {row["region"]: row for row in csv.DictReader(file)}
    assert float(rows["both lungs"]["volume_ml"]) == report["lungs"]["both"]["volume_ml"]


def test_the_report_holds_its_provenance(report: dict[str, Any]) -> None:
    provenance, model = report["provenance"], models.find_model()
    assert provenance["model"]["name"] == model.name
    assert provenance["model"]["sha256"] == hashlib.sha256(model.weights.read_bytes()).hexdigest()
    assert provenance["settings"]["infection_threshold"] == model.threshold
    assert provenance["device"] in ("cpu", "cuda")
    assert provenance["precision"] in ("float32", "bfloat16", "float16")
    assert provenance["versions"]["covidseg"] == CovidSegLib.__version__
    assert {"python", provenance["engine"], "SimpleITK", "numpy"} < provenance["versions"].keys()
    assert provenance["seconds"]["total"] > 0
    assert report["input"]["format"] == "NIfTI"
    assert "Not for diagnosis" in report["notice"]


def test_no_file_holds_the_patient_s_name_or_the_path_of_the_ct(run: Run) -> None:
    """Neither in the file itself nor, if it is compressed, in its content."""
    for path in run.out.iterdir():
        data = path.read_bytes()
        if path.suffix == ".gz":
            data += gzip.decompress(data)
        for secret in (*NAMES, LONG, "Größe", "covidseg0", str(Path.home()), str(run.ct.parents[5])):
            assert secret.encode() not in data, f"{secret} in {path.name}"


# Reporting


def test_json_progress_goes_from_0_to_1(run: Run) -> None:
    progress = [event for event in run.events if event["event"] == "progress"]
    fractions = [event["fraction"] for event in progress]
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert fractions == sorted(fractions)
    assert max(np.diff(fractions)) <= 0.2
    assert all(event["stage"][0].isupper() and event["stage"].isprintable() for event in progress)
    assert {"Reading the CT", "Finding the lungs", "Finding the infection"} < {event["stage"] for event in progress}
    assert all(event["seconds_left"] >= 0 for event in progress[len(progress) // 2 :])
    assert progress[-1]["seconds_left"] == 0


def test_the_end_is_reported_once_with_all_files(run: Run) -> None:
    kinds = [event["event"] for event in run.events]
    assert kinds.count("done") == 1
    assert run.events[-1] == {"event": "done", "output": str(run.out), "files": list(FILES.values())}
    assert "error" not in kinds
    assert "Traceback" not in run.errors


# The demo, in this process


def test_the_demo_is_marked_as_synthetic(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn: list[str] = []
    draw_text: Callable[..., object] = Figure.text

    def recorded(figure: Figure, x: float, y: float, text: str, **style: object) -> object:
        drawn.append(text)
        return draw_text(figure, x, y, text, **style)

    monkeypatch.setattr(Figure, "text", recorded)
    monkeypatch.setattr("CovidSegLib.phantom.synthetic_chest.default_grid", lambda: UPPER)
    assert cli.main(["segment", "--demo", "-o", str(tmp_path / "demo"), "--threshold", "0.6"]) == cli.DONE
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == sorted(FILES.values())
    out, err = capsys.readouterr()
    assert "synthetic chest CT" in err
    assert "Done: 8 files" in out
    assert "Not for diagnosis" in out
    assert SYNTHETIC in drawn
    report = json.loads((tmp_path / "demo" / "report.json").read_text(encoding="utf-8"))
    assert "synthetic" in report["input"]["format"]
    assert report["provenance"]["settings"]["infection_threshold"] == 0.6


# Recipes without trained weights


def test_an_ablation_row_requires_a_recipe_that_has_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["segment", "--demo", "-o", str(tmp_path / "out"), "--ablation"]
    assert cli.main([*arguments, "BU"]) == cli.UNUSABLE
    assert "give --recipe with it" in capsys.readouterr().err
    assert cli.main([*arguments, "none", "--recipe", "chs-net"]) == cli.UNUSABLE
    assert 'has no row "none". Give one of "BU", ' in capsys.readouterr().err


def test_a_recipe_runs_untrained_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = recipes.find("raiu-net").read_text(encoding="utf-8").replace("256, 256", "64, 64")
    (tmp_path / "mine.toml").write_text(small.replace("out_channels = 1", "out_channels = 1, features = 4"), "utf-8")
    monkeypatch.setattr("CovidSegLib.phantom.synthetic_chest.default_grid", lambda: UPPER)
    options = ["--recipe", str(tmp_path / "mine.toml"), "--skip", "surfaces", "--skip", "overview"]
    assert cli.main(["segment", "--demo", "-o", str(tmp_path / "out"), *options]) == cli.DONE
    assert 'The networks of "raiu-net" are untrained. Their masks are meaningless' in capsys.readouterr().err
    written = (tmp_path / "out" / "report.json").read_text(encoding="utf-8")
    assert str(tmp_path) not in written
    report = json.loads(written)
    assert report["provenance"]["model"]["recipe"] == "raiu-net"
    assert report["provenance"]["model"]["trained"] is False
    assert report["provenance"]["lungs_model"]["name"] == "unet-cascade"


def test_model_and_recipe_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["segment", "--demo", "-o", "out", "--model", "unet-cascade", "--recipe", "chs-net"])
    assert end.value.code == cli.UNUSABLE
    assert "not allowed with" in capsys.readouterr().err


def test_the_choices_of_skip_are_those_of_outputs() -> None:
    assert set(segment.SKIPPABLE) == set(outputs.GROUPS)
