"""`covidseg follow-up`: from two CTs to a comparison."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from support.command_line import TIMEOUT, events, start
from support.dicom_factory import write_series
from support.follow_ups import current, earlier, without_registration
from support.phantoms import COARSE, phantom_on

from CovidSegLib import outputs, pipeline
from CovidSegLib.cli.main import DONE, UNUSABLE, main
from CovidSegLib.errors import InputError
from CovidSegLib.followup import TimePoint
from CovidSegLib.outputs.follow_up_files import FOLLOW_UP_FILES, MASK_FILES
from CovidSegLib.segmentation import Segmentation
from CovidSegLib.volume import AIR_HU, Volume

SKIP = ["surfaces", "overview", "labels"]


def write_ct(folder: Path, point: TimePoint, patient: str = "4711") -> Path:
    """Write a CT as DICOM."""

    def edit(data: Any, _index: int) -> None:
        data.PatientID, data.StudyDate = patient, f"{point.date:%Y%m%d}"

    write_series(folder, point.volume.array, point.volume.grid, edit=edit)
    return folder


@pytest.fixture
def cts(tmp_path: Path) -> tuple[Path, Path]:
    return write_ct(tmp_path / "current", current()), write_ct(tmp_path / "prior", earlier())


@pytest.fixture
def compare(tmp_path: Path, cts: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Run the command with the masks of the small CTs, and return the report."""
    points = {point.fingerprint: point for point in (current(), earlier())}

    def segment(volume: Volume, _model: object, **_options: object) -> Segmentation:
        return points[TimePoint(volume, current().segmentation).fingerprint].segmentation

    monkeypatch.setattr(pipeline, "segment", segment)
    without_registration(monkeypatch)

    def run(*extra: object, out: Path = tmp_path / "out", code: int = DONE) -> dict[str, Any]:
        assert main(["follow-up", *map(str, cts), "-o", str(out), *map(str, extra)]) == code
        report = out / "follow-up.json"
        content: dict[str, Any] = json.loads(report.read_text(encoding="utf-8")) if report.exists() else {}
        return content

    return run


def test_cts_without_results_are_segmented(compare: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    report = compare()
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*FOLLOW_UP_FILES.values(), *MASK_FILES.values()}
    assert report["days"] == 31 and report["current"]["date"] == "2020-04-02"
    assert report["lesions"]["count"]["new"] == 1
    assert "4711" not in json.dumps(report)
    again = compare("--current-result", tmp_path / "out" / "current.seg.nrrd", "--overwrite")
    assert again["lesions"]["list"] == report["lesions"]["list"]
    assert not (tmp_path / "out" / "current.seg.nrrd").exists()


def test_results_are_used(
    compare: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = []
    for side, point in (("current", current()), ("prior", earlier())):
        outputs.write_results(tmp_path / f"{side} masks", point.volume, point.segmentation, skip=SKIP)
        options += [f"--{side}-result", tmp_path / f"{side} masks"]
    monkeypatch.delattr(pipeline, "segment")
    report = compare(*options, "--skip", "trend")
    assert report["files"]["trend"] is None and report["files"]["prior_masks"] is None
    assert report["prior"]["provenance"]["model"]["name"] == "demo"


def test_anonymous(compare: Callable[..., dict[str, Any]]) -> None:
    report = compare("--anonymous")
    assert report["current"]["date"] is None and "series_uid" not in report["current"]["input"]
    assert report["days"] == 31


def test_a_trend_over_three_cts(compare: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    compare("--days", 10)
    path = tmp_path / "out" / "follow-up.json"
    first = json.loads(path.read_text(encoding="utf-8"))
    for point, name in zip(first["timeline"], ("first", first["timeline"][0]["fingerprint"]), strict=True):
        point["fingerprint"] = name  # its current CT is the earlier CT of the next comparison
    path.write_text(json.dumps(first), encoding="utf-8")
    report = compare("--earlier", tmp_path / "out", out=tmp_path / "next")
    assert [point["days"] for point in report["timeline"]] == [-41, -31, 0]
    assert compare("--earlier", tmp_path / "current", out=tmp_path / "none", code=UNUSABLE) == {}


def test_other_patient_ids_are_refused_unless_asked_for(
    compare: Callable[..., dict[str, Any]], tmp_path: Path, cts: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for file in cts[1].iterdir():
        file.unlink()
    write_ct(cts[1], earlier(), patient="0815")
    assert compare(code=UNUSABLE) == {}
    message = capsys.readouterr().err
    assert "different patient IDs" in message and "--other-patient-id" in message
    assert "0815" not in message and "4711" not in message
    assert not (tmp_path / "out").exists()
    assert compare("--other-patient-id")["days"] == 31


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--days", "-3"], "whole number of days"),
        (["--days", "two"], "whole number of days"),
        (["--threshold", "2"], "between 0 and 1"),
        (["--current-series", "99"], "99"),
        (["--prior-result", "nowhere"], "no result"),
        (["--model", "nothing"], "nothing"),
    ],
)
def test_unusable_arguments(
    compare: Callable[..., dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    extra: list[str],
    message: str,
) -> None:
    try:
        assert compare(*extra, code=UNUSABLE) == {}
    except SystemExit as error:  # from argparse
        assert error.code == UNUSABLE
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_ct_that_cannot_be_segmented_is_named(
    compare: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    segment = pipeline.segment

    def refuse(volume: Volume, model: Any, **options: Any) -> Segmentation:
        if TimePoint(volume, earlier().segmentation).fingerprint == earlier().fingerprint:
            raise InputError("No lungs were found.")
        return segment(volume, model, **options)

    monkeypatch.setattr(pipeline, "segment", refuse)
    compare(code=UNUSABLE)
    assert "The earlier CT: No lungs were found." in capsys.readouterr().err


def test_the_same_ct_twice(cts: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outputs.write_results(tmp_path / "masks", current().volume, current().segmentation, skip=SKIP)
    masks = ["--current-result", tmp_path / "masks", "--prior-result", tmp_path / "masks"]
    arguments = ["follow-up", cts[0], cts[0], "-o", tmp_path / "out", *masks]
    assert main(list(map(str, arguments))) == UNUSABLE
    assert "are the same" in capsys.readouterr().err


def test_as_a_process_with_registration(tmp_path: Path) -> None:
    """The phantom of half its size, moved by 10 mm: every lesion is found again where it was."""
    phantom = phantom_on(COARSE)
    grid = replace(COARSE, spacing=tuple(mm / 2 for mm in COARSE.spacing))
    move = sitk.TranslationTransform(3, (6.0, -4.0, 7.0))
    image = grid.to_image(phantom.volume.array)
    moved = sitk.Resample(image, image, move, sitk.sitkLinear, float(AIR_HU), sitk.sitkInt16)
    packed = phantom.lungs | (phantom.infection.astype(np.uint8) << 2)
    packed = sitk.GetArrayFromImage(sitk.Resample(grid.to_image(packed), image, move, sitk.sitkNearestNeighbor))
    for name, ct, lungs, infection in (
        ("current", image, phantom.lungs, phantom.infection),
        ("prior", moved, packed & 3, packed > 3),
    ):
        sitk.WriteImage(ct, str(tmp_path / f"{name}.nii.gz"))
        segmentation = Segmentation(lungs, infection, 255 * infection.astype(np.uint8), grid)
        outputs.write_results(tmp_path / name, Volume.of_image(ct), segmentation, skip=SKIP)
    process = start(
        "follow-up", tmp_path / "current.nii.gz", tmp_path / "prior.nii.gz", "-o", tmp_path / "out",
        "--current-result", tmp_path / "current", "--prior-result", tmp_path / "prior",
        "--days", 7, "--progress", "json",
    )  # fmt: skip
    printed, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == DONE, errors.decode()
    reported = events(printed)
    fractions = [event["fraction"] for event in reported if event["event"] == "progress"]
    assert fractions == sorted(fractions) and fractions[-1] == 1
    assert reported[-1]["event"] == "done"
    report = json.loads((tmp_path / "out" / "follow-up.json").read_text(encoding="utf-8"))
    assert report["days"] == 7 and report["registration"]["lung_dice"] > 0.93
    count = report["lesions"]["count"]
    assert count["new"] == count["resolved"] == count["not covered"] == 0
    assert count["stable"] >= 1
