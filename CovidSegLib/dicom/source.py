"""The CT series that a result is exported for: its headers, its grid, and the order of its frames."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import UID

from ..errors import InputError
from ..reading.dicom_geometry import arrange_slices
from ..reading.dicom_reader import read_series
from ..reading.dicom_series import Series, choose_series, list_series, list_series_of_files
from ..storage.limited import read_limited_text
from ..volume import Volume

#: Without these, references to the series would point nowhere. They are never made up.
REQUIRED_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "SOPInstanceUID", "SOPClassUID")
#: Those that all slices have in common.
SHARED = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "PatientID")
#: Attributes that may be empty but not missing (type 2 in PS3.3).
MAY_BE_EMPTY = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
)


@dataclass(frozen=True)
class Source:
    """A CT series in DICOM.

    Attributes:
        volume: The CT, (z, y, x) along the normal of the slices.
        datasets: Headers of its files without pixels: one for each slice in the order of `volume`, or a single one of
            an enhanced (multi-frame) CT.
        frames: Position in `volume` of each frame of the datasets: `array[frames]` is in the order of the files.
    """

    volume: Volume
    datasets: tuple[Dataset, ...]
    frames: np.ndarray

    def in_file_order(self, array: np.ndarray) -> np.ndarray:
        """Return an array on the grid of the volume (z, ...) with its slices in the order of the files or frames."""
        return array if np.array_equal(self.frames, np.arange(len(self.frames))) else array[self.frames]

    @cached_property
    def references(self) -> list[Dataset]:
        """The datasets for highdicom, without the values of the patient and the study.

        highdicom refuses values that the standard does not allow. `modules.copy_patient_and_study` copies them as they
        are.
        """
        copies = deepcopy(list(self.datasets))
        for data in copies:
            for keyword in MAY_BE_EMPTY:
                setattr(data, keyword, "")
            data.pop("SpecificCharacterSet", None)
        return copies

    @property
    def series_uid(self) -> str:
        """Series Instance UID."""
        return str(self.datasets[0].SeriesInstanceUID)

    @property
    def patient_id(self) -> str:
        """Patient ID; empty if the files have none."""
        return str(self.datasets[0].PatientID or "")


def read_source(path: Path | str, series: str | None = None) -> Source:
    """Read a CT series with everything that objects derived from it refer to.

    Args:
        path: A DICOM folder, one file of the series, or a `.txt` file that lists files of the series, one a line.
        series: Number of the series, or its UID or the end of it. Needed if there are several CTs.

    Raises:
        InputError: There is no such CT, it cannot be read, or it lacks identifiers that references need.
    """
    chosen = _find_series(Path(path), series)
    volume = read_series(chosen)
    return source_of(volume, chosen)


def source_of(volume: Volume, series: Series) -> Source:
    """Return the source of a volume that `read_series` has read.

    Raises:
        InputError: The series lacks identifiers that references need.
    """
    _, slices = arrange_slices(series.slices)
    files = list(dict.fromkeys(item.path for item in slices))
    enhanced = len(files) < len(slices)
    if enhanced and len(files) > 1:
        raise InputError(
            "The frames of this enhanced CT are in several files, which results cannot refer to together. "
            "Export the CT from the archive as one file, or as classic CT images."
        )
    datasets = tuple(_header(path) for path in files)
    _check_identifiers(datasets)
    frames = np.argsort([item.frame for item in slices]) if enhanced else np.arange(len(slices))
    return Source(volume, datasets, frames)


def find_dicom_series(path: Path, identifier: str | None = None) -> Series:
    """Return the series of a DICOM folder or file. See `read_source`."""
    return _find_series(path, identifier)


def _find_series(path: Path, identifier: str | None) -> Series:
    if not path.exists():
        raise InputError(f'There is no file or folder "{path}". Check the path of the DICOM series.')
    try:
        if path.is_dir():
            all_series = list_series(path)
        elif path.suffix.lower() == ".txt":
            names = [line for line in read_limited_text(path).split("\n") if line]
            all_series = list_series_of_files([Path(name) for name in names])
        else:
            one = list_series_of_files([path])
            identifier = identifier or (one[0].header.series_uid if one else None)
            all_series = list_series(path.parent, nested=False)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f'"{path}" cannot be read ({error}). Check the path of the DICOM series.') from error
    if not all_series:
        raise InputError(f'"{path}" contains no DICOM images. Name the folder of the DICOM series that was segmented.')
    return choose_series(all_series, identifier)


def _header(path: Path) -> Dataset:
    data = pydicom.dcmread(path, stop_before_pixels=True)
    for keyword in MAY_BE_EMPTY:
        if keyword not in data:
            setattr(data, keyword, "")
    return data


def _check_identifiers(datasets: Sequence[Dataset]) -> None:
    for keyword in REQUIRED_UIDS:
        values = [data.get(keyword) for data in datasets]
        if not all(value and UID(str(value)).is_valid for value in values):
            name = pydicom.datadict.dictionary_description(keyword)
            raise InputError(
                f"The series lacks a valid {name}, so results cannot refer to it. Export the series again from the "
                "archive, without anonymisation that removes identifiers."
            )
    for keyword in SHARED:
        if len({str(data.get(keyword)) for data in datasets}) > 1:
            name = pydicom.datadict.dictionary_description(keyword)
            raise InputError(f"The slices differ in {name}. Export the CT as one series of one study.")
    if len({str(data.SOPInstanceUID) for data in datasets}) < len(datasets):
        raise InputError("Several slices have the same SOP Instance UID. Export the series again from the archive.")
