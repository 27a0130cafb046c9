"""Patient and study modules of derived objects: copied from the source, nothing added."""

from __future__ import annotations

from copy import deepcopy

from pydicom.dataset import Dataset, FileDataset
from pydicom.tag import Tag
from pydicom.uid import UID

from .. import __version__
from .source import Source
from .tracking import stable_uid

#: Attributes of the modules Patient, Clinical Trial Subject, General Study, Patient Study and Clinical Trial Study
#: (PS3.3, sections C.7.1.1, C.7.1.3, C.7.2.1, C.7.2.2, C.7.2.3) that describe the patient and the study.
COPIED = (
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "IssuerOfPatientIDQualifiersSequence",
    "TypeOfPatientID",
    "OtherPatientIDsSequence",
    "PatientBirthDate",
    "PatientBirthTime",
    "PatientSex",
    "OtherPatientNames",
    "EthnicGroup",
    "PatientComments",
    "PatientSpeciesDescription",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "ClinicalTrialSponsorName",
    "ClinicalTrialProtocolID",
    "ClinicalTrialProtocolName",
    "ClinicalTrialSiteID",
    "ClinicalTrialSiteName",
    "ClinicalTrialSubjectID",
    "ClinicalTrialSubjectReadingID",
    "ClinicalTrialProtocolEthicsCommitteeName",
    "ClinicalTrialTimePointID",
    "ClinicalTrialTimePointDescription",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "StudyDescription",
    "AccessionNumber",
    "IssuerOfAccessionNumberSequence",
    "ReferringPhysicianName",
    "ReferringPhysicianIdentificationSequence",
    "ProcedureCodeSequence",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "AdmissionID",
    "TimezoneOffsetFromUTC",
)
CHARACTER_SET = Tag("SpecificCharacterSet")


def copy_patient_and_study(source: Source, data: Dataset) -> None:
    """Give an object the patient and study of its source, exactly as they are there.

    Args:
        source: The source.
        data: The object. Attributes that the source lacks are removed, those that must not be missing are empty.
    """
    original = source.datasets[0]
    for keyword in COPIED:
        if keyword in data:
            del data[keyword]
        if keyword in original:
            data[keyword] = deepcopy(original[keyword])
    if CHARACTER_SET in original:
        data[CHARACTER_SET] = deepcopy(original[CHARACTER_SET])
    elif CHARACTER_SET in data:
        del data[CHARACTER_SET]


def set_implementation(data: FileDataset) -> None:
    """State in the file header which program wrote the file: at most 16 characters (PS3.10, section 7.1)."""
    data.file_meta.ImplementationClassUID = UID(stable_uid("implementation"))
    data.file_meta.ImplementationVersionName = f"COVIDSEG {__version__}"[:16]
    data.file_meta.pop("SourceApplicationEntityTitle", None)
