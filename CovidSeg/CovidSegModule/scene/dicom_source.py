"""The DICOM series from which a CT was loaded, in Slicer's DICOM database."""

from __future__ import annotations

import slicer

from CovidSegLib.reports.series import Series, series_of

#: Attribute with the SOP Instance UIDs of the slices, separated by spaces. Slicer's DICOM module sets it.
INSTANCES_ATTRIBUTE = "DICOM.instanceUIDs"
#: Series Number, Series Description and Series Instance UID.
SERIES_TAGS = ("0020,0011", "0008,103E", "0020,000E")
#: What identifies the patient, and must not be in a description: Patient's Name, Patient ID, birth date, other names,
#: other IDs, Accession Number, Referring Physician's Name.
IDENTITY_TAGS = ("0010,0010", "0010,0020", "0010,0030", "0010,1001", "0010,1000", "0008,0050", "0008,0090")


def instance_uids(ct: slicer.vtkMRMLScalarVolumeNode) -> list[str]:
    """Return the SOP Instance UIDs of the slices of a CT; none if it was not loaded from DICOM."""
    return str(ct.GetAttribute(INSTANCES_ATTRIBUTE) or "").split()


def source_files(ct: slicer.vtkMRMLScalarVolumeNode) -> list[str]:
    """Return the files of the slices of a CT; none if the database lacks one of them."""
    database = getattr(slicer, "dicomDatabase", None)
    uids = instance_uids(ct)
    files = [str(database.fileForInstance(uid) or "") for uid in uids] if database is not None else []
    return files if files and all(files) else []


def series_of_ct(ct: slicer.vtkMRMLScalarVolumeNode) -> Series | None:
    """Return the series of a CT without the identity of the patient; None if the database does not have it."""
    database, uids = getattr(slicer, "dicomDatabase", None), instance_uids(ct)
    if database is None or not uids:
        return None
    number, description, uid, *identity = (
        str(database.instanceValue(uids[0], tag) or "") for tag in (*SERIES_TAGS, *IDENTITY_TAGS)
    )
    return series_of(number, description, uid, identity) if uid else None
