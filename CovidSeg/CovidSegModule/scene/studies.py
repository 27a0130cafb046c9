"""When a CT was made, and of which patient, as Slicer's DICOM module stores it in the subject hierarchy."""

from __future__ import annotations

from datetime import date as Date

import slicer


def study_date(ct: slicer.vtkMRMLScalarVolumeNode | None) -> Date | None:
    """Return the study date of a CT that was loaded from DICOM, or None."""
    names = slicer.vtkMRMLSubjectHierarchyConstants
    text = _ancestor_attribute(ct, names.GetDICOMStudyDateAttributeName(), names.GetDICOMLevelStudy())
    try:
        return Date.fromisoformat(text)
    except ValueError:
        return None


def patient_id(ct: slicer.vtkMRMLScalarVolumeNode | None) -> str:
    """Return the patient ID of a CT that was loaded from DICOM, or an empty text. It is compared, never shown."""
    names = slicer.vtkMRMLSubjectHierarchyConstants
    return _ancestor_attribute(ct, names.GetDICOMPatientIDAttributeName(), names.GetDICOMLevelPatient())


def _ancestor_attribute(node: slicer.vtkMRMLNode | None, name: str, level: str) -> str:
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.GetItemByDataNode(node) if hierarchy and node else 0
    ancestor = hierarchy.GetItemAncestorAtLevel(item, level) if item else 0
    return str(hierarchy.GetItemAttribute(ancestor, name)).strip() if ancestor else ""
