"""Lists of cases in CSV, from CovidSeg and from other tools."""

from __future__ import annotations

from pathlib import Path

import pytest

from CovidSegLib.cohorts.case_list import read_case_list
from CovidSegLib.errors import InputError


def listed(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "list.csv"
    path.write_text(text, encoding=encoding)
    return path


def test_titles_name_the_columns(tmp_path: Path) -> None:
    text = "\ufeffCase ID;CT;Infection mask;Lung mask;Involvement (%);Error\n"
    text += "a;scans/a.nii.gz;m/a.nii.gz;l/a.nii.gz;12,5;\nb;/elsewhere/b;;;;No lungs were found.\n"
    first, second = read_case_list(listed(tmp_path, text))
    assert (first.case_id, first.ct, first.failure) == ("a", tmp_path / "scans/a.nii.gz", "")
    assert (first.masks.infection, first.masks.lungs) == (tmp_path / "m/a.nii.gz", tmp_path / "l/a.nii.gz")
    assert first.involvement_percent == 12.5
    assert second.ct == Path("/elsewhere/b") and not second.masks
    assert second.failure == "No lungs were found."


@pytest.mark.parametrize("title", ["involvement_percent", "Involvement", "both_involvement_percent"])
def test_numbers_of_other_tools(tmp_path: Path, title: str) -> None:
    entries = read_case_list(listed(tmp_path, f"image\t{title}\na.nii\t12.5\nb.nii\t\n"))
    assert [entry.involvement_percent for entry in entries] == [12.5, None]
    assert [entry.case_id for entry in entries] == ["a", "b"]


def test_a_column_of_existing_files_needs_no_title(tmp_path: Path) -> None:
    (tmp_path / "one.nii.gz").touch()
    (tmp_path / "series").mkdir()
    entries = read_case_list(listed(tmp_path, "age,where\n71,one.nii.gz\n64,series\n"))
    assert [entry.ct.name for entry in entries] == ["one.nii.gz", "series"]


def test_a_title_may_be_that_of_a_volume(tmp_path: Path) -> None:
    (entry,) = read_case_list(listed(tmp_path, "image,infection,lungs\na.nii,12.5,4000\n"))
    assert not entry.masks


def test_equal_names_are_told_apart(tmp_path: Path) -> None:
    entries = read_case_list(listed(tmp_path, "id,image\nA,1.nii\na,2.nii\nB,3.nii\nA,4.nii\n"))
    assert [entry.case_id for entry in entries] == ["A", "a (2)", "B", "A (3)"]


def test_lists_of_spreadsheets_on_windows(tmp_path: Path) -> None:
    (entry,) = read_case_list(listed(tmp_path, "id,image\r\nÄ,ä.nii\r\n", "latin-1"))
    assert (entry.case_id, entry.ct.name) == ("Ä", "ä.nii")


def test_a_row_without_a_ct_is_a_case_that_failed(tmp_path: Path) -> None:
    entries = read_case_list(listed(tmp_path, "id,image\na,1.nii\nb\n"))
    assert "names no CT" in entries[1].failure


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lists no cases"),
        ("image\n", "lists no cases"),
        ("age,sex\n71,f\n", "No column"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_case_list(listed(tmp_path, text))


def test_a_missing_list(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_case_list(tmp_path / "list.csv")
