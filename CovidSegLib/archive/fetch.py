"""Fetch a CT series from an archive by DICOMweb (QIDO-RS and WADO-RS, PS3.18)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.uid import UID

from ..errors import InputError
from ..progress import Progress, silent
from ..storage.disk_errors import explain_disk_errors
from ..storage.staging import staged_files
from .errors import ArchiveError
from .web import WebArchive, explained

#: More slices than any CT has.
MOST_INSTANCES = 20_000
#: Images as they are stored: an archive need not be able to decompress them.
AS_STORED = (("application/dicom", "*"),)
_STUDY, _SERIES, _MODALITY = "0020000D", "0020000E", "00080060"
_NUMBER, _DESCRIPTION, _COUNT, _DATE = "00200011", "0008103E", "00201209", "00080020"


@dataclass(frozen=True)
class RemoteSeries:
    """A series in the archive.

    Attributes:
        study_uid, series_uid: Its UIDs.
        number: Series number, or "".
        description: Series description, or "".
        date: Date of the study, or "".
        images: Number of images, or None if the archive does not tell.
    """

    study_uid: str
    series_uid: str
    number: str
    description: str
    date: str
    images: int | None

    def __str__(self) -> str:
        parts = [f"number {self.number or '-'}", f'"{self.description}"' if self.description else "no description"]
        parts += [f"{self.images} images"] if self.images is not None else []
        parts += [f"study of {self.date}"] if self.date else []
        return ", ".join([*parts, f"UID {self.series_uid}"])


def find_series(
    archive: WebArchive,
    *,
    study: str | None = None,
    series: str | None = None,
    patient: str | None = None,
    accession: str | None = None,
) -> list[RemoteSeries]:
    """List the CT series that fit.

    Args:
        archive: The archive.
        study, series: Study and Series Instance UID.
        patient: Patient ID.
        accession: Accession number.

    Raises:
        ArchiveError: The archive does not answer, or refuses.
        InputError: Nothing is asked for, or a UID is not valid.
    """
    for uid in filter(None, (study, series)):
        if not UID(uid).is_valid:
            raise InputError(f'"{uid}" is not a UID. UIDs are numbers with dots.')
    wanted = {"StudyInstanceUID": study, "PatientID": patient, "AccessionNumber": accession}
    filters = {name: value for name, value in wanted.items() if value}
    if not filters and not series:
        raise InputError("Say what to fetch: give --study, --series, --patient or --accession.")
    for value in filters.values():
        if any(character in value for character in "*?\\"):
            raise InputError(f'"{value}" has a wildcard. Give the exact value.')
    client = archive.client()
    found = []
    with explained(archive):
        if filters:
            studies = client.search_for_studies(search_filters=filters)
            uids = list(dict.fromkeys(uid for item in studies if (uid := _value(item, _STUDY))))
        else:
            items = client.search_for_series(search_filters={"SeriesInstanceUID": series})
            uids = list(dict.fromkeys(uid for item in items if (uid := _value(item, _STUDY))))
            studies = []
        dates = {_value(item, _STUDY): _value(item, _DATE) for item in studies}
        for uid in uids:
            for item in client.search_for_series(study_instance_uid=uid, fields=["all"]):
                if _value(item, _MODALITY) == "CT" and series in (None, _value(item, _SERIES)):
                    count = _value(item, _COUNT)
                    found.append(
                        RemoteSeries(
                            uid,
                            _value(item, _SERIES),
                            _value(item, _NUMBER),
                            _value(item, _DESCRIPTION),
                            dates.get(uid) or _value(item, _DATE),
                            int(count) if count.isdecimal() else None,
                        )
                    )
    return found


def choose(found: Sequence[RemoteSeries]) -> RemoteSeries:
    """Return the only series.

    Raises:
        InputError: There is none, or there are several. The message lists them.
    """
    if not found:
        raise InputError("The archive has no CT series that fits. Check the identifiers.")
    if len(found) > 1:
        listing = "\n".join(f"  {item}" for item in found)
        raise InputError(
            f"The archive has several CT series that fit. Choose one with --series and its UID:\n{listing}"
        )
    return found[0]


def fetch_series(archive: WebArchive, series: RemoteSeries, out: Path, progress: Progress = silent) -> list[Path]:
    """Write all images of a series to a folder, or nothing.

    Args:
        archive: The archive.
        series: The series.
        out: The folder, which is created. Files are numbered, without names of patients.
        progress: Receives the step and the fraction done.

    Raises:
        ArchiveError: The archive refuses, goes away in the middle, or sends fewer images than it has.
        InputError: The folder cannot be written, or is not empty.
    """
    with explain_disk_errors(out):
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise InputError(f'"{out}" is not an empty folder. Choose another folder for the images.')
    client = archive.client()
    names: list[str] = []
    with staged_files(out, names, overwrite=False) as folder:
        with explained(archive):
            expected = series.images
            if expected is None:
                items = client.search_for_instances(series.study_uid, series.series_uid)
                expected = len(items)
            images = client.iter_series(series.study_uid, series.series_uid, media_types=AS_STORED)
            for number, data in enumerate(images, start=1):
                if number > MOST_INSTANCES or str(data.get("SeriesInstanceUID")) != series.series_uid:
                    raise ArchiveError(f'"{archive}" sends other images than it was asked for.')
                names.append(f"{number:06d}.dcm")
                data.save_as(folder / names[-1], enforce_file_format=True)
                progress("Fetching the CT", min(1.0, number / max(expected, 1)))
        if len(names) < expected or not names:
            raise ArchiveError(
                f'"{archive}" sent {len(names)} of {expected} images. Nothing was written; fetch the series again.'
            )
    return [out / name for name in names]


def _value(item: dict[str, Any], tag: str) -> str:
    values = item.get(tag, {}).get("Value") or [""]
    return str(values[0]).strip() if not isinstance(values[0], dict) else ""
