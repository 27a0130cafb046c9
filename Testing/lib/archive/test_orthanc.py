"""Send to a real Orthanc and fetch from it."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from support.orthanc import USER, Orthanc

from CovidSegLib.cli.main import DONE, UNUSABLE, main


def run(*arguments: object) -> int:
    return main(["dicom", *map(str, arguments), "--progress", "none"])


def uids(folder: Path) -> set[str]:
    return {str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID) for path in folder.iterdir()}


@pytest.mark.parametrize("by", ["store", "stow"])
def test_results_arrive_as_they_were(
    orthanc: Orthanc, case: Path, by: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = ["--to", orthanc.address] if by == "store" else ["--stow", orthanc.url, "--user", USER]
    assert run("send", case / "out", *to) == DONE
    assert "Sent: 5 objects" in capsys.readouterr().out
    stored = orthanc.stored()
    assert stored.keys() == uids(case / "out")
    for path in (case / "out").iterdir():
        data = pydicom.dcmread(path)
        (tmp_path / "back.dcm").write_bytes(orthanc.file(stored[str(data.SOPInstanceUID)]))
        assert pydicom.dcmread(tmp_path / "back.dcm") == data
    assert not (tmp_path / "outbox").exists()


def test_fetch_a_ct(orthanc: Orthanc, case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By each identifier. Segmentations of the same study are left in the archive."""
    assert run("send", case / "ct", case / "out", "--to", orthanc.address) == DONE
    data = pydicom.dcmread(next((case / "ct").iterdir()), stop_before_pixels=True)
    queries = [
        ("--study", data.StudyInstanceUID),
        ("--series", data.SeriesInstanceUID),
        ("--patient", data.PatientID),
        ("--accession", data.AccessionNumber),
    ]
    for option, value in queries:
        out = tmp_path / option.strip("-")
        assert run("fetch", orthanc.url, "--user", USER, option, value, "-o", out) == DONE, option
        assert uids(out) == uids(case / "ct")
        assert all(path.name[:6].isdecimal() for path in out.iterdir())
    assert run("fetch", orthanc.url, "--user", USER, "--study", data.StudyInstanceUID, "--list") == DONE
    assert f"12 images, study of 20260102, UID {data.SeriesInstanceUID}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--patient", "nobody"], "has no CT series that fits"),
        (["--patient", "*"], "has a wildcard"),
        (["--study", "abc"], "is not a UID"),
        ([], "Say what to fetch"),
    ],
)
def test_fetch_refuses(
    orthanc: Orthanc, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert run("fetch", orthanc.url, "--user", USER, *arguments, "-o", tmp_path / "ct") == UNUSABLE
    assert message in capsys.readouterr().err
    assert not (tmp_path / "ct").exists()


def test_a_wrong_password(
    orthanc: Orthanc, case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COVIDSEG_DICOMWEB_PASSWORD", "wrong")
    assert run("fetch", orthanc.url, "--user", USER, "--patient", "x", "-o", tmp_path / "ct") == UNUSABLE
    assert "does not accept the user or the password" in capsys.readouterr().err
    assert run("send", case / "out", "--stow", orthanc.url, "--user", USER, "--attempts", 1) == UNUSABLE
    assert "5 of 5 objects were not sent. They are kept in" in capsys.readouterr().err
    monkeypatch.setenv("COVIDSEG_DICOMWEB_PASSWORD", "secret")
    assert run("send", "--queued") == DONE
    assert "Sent: 5 objects. The queue is empty." in capsys.readouterr().out
    assert orthanc.stored().keys() == uids(case / "out")


def test_a_title_that_orthanc_does_not_have(orthanc: Orthanc, case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    address = orthanc.address.replace("ORTHANC", "OTHER")
    assert run("send", case / "out", "--to", address, "--attempts", 1) == UNUSABLE
    assert 'refuses the connection: it has another AE title than "OTHER"' in capsys.readouterr().err


def test_an_existing_folder_is_kept(orthanc: Orthanc, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ct").mkdir()
    (tmp_path / "ct" / "notes.txt").write_text("mine")
    run("fetch", orthanc.url, "--user", USER, "--patient", "nobody", "-o", tmp_path / "ct")
    assert [path.name for path in (tmp_path / "ct").iterdir()] == ["notes.txt"]
