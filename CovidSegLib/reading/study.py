"""When a CT was made, and of which patient: what a comparison of two CTs must know, and what no result contains."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

import pydicom

from .dicom_series import choose_series, list_series
from .image_file import image_extension

#: Dates of a CT in the order in which they are used: the study date is what a radiologist sees.
_DATES = ("StudyDate", "AcquisitionDate", "SeriesDate", "ContentDate")


@dataclass(frozen=True)
class Study:
    """The examination that a CT belongs to. What the file does not state is empty or None.

    Attributes:
        date: Date of the study.
        uid: Study Instance UID.
        patient_id: Patient ID. It is compared and never written or shown.
    """

    date: date | None = None
    uid: str = ""
    patient_id: str = field(default="", repr=False)

    def is_other_patient(self, other: Study) -> bool:
        """Return True if both state a patient ID, and not the same."""
        return bool(self.patient_id and other.patient_id) and self.patient_id != other.patient_id


def read_study(path: Path | str, *, series: str | None = None) -> Study:
    """Read date and identifiers from the header of the CT that `read_volume` reads with the same arguments.

    Args:
        path: A folder with DICOM files, one DICOM file, or an image file in another format, which states nothing.
        series: The DICOM series.

    Raises:
        InputError: There is no such series. Call `read_volume` before, which explains every other problem.

    Example:
        >>> import SimpleITK as sitk
        >>> sitk.WriteImage(sitk.Image([20, 16, 12], sitk.sitkInt16), "ct.nrrd")
        >>> read_study("ct.nrrd")
        Study(date=None, uid='')
    """
    path = Path(path)
    if path.is_dir():
        chosen = choose_series(list_series(path), series)
        path = chosen.slices[0].path
    elif image_extension(path) is not None:
        return Study()
    tags = ["PatientID", "StudyInstanceUID", *_DATES]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of every irregular but harmless value
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=tags, force=True)
        dates = [_date(str(header.get(name) or "")) for name in _DATES]
        return Study(
            next((day for day in dates if day is not None), None),
            str(header.get("StudyInstanceUID") or ""),
            str(header.get("PatientID") or "").strip(),
        )


def _date(text: str) -> date | None:
    """Return a DICOM date, or None. Anonymised files have days that no calendar has."""
    try:
        return datetime.strptime(text.strip(), "%Y%m%d").date()
    except ValueError:
        return None
