"""Label map segmentations, which dcmqi and dciodvfy of today do not know.

dciodvfy of Debian (dicom3tools of 2022) is older than the SOP class (2024). It checks what label maps share with
segmentations; what it then reports is exactly what differs. dicom-validator needs the text of the standard, which no
package has. The tables of highdicom are from the standard.
"""

from __future__ import annotations

from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom.uid import SegmentationStorage
from support import dicom_results
from support.dicom_readers import dciodvfy_errors, missing_attributes, read_report
from support.dicom_results import source_and_result

from CovidSegLib import dicom

#: SOP class of label maps, for which pydicom 3.0 has no name.
LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
#: What holds for label maps, and not for the segmentations that dciodvfy knows (PS3.3, sections C.8.20.2 and A.51.5).
DIFFERENCES = (
    "Unrecognized enumerated value <LABELMAP> for value 1 of attribute <Segmentation Type>",
    "SegmentNumber not monotonically increasing from one by one - have SegmentSequence item number 1 (from one) with "
    "SegmentNumber of 0",  # the background is a segment, too
    "Value is zero for value 1 of attribute <Segment Number>",
    "Missing attribute Type 1 Required Element=<SegmentIdentificationSequence> Module=<SegmentationMacro>",
)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[dicom.Source, dicom.Result, Path]:
    """A CT on an oblique grid, its edited result, and the folder with the exported objects."""
    folder = tmp_path_factory.mktemp("labelmap")
    source, result = source_and_result(folder / "ct", dicom_results.oblique())
    edited = dicom.Result(result.segmentation, result.lesions, edited=True)
    dicom.export(folder / "out", source, edited, labelmap=True)
    return source, edited, folder / "out"


def test_highdicom_reads_the_same_voxels(exported: tuple[dicom.Source, dicom.Result, Path]) -> None:
    """In the place in the patient where they are in the CT."""
    source, result, folder = exported
    data = hd.seg.segread(folder / "segmentation.dcm")
    assert (data.SOPClassUID, data.segmentation_type.value) == (LABEL_MAP, "LABELMAP")
    volume = data.get_volume(combine_segments=True)
    to_index = np.linalg.inv(source.volume.grid.affine_lps)
    found = np.zeros_like(result.segmentation.labels)
    for index, plane in enumerate(volume.array):
        x, y, z, _one = to_index @ volume.affine @ [index, 0, 0, 1]
        assert (round(x, 3), round(y, 3)) == (0, 0)
        found[round(z)] = plane
    np.testing.assert_array_equal(found, result.segmentation.labels)
    labels = {number: data.get_segment_description(number).segment_label for number in data.segment_numbers}
    assert {number: labels[number] for number in (1, 2, 3)} == {
        1: "Right lung",
        2: "Left lung",
        3: "COVID-19 infection",
    }


def test_dciodvfy_finds_nothing_but_what_is_new(
    exported: tuple[dicom.Source, dicom.Result, Path], tmp_path: Path
) -> None:
    """It is told that the object is a segmentation, so that it checks all that both kinds share."""
    data = pydicom.dcmread(exported[2] / "segmentation.dcm")
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = SegmentationStorage
    data.save_as(tmp_path / "as_segmentation.dcm")
    errors = dciodvfy_errors(tmp_path / "as_segmentation.dcm")
    assert [error for error in errors if not error.endswith(DIFFERENCES)] == []


def test_dciodvfy_finds_no_error_in_the_other_objects(exported: tuple[dicom.Source, dicom.Result, Path]) -> None:
    """It does not know that the SOP class which the report refers to has segments."""
    unknown = "Shall not be present for Referenced SOP Class that is not segmentation"
    errors = {path.stem: dciodvfy_errors(path) for path in exported[2].iterdir() if path.stem != "segmentation"}
    assert {
        name: [text for text in texts if not (name == "measurements" and unknown in text)]
        for name, texts in errors.items()
    } == {"zones": [], "lesions": [], "measurements": []}


@pytest.mark.parametrize("name", ["segmentation", "zones", "lesions"])
def test_no_required_attribute_is_missing(exported: tuple[dicom.Source, dicom.Result, Path], name: str) -> None:
    data = pydicom.dcmread(exported[2] / f"{name}.dcm")
    assert missing_attributes(data) == []
    del data.Modality
    assert [path.rpartition("/")[2] for path in missing_attributes(data)].count("Modality") >= 1


def test_every_segment_was_edited(exported: tuple[dicom.Source, dicom.Result, Path]) -> None:
    """The background, too: who adds to a lung removes from it."""
    data = pydicom.dcmread(exported[2] / "segmentation.dcm")
    kinds = {item.SegmentNumber: item.SegmentAlgorithmType for item in data.SegmentSequence}
    assert kinds == dict.fromkeys(range(4), "SEMIAUTOMATIC")


def test_the_report_refers_to_its_segments(exported: tuple[dicom.Source, dicom.Result, Path], tmp_path: Path) -> None:
    uid = pydicom.dcmread(exported[2] / "segmentation.dcm").SOPInstanceUID
    groups = read_report(exported[2] / "measurements.dcm", tmp_path / "read.json")["Measurements"]
    referred = {
        group["ReferencedSegment"]: group["TrackingIdentifier"]
        for group in groups
        if group["segmentationSOPInstanceUID"] == uid
    }
    assert referred == {1: "Right lung", 2: "Left lung", 3: "COVID-19 infection"}
