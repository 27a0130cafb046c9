"""Several series in a folder: the chest CT is chosen, or the user chooses."""

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import FileDataset
from pydicom.uid import (
    generate_uid,
)
from support.dicom_factory import write_report, write_series
from support.random_cts import noise

from CovidSegLib.errors import InputError
from CovidSegLib.reading import read_volume
from CovidSegLib.reading.dicom_series import list_series
from CovidSegLib.volume import Grid

CHEST = Grid((60, 8, 8), (1.0, 1.0, 2.0), (-10.0, -20.0, -30.0))


def series_of(folder: Path, number: int, **values: object) -> str:
    uid = generate_uid()

    def edit(data: FileDataset, index: int) -> None:
        for name, value in values.items():
            setattr(data, name, value)

    hu = noise(CHEST.shape, number)
    write_series(folder, hu, CHEST, uid=uid, number=number, edit=edit, name=f"{number}-{{}}")
    return uid


def test_the_only_chest_ct_is_chosen(tmp_path: Path) -> None:
    uid = series_of(tmp_path, 2)
    series_of(tmp_path, 1, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    series_of(tmp_path, 3, Modality="PT", SOPClassUID="1.2.840.10008.5.1.4.1.1.128")
    series_of(tmp_path, 4, SOPClassUID="1.2.840.10008.5.1.4.1.1.7")
    series_of(tmp_path, 5, ImageType=["DERIVED", "SECONDARY", "MPR"])
    series_of(tmp_path, 6, ImageOrientationPatient=[1, 0, 0, 0, 0, -1])  # coronal
    write_series(tmp_path, noise((12, 8, 8)), number=7, name="7-{}")  # 22 mm: bolus tracking
    write_report(tmp_path)
    assert len(list_series(tmp_path)) == 8
    assert read_volume(tmp_path).source["series_uid"] == uid


def test_scout_views_and_screenshots_within_the_series_are_skipped(tmp_path: Path) -> None:
    uid = series_of(tmp_path / "a", 2)
    scout = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"], "ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}
    for name, values in (("b", scout), ("c", {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"})):
        for key, value in values.items():
            write_series(tmp_path / name, noise((1, 12, 20)), uid=uid, number=2, edit=only(key, value))
    volume = read_volume(tmp_path)
    assert np.array_equal(volume.array, noise(CHEST.shape, 2))
    assert np.array_equal(read_volume(tmp_path, series="2").array, volume.array)


def only(key: str, value: object):
    def edit(data: FileDataset, index: int) -> None:
        data.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
        setattr(data, key, value)

    return edit


def test_several_reconstructions_are_listed_and_can_be_chosen(tmp_path: Path) -> None:
    soft = series_of(tmp_path, 3, SeriesDescription="Thorax 2.0 B30f", ConvolutionKernel="B30f")
    sharp = series_of(tmp_path, 4, SeriesDescription="Thorax 1.0 B70f", ConvolutionKernel="B70f", SliceThickness=1)
    series_of(tmp_path, 7, Modality="MR")
    with pytest.raises(InputError) as caught:
        read_volume(tmp_path)
    title, *lines = str(caught.value).split("\n")
    assert "several CT series" in title and "--series" in title
    assert lines == [
        f'  number 3, "Thorax 2.0 B30f", 60 slices of 2 mm, kernel B30f, UID …{soft[-8:]}',
        f'  number 4, "Thorax 1.0 B70f", 60 slices of 1 mm, kernel B70f, UID …{sharp[-8:]}',
    ]
    for identifier, number in (("3", 3), (soft, 3), (f"…{sharp[-8:]}", 4), (" 4 ", 4), (sharp[-12:], 4)):
        assert np.array_equal(read_volume(tmp_path, series=identifier).array, noise(CHEST.shape, number))
    with pytest.raises(InputError, match=r'There is no series "99".*\n.*number 3.*\n.*number 4'):
        read_volume(tmp_path, series="99")
    with pytest.raises(InputError, match="There is no series"):
        read_volume(tmp_path, series="")
    with pytest.raises(InputError, match="contains MR images"):
        read_volume(tmp_path, series="7")


def test_a_mistyped_number_does_not_choose_a_series_by_the_end_of_its_uid(tmp_path: Path) -> None:
    """A UID suffix needs eight characters: shorter ones look like series numbers."""
    write_series(tmp_path, noise(CHEST.shape, 4), CHEST, uid="1.2.3.4567899", number=4)
    write_series(tmp_path, noise(CHEST.shape, 5), CHEST, uid="1.2.3.4567811", number=5, name="second-{}")
    for identifier in ("99", "4567899"):
        with pytest.raises(InputError, match=f'There is no series "{identifier}"'):
            read_volume(tmp_path, series=identifier)
    assert np.array_equal(read_volume(tmp_path, series=".4567899").array, noise(CHEST.shape, 4))


def test_a_series_number_that_two_series_share_is_ambiguous(tmp_path: Path) -> None:
    uid = series_of(tmp_path / "study 1", 3)
    series_of(tmp_path / "study 2", 3)
    with pytest.raises(InputError, match=r'Several series match "3".*end of its UID'):
        read_volume(tmp_path, series="3")
    assert read_volume(tmp_path, series=uid).source["series_uid"] == uid


def test_without_a_ct_the_reasons_are_listed(tmp_path: Path) -> None:
    series_of(tmp_path, 1, Modality="MR")
    series_of(tmp_path, 2, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    with pytest.raises(InputError, match=r"None of the series.*\n.*MR images.*\n.*scout view"):
        read_volume(tmp_path)
