"""From folder trees, lists and files to scans, each once."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from support.dicom_factory import write_series
from support.instant import write_scans
from support.results import write

from CovidSegLib.cohorts.cases import all_cases
from CovidSegLib.cohorts.database import create_cohort
from CovidSegLib.cohorts.enrolment import enrol
from CovidSegLib.cohorts.inputs.listing import Listing, list_scans
from CovidSegLib.errors import Cancelled, InputError


def listed(*inputs: Path, skip: str = "out") -> Listing:
    return list_scans(inputs, inputs[0].parent / skip)


def names(listing: Listing) -> list[str]:
    return [scan.path.name for scan in listing.scans]


def series(folder: Path, study: str, uid: str, slices: int = 60, description: str = "Thorax", **options) -> list[Path]:
    """Write a series of a study."""

    def edit(data, index) -> None:
        data.StudyInstanceUID, data.SeriesDescription = study, description

    return write_series(folder, np.zeros((slices, 8, 8)), uid=uid, edit=edit, **options)


def test_image_files_of_a_tree_are_scans(tmp_path: Path) -> None:
    scans = write_scans(tmp_path / "in" / "a" / "b", 2)
    (tmp_path / "in" / "notes.doc").write_text("no scan")
    (tmp_path / "in" / ".hidden.nii.gz").write_bytes(scans[0].read_bytes())
    assert names(listed(tmp_path / "in")) == ["ct0.nii.gz", "ct1.nii.gz"]


def test_the_cohort_itself_and_results_are_no_scans(tmp_path: Path) -> None:
    write_scans(tmp_path / "in", 1)
    write_scans(tmp_path / "in" / "out" / "cases", 1)
    write(tmp_path / "in" / "result")
    assert len(list_scans([tmp_path / "in"], tmp_path / "in" / "out").scans) == 1


def test_studies_of_a_tree_are_scans_with_one_series_each(tmp_path: Path) -> None:
    series(tmp_path / "in" / "p1" / "scout", "1.1", "1.1.1", slices=3)
    series(tmp_path / "in" / "p1" / "thick", "1.1", "1.1.2", slices=12, number=5)
    series(tmp_path / "in" / "p1" / "thin", "1.1", "1.1.3", number=6)
    series(tmp_path / "in" / "p2", "1.2", "1.2.1")
    series(tmp_path / "in" / "p2", "1.3", "1.3.1", name="OTHER{:04d}")
    listing = listed(tmp_path / "in")
    assert [(scan.path.name, scan.series) for scan in listing.scans] == [
        ("thin", "1.1.3"), ("p2", "1.2.1"), ("p2", "1.3.1")
    ]  # fmt: skip
    assert listing.scans[0].choice == "1 of 3 CT series: axial and long enough"


def test_the_same_scan_counts_once_wherever_it_lies(tmp_path: Path) -> None:
    first, second = write_scans(tmp_path / "in", 2)
    shutil.copy(first, tmp_path / "in" / "zz copy.nii.gz")
    series(tmp_path / "in" / "dicom", "1.1", "1.1.1")
    shutil.copytree(tmp_path / "in" / "dicom", tmp_path / "elsewhere")
    listing = listed(tmp_path / "in", second, tmp_path / "elsewhere", next((tmp_path / "elsewhere").iterdir()))
    assert names(listing) == ["dicom", "ct0.nii.gz", "ct1.nii.gz"]
    assert listing.repeated == 4


def test_ids_are_stable_and_name_nobody(tmp_path: Path) -> None:
    (first,) = write_scans(tmp_path / "Mustermann^Erika", 1)
    (scan,) = listed(first).scans
    moved = first.rename(tmp_path / "other.nii.gz")
    assert listed(moved).scans[0].case_id == scan.case_id
    assert len(scan.case_id) == 16
    assert set(scan.case_id) <= set("0123456789abcdef")


def test_a_detached_header_is_identified_by_its_data(tmp_path: Path) -> None:
    for name, value in (("a", 1), ("b", 2)):
        (tmp_path / name).mkdir()
        sitk.WriteImage(sitk.Image(4, 4, 4, sitk.sitkInt16) + value, str(tmp_path / name / "ct.mhd"))
    assert (tmp_path / "a" / "ct.mhd").read_bytes() == (tmp_path / "b" / "ct.mhd").read_bytes()
    assert len(listed(tmp_path / "a" / "ct.mhd", tmp_path / "b" / "ct.mhd").scans) == 2


def test_a_list_names_paths_relative_to_itself(tmp_path: Path) -> None:
    write_scans(tmp_path / "in", 2)
    (tmp_path / "list.txt").write_text("# scans\nin/ct1.nii.gz\n\n in/ct0.nii.gz \nin/missing.nii.gz\n")
    assert names(listed(tmp_path / "list.txt")) == ["ct1.nii.gz", "ct0.nii.gz", "missing.nii.gz"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_gives_ids_and_further_columns(tmp_path: Path, delimiter: str) -> None:
    write_scans(tmp_path, 2)
    rows = [["id", "input", "centre"], ["p-1", "ct0.nii.gz", "Bergamo"], ["", "ct1.nii.gz", ""]]
    (tmp_path / "list.csv").write_text("\n".join(map(delimiter.join, rows)), encoding="utf-8-sig")
    first, second = listed(tmp_path / "list.csv").scans
    assert (first.case_id, first.extra) == ("p-1", {"centre": "Bergamo"})
    assert (second.id, second.extra) == (None, {"centre": ""})


def test_a_table_chooses_the_series(tmp_path: Path) -> None:
    series(tmp_path / "ct", "1.1", "1.1.10000001", number=1)
    series(tmp_path / "ct", "1.1", "1.1.10000002", number=2, name="B{}")
    (tmp_path / "list.csv").write_text("input,series\nct,2\nct,9\n")
    first, second = listed(tmp_path / "list.csv").scans
    assert (first.series, first.choice) == ("1.1.10000002", "named in the list")
    assert second.series == "9"  # which fails, and is a row


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path\nct0.nii.gz\n", 'needs a column "input"'),
        ("input,input\na,b\n", "each column once"),
        ("input\n", "names no scans"),
        ("input,id\n,x\n", 'no path in line 2 of "list.csv"'),
        ("input,id\nct0.nii.gz,Größe\n", "cannot be the name of a folder"),
        ("input,id\nct0.nii.gz,../up\n", "cannot be the name of a folder"),
        ("input,id\nct0.nii.gz,a\nct1.nii.gz,A\n", 'The id "A" is given to two scans'),
        ("input,id\n.,x\n", "2 scans are in the folder"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, text: str, message: str) -> None:
    write_scans(tmp_path, 2)
    (tmp_path / "list.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        listed(tmp_path / "list.csv")


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_an_input_without_scans_is_refused_at_once(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no file or folder|no CT in"):
        listed(tmp_path / name)


def test_a_damaged_dicom_file_is_a_case_that_fails(tmp_path: Path) -> None:
    series(tmp_path / "in" / "whole", "1.1", "1.1.1")
    files = series(tmp_path / "in" / "damaged", "1.2", "1.2.1", slices=1)
    files[0].write_bytes(files[0].read_bytes()[:-20])
    whole, damaged = sorted(listed(tmp_path / "in").scans, key=lambda scan: scan.series is None)
    assert (whole.series, damaged.path.name, damaged.series) == ("1.1.1", "damaged", None)


def test_a_damaged_file_among_others_fails_their_case_only(tmp_path: Path) -> None:
    files = series(tmp_path / "in" / "ct", "1.2", "1.2.1")
    files[3].write_bytes(files[3].read_bytes()[:-20])
    assert [scan.series for scan in listed(tmp_path / "in").scans] == ["1.2.1"]


def test_listing_can_be_cancelled(tmp_path: Path) -> None:
    write_scans(tmp_path / "in", 1)

    def cancel(stage: str, fraction: float) -> None:
        assert stage == 'Listing "in": 1 files'
        raise Cancelled

    with pytest.raises(Cancelled):
        list_scans([tmp_path / "in"], tmp_path / "out", cancel)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="everything can be read")
def test_a_folder_that_cannot_be_opened_is_said(tmp_path: Path) -> None:
    write_scans(tmp_path / "in", 1)
    (tmp_path / "in" / "closed").mkdir(mode=0)
    with pytest.raises(InputError, match="cannot be opened"):
        listed(tmp_path / "in")


def test_an_id_must_stay_with_its_scan(tmp_path: Path) -> None:
    write_scans(tmp_path, 2)
    (tmp_path / "list.csv").write_text("input,id\nct0.nii.gz,a\n")
    cohort = create_cohort(tmp_path / "out")
    assert enrol(cohort, listed(tmp_path / "list.csv").scans) == 1
    assert enrol(cohort, listed(tmp_path / "list.csv").scans) == 0
    (tmp_path / "ct1.nii.gz").replace(tmp_path / "ct0.nii.gz")
    with pytest.raises(InputError, match='The case "a" is another scan than before'):
        enrol(cohort, listed(tmp_path / "list.csv").scans)


def test_an_input_that_appears_later_takes_the_place_of_its_failed_row(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("ct0.nii.gz\n")
    cohort = create_cohort(tmp_path / "out")
    enrol(cohort, listed(tmp_path / "list.txt").scans)
    write_scans(tmp_path, 1)
    enrol(cohort, listed(tmp_path / "list.txt").scans)
    assert [Path(case.input).name for case in all_cases(cohort)] == ["ct0.nii.gz"]
