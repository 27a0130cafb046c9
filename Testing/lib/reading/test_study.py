"""Dates and patient IDs of CTs, which only comparisons look at."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from support.dicom_factory import write_series
from support.grids import grid_of

from CovidSegLib.reading.study import Study, read_study

GRID = grid_of((12, 16, 20), (1.0, 1.0, 10.0))


def written(folder: Path, **attributes: str) -> Path:
    def edit(data: object, index: int) -> None:
        for name, value in attributes.items():
            setattr(data, name, value)

    write_series(folder, np.full(GRID.shape, -800, np.int16), GRID, edit=edit)
    return folder


def test_the_study_date_comes_first(tmp_path: Path) -> None:
    study = read_study(written(tmp_path, StudyDate="20200302", AcquisitionDate="20200303"))
    assert study.date == date(2020, 3, 2)
    assert study.uid and study.patient_id == "SECRET-4711"
    assert "4711" not in repr(study), "patient IDs are never printed"


@pytest.mark.filterwarnings("ignore:Invalid value for VR DA")  # from pydicom, which writes the file
@pytest.mark.parametrize("value", ["", "20201341", "unknown"])
def test_another_date_takes_the_place_of_one_that_is_none(tmp_path: Path, value: str) -> None:
    folder = written(tmp_path, StudyDate=value, AcquisitionDate="20200303")
    assert read_study(folder).date == date(2020, 3, 3)
    assert read_study(next(folder.iterdir())).date == date(2020, 3, 3), "one file stands for its series"


def test_image_files_state_nothing(tmp_path: Path) -> None:
    sitk.WriteImage(sitk.Image([20, 16, 12], sitk.sitkInt16), str(tmp_path / "ct.nii.gz"))
    assert read_study(tmp_path / "ct.nii.gz") == Study()


def test_patients_differ_only_if_both_are_known() -> None:
    one, other, unknown = Study(patient_id="a"), Study(patient_id="b"), Study()
    assert one.is_other_patient(other)
    assert not one.is_other_patient(one) and not one.is_other_patient(unknown) and not unknown.is_other_patient(one)
