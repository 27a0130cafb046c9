"""`covidseg segment --dicom` and `covidseg dicom export`: arguments, refusals, files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from support import dicom_results
from support.command_line import TIMEOUT, start
from support.dicom_results import segmentation_on, write_ct

from CovidSegLib import outputs, pipeline
from CovidSegLib.cli.main import DONE, UNUSABLE, main
from CovidSegLib.reading import read_volume
from CovidSegLib.segmentation import Segmentation
from CovidSegLib.volume import Volume

FILES = ["lesions.dcm", "measurements.dcm", "segmentation.dcm", "zones.dcm"]


@pytest.fixture
def case(tmp_path: Path) -> tuple[Path, Path]:
    """A CT and its result."""
    write_ct(tmp_path / "ct", dicom_results.oblique())
    volume = read_volume(tmp_path / "ct")
    outputs.write_results(
        tmp_path / "result", volume, segmentation_on(volume.grid), skip=["surfaces", "overview", "labels"]
    )
    return tmp_path / "ct", tmp_path / "result"


def instant(volume: Volume, *arguments: object, **options: object) -> Segmentation:
    """In place of the networks, which find no lungs in a CT this small."""
    return segmentation_on(volume.grid)


def written(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def run(*arguments: object) -> int:
    return main([*map(str, arguments), "--progress", "none"])


def test_export(case: tuple[Path, Path]) -> None:
    ct, result = case
    assert run("dicom", "export", result, "--source", ct) == DONE
    assert written(result / "dicom") == FILES
    assert run("dicom", "export", result, "--source", ct) == UNUSABLE
    assert run("dicom", "export", result, "--source", ct, "--overwrite", "--labelmap") == DONE
    assert pydicom.dcmread(result / "dicom" / "segmentation.dcm").SegmentationType == "LABELMAP"


def test_export_includes_the_pdf_of_the_result(case: tuple[Path, Path], tmp_path: Path) -> None:
    ct, result = case
    (result / "report.pdf").write_bytes(b"%PDF-1.4 one")
    (tmp_path / "other.pdf").write_bytes(b"%PDF-1.4 other")
    assert run("dicom", "export", result, "--source", ct, "-o", tmp_path / "a") == DONE
    assert run("dicom", "export", result, "--source", ct, "-o", tmp_path / "b", "--pdf", tmp_path / "other.pdf") == DONE
    assert written(tmp_path / "a") == sorted([*FILES, "report.dcm"])
    assert pydicom.dcmread(tmp_path / "a" / "report.dcm").EncapsulatedDocument.startswith(b"%PDF-1.4 one")
    assert pydicom.dcmread(tmp_path / "b" / "report.dcm").EncapsulatedDocument.startswith(b"%PDF-1.4 other")


def test_nothing_prints_what_is_in_headers(case: tuple[Path, Path], tmp_path: Path) -> None:
    """pydicom warns of values that the standard does not allow, and quotes them."""
    name = "Mustermann^" + "Erika" * 20
    for path in case[0].iterdir():
        data = pydicom.dcmread(path)
        data.add_new("PatientName", "PN", name)
        data.add_new("PatientBirthDate", "DA", "1970-01-01")
        data.save_as(path)
    process = start("dicom", "export", case[1], "--source", case[0], "-o", tmp_path / "out")
    printed, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == DONE, errors
    assert errors == b""
    assert b"Mustermann" not in printed
    assert str(pydicom.dcmread(tmp_path / "out" / "zones.dcm").PatientName) == name


def test_export_to_the_wrong_series_writes_nothing(
    case: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_ct(tmp_path / "other")
    assert run("dicom", "export", case[1], "--source", tmp_path / "other") == UNUSABLE
    assert "was made from another series" in capsys.readouterr().err
    assert not (case[1] / "dicom").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--prior", "x"], "--prior and --prior-source belong together"),
        (["--prior", "x", "--prior-source", "y"], "There is no file or folder"),
        (["--pdf", "nothing.pdf"], "cannot be read"),
    ],
)
def test_export_arguments(
    case: tuple[Path, Path], capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert run("dicom", "export", case[1], "--source", case[0], *arguments) == UNUSABLE
    assert message in capsys.readouterr().err
    assert not (case[1] / "dicom").exists()


def test_segment_writes_dicom_too(
    case: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pipeline, "segment", instant)
    options = ["--skip", "surfaces", "--skip", "overview", "--dicom"]
    assert run("segment", case[0], "-o", tmp_path / "out", *options) == DONE
    assert written(tmp_path / "out" / "dicom") == FILES
    assert "Done: 9 files" in capsys.readouterr().out
    data = pydicom.dcmread(tmp_path / "out" / "dicom" / "segmentation.dcm")
    assert data.StudyInstanceUID == "1.2.3.4"
    assert run("segment", case[0], "-o", tmp_path / "out", *options) == UNUSABLE
    assert run("segment", case[0], "-o", tmp_path / "out", *options, "--overwrite", "--anonymous") == DONE
    assert "series_uid" not in (tmp_path / "out" / "report.json").read_text()


def _without_frame(folder: Path) -> list[object]:
    def edit(data: pydicom.dataset.FileDataset, index: int) -> None:
        dicom_results.complete(data, index)
        del data.FrameOfReferenceUID

    write_ct(folder / "bad", edit=edit)
    return [folder / "bad", "--dicom"]


def _image(folder: Path) -> list[object]:
    outputs.writing.write_image(folder / "ct.nii.gz", read_volume(folder / "ct").to_image())
    return [folder / "ct.nii.gz", "--dicom"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (_without_frame, "lacks a valid Frame of Reference UID"),
        (_image, "contains no DICOM images"),
        (lambda folder: ["--demo", "--dicom"], "--dicom needs the DICOM series"),
        (lambda folder: [folder / "ct", "--labelmap"], "give --dicom with it"),
        (lambda folder: [folder / "ct", "--dicom", "--window", 0, 1], "--window is for images"),
    ],
)
def test_segment_refuses_before_it_computes(
    case: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: Callable[[Path], list[object]],
    message: str,
) -> None:
    assert run("segment", *arguments(tmp_path), "-o", tmp_path / "out") == UNUSABLE
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
