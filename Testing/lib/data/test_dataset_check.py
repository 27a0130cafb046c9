"""Every problem of a data set is reported, file by file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support import data_layouts as written
from support.data_layouts import write

from CovidSegLib.cli import main as cli
from CovidSegLib.data import dataset_check as check
from CovidSegLib.data import open_data
from CovidSegLib.errors import InputError
from CovidSegLib.volume import Grid, Volume

CT, LUNG, INFECTION = "a.nii.gz", "a_lung.nii.gz", "a_infection.nii.gz"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A correct scan with masks of lungs and infection."""
    written.pairs_in_one(tmp_path)
    return tmp_path


def with_nan() -> np.ndarray:
    axial = written.CHEST.scan.hu.astype(np.float32)
    axial[3, 3, 3] = np.nan
    return axial


#: The bad file, how it is damaged, and what is reported.
BAD: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "shape": (INFECTION, lambda file: write(file, written.INFECTION[:-1]), "has 48 × 48 × 11 voxels but its CT has 48"),
    "place": (LUNG, lambda file: write(file, written.LUNGS, at=8.0), "is 3 mm away from its CT"),
    "spacing": (LUNG, lambda file: write(file, written.LUNGS, (7.0, 7.0, 4.0)), "mm away from its CT"),
    "labels": (INFECTION, lambda file: write(file, written.INFECTION * np.uint8(7)), "the values 0, 7, but"),
    "fractions": (LUNG, lambda file: write(file, written.LUNGS * 0.5), "the values 0, 0.5, but a mask of this layout"),
    "NaN": (CT, lambda file: write(file, with_nan()), "not numbers"),
    "no rescaling": (CT, lambda file: write(file, written.CHEST.scan.hu + np.int16(1024)), "cannot be Hounsfield"),
    "grey": (CT, lambda file: write(file, written.GREY), "cannot be Hounsfield units of a chest"),
    "all air": (CT, lambda file: write(file, written.CHEST.scan.hu * 0 - np.int16(1000)), "cannot be Hounsfield"),
    "no CT": (CT, Path.unlink, "is missing"),
    "not an image": (CT, lambda file: file.write_text("no"), "damaged"),
    "cut off": (CT, lambda file: file.write_bytes(file.read_bytes()[:-200]), "incomplete"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_file_that_cannot_be_used_is_named(folder: Path, kind: str) -> None:
    name, harm, message = BAD[kind]
    harm(folder / name)
    data = open_data(folder)
    with pytest.raises(InputError) as error:
        data.cases()
    sentence = str(error.value)
    assert message in sentence and name in sentence and sentence.endswith(".") and "\n" not in sentence
    assert sentence in check.check_data(data)["a"].errors


def test_a_missing_mask_is_reported(tmp_path: Path) -> None:
    written.zenodo(tmp_path)
    missing = tmp_path / "Infection_Mask" / "coronacases_001.nii.gz"
    missing.unlink()
    with pytest.raises(InputError, match=r"is missing\. Put it there") as error:
        open_data(tmp_path).cases(["coronacases_001"])
    assert str(missing) in str(error.value)
    assert len(open_data(tmp_path).cases(["radiopaedia_10"])) == 2


def test_a_float_ct_in_another_format_must_not_contain_nan(folder: Path) -> None:
    (folder / CT).unlink()
    write(folder / "a.nrrd", with_nan())
    with pytest.raises(InputError, match=r"a\.nrrd.* values that are not numbers"):
        open_data(folder).cases()


def test_usable_slices_are_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["data", "check", str(folder)]) == cli.DONE
    infected = int(written.CHEST.infection.any(axis=(1, 2)).sum())
    assert capsys.readouterr().out == f"pairs: 1 patients, 1 scans, 12 slices, {infected} slices with infection\n"


def test_an_empty_mask_is_only_a_warning(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder / INFECTION, written.NONE)
    assert cli.main(["data", "check", str(folder)]) == cli.DONE
    output = capsys.readouterr()
    assert "12 slices, 0 slices with infection" in output.out
    assert f'Note: "{folder / INFECTION}" is empty' in output.err


def test_all_findings_of_all_files_are_reported(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind in ("no rescaling", "labels", "place"):
        name, harm, _ = BAD[kind]
        harm(folder / name)
    write(folder / "b.nii.gz", written.CHEST.scan.hu)
    write(folder / "b_mask.nii.gz", written.INFECTION[:, :-1] * np.uint8(9))
    write(folder / "c.nii.gz", written.CHEST.scan.hu)
    write(folder / "c_mask.nii.gz", written.INFECTION)
    write(folder / "d.nii.gz", written.CHEST.scan.hu)
    assert cli.main(["data", "check", str(folder)]) == cli.UNUSABLE
    output = capsys.readouterr()
    *lines, counts = output.out.splitlines()
    assert [Path(line.split('"')[1]).name for line in lines] == [
        *(CT, INFECTION, LUNG, "b_mask.nii.gz", "b_mask.nii.gz", "d_infection.nii.gz")
    ]
    assert counts.startswith("pairs: 1 patients, 1 scans, 12 slices")
    assert "3 of 4 scans cannot be used" in output.err


def test_whole_scans_are_checked_against_their_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = {"good": {"infected_slices": [0, 5]}, "short": {"infected_slices": [6]}, "none": {"infected_slices": []}}
    (tmp_path / "labels.json").write_text(json.dumps({"cases": cases}))
    volume = Volume(np.zeros((6, 4, 5), np.int16), Grid((6, 4, 5)))

    def read(scan: Path) -> Volume:
        if scan.name == "none":
            raise InputError("There is nothing.")
        return volume

    monkeypatch.setattr(check, "read_volume", read)
    found = check.check_data(open_data(tmp_path))
    assert (found["good"].slices, found["good"].infected_slices, found["good"].errors) == (6, 2, [])
    assert 'lists infected slices up to 6 of "short", which has 6' in found["short"].errors[0]
    assert found["none"].errors == [f'"{tmp_path / "none"}": There is nothing.']


def test_a_folder_without_scans_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["data", "check", str(tmp_path)]) == cli.UNUSABLE
    assert "has a known layout" in capsys.readouterr().err
    (tmp_path / "index.json").write_text("[]")
    assert cli.main(["data", "check", str(tmp_path)]) == cli.UNUSABLE
    assert "holds no scans with masks" in capsys.readouterr().err
