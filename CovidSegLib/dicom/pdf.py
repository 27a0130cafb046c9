"""A PDF report as a DICOM object (Encapsulated PDF, PS3.3, section A.45.1), which every archive can show."""

from __future__ import annotations

from pathlib import Path

from highdicom import SOPClass
from pydicom.dataset import Dataset
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian

from ..errors import InputError
from ..storage.limited import read_limited
from .equipment import contributing_equipment, equipment
from .modules import copy_patient_and_study
from .result import Result
from .source import Source
from .tracking import new_uid

SERIES = 9005
#: Larger files are not reports.
MOST_BYTES = 200_000_000


def encapsulated_pdf(source: Source, result: Result, path: Path) -> Dataset:
    """Return a PDF file as a DICOM object of the study.

    Args:
        source: The CT.
        result: The result that the PDF reports.
        path: The PDF file.

    Raises:
        InputError: It is not a PDF file.
    """
    try:
        content = read_limited(path, MOST_BYTES)
    except OSError as error:
        raise InputError(f'"{path}" cannot be read ({error.strerror}). Check the path of the PDF report.') from error
    if not content.startswith(b"%PDF-"):
        raise InputError(f'"{path}" is not a PDF file. Name the PDF report of the result, or none.')
    original = source.datasets[0]
    data = SOPClass(
        study_instance_uid=original.StudyInstanceUID,
        series_instance_uid=new_uid(),
        series_number=SERIES,
        sop_instance_uid=new_uid(),
        sop_class_uid=EncapsulatedPDFStorage,
        instance_number=1,
        modality="DOC",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        series_description="CovidSeg: Report",
        **equipment(result.provenance),
    )
    data.ConversionType = "WSD"  # made on a workstation, not scanned from paper
    data.BurnedInAnnotation = "YES"
    data.AcquisitionDateTime = original.get("AcquisitionDateTime") or ""
    data.ContentDate, data.ContentTime = data.InstanceCreationDate, data.InstanceCreationTime
    data.DocumentTitle = "CovidSeg report"
    data.ConceptNameCodeSequence = []
    data.SourceInstanceSequence = [_reference(item) for item in source.datasets]
    data.MIMETypeOfEncapsulatedDocument = "application/pdf"
    data.EncapsulatedDocumentLength = len(content)
    data.EncapsulatedDocument = content + b"\0" * (len(content) % 2)
    data.ContributingEquipmentSequence = contributing_equipment(result.provenance)
    copy_patient_and_study(source, data)
    return data


def _reference(data: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = data.SOPClassUID
    item.ReferencedSOPInstanceUID = data.SOPInstanceUID
    return item
