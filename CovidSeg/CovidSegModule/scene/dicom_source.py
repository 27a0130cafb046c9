"""The DICOM files from which a CT was loaded, in Slicer's DICOM database."""

from __future__ import annotations

import slicer

#: Attribute with the SOP Instance UIDs of the slices, separated by spaces. Slicer's DICOM module sets it.
INSTANCES_ATTRIBUTE = "DICOM.instanceUIDs"


def instance_uids(ct: slicer.vtkMRMLScalarVolumeNode) -> list[str]:
    """Return the SOP Instance UIDs of the slices of a CT; none if it was not loaded from DICOM."""
    return str(ct.GetAttribute(INSTANCES_ATTRIBUTE) or "").split()


def source_files(ct: slicer.vtkMRMLScalarVolumeNode) -> list[str]:
    """Return the files of the slices of a CT; none if the database lacks one of them."""
    database = getattr(slicer, "dicomDatabase", None)
    uids = instance_uids(ct)
    files = [str(database.fileForInstance(uid) or "") for uid in uids] if database is not None else []
    return files if files and all(files) else []
