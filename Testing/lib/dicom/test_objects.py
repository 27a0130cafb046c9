"""DICOM objects of a result, read back and checked by programs of others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset
from support import dicom_results
from support.dicom_factory import write_enhanced
from support.dicom_readers import dciodvfy_errors, read_report, read_segments, validator_errors
from support.dicom_results import complete, masks, source_and_result

from CovidSegLib import dicom
from CovidSegLib.dicom.result import number_lesions
from CovidSegLib.quantification import quantify
from CovidSegLib.quantification.density import INFECTION_RANGES
from CovidSegLib.segmentation import Segmentation
from CovidSegLib.volume import Grid

GRIDS = ("straight", "oblique", "flipped", "mirrored", "left_handed", "sagittal")
LABELS = {"Right lung", "Left lung", "COVID-19 infection", "Ground glass opacity", "Consolidation"}


@pytest.fixture(scope="module")
def pdf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest thing that counts as a PDF here. Its length is odd."""
    path = tmp_path_factory.mktemp("pdf") / "report.pdf"
    path.write_bytes(b"%PDF-1.4\n%%EOF\n" + b" " * 6)
    return path


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, pdf: Path) -> tuple[dicom.Source, dicom.Result, Path]:
    """A CT on an oblique grid, its result, and the folder with the exported objects."""
    folder = tmp_path_factory.mktemp("export")
    source, result = source_and_result(folder / "ct", dicom_results.oblique())
    dicom.export(folder / "out", source, result, pdf=pdf)
    return source, result, folder / "out"


def expected_masks(source: dicom.Source, result: dicom.Result) -> dict[str, np.ndarray]:
    lungs, infection, hu = result.segmentation.lungs, result.segmentation.infection, source.volume.array
    kinds = {name: infection & (hu >= kind.low) & (hu < kind.high) for name, kind in INFECTION_RANGES.items()}
    return {
        "Right lung": lungs == 1,
        "Left lung": lungs == 2,
        "COVID-19 infection": infection,
        "Ground glass opacity": kinds["ground_glass"],
        "Consolidation": kinds["consolidation"],
    }


@pytest.mark.parametrize("grid", [getattr(dicom_results, name)() for name in GRIDS], ids=GRIDS)
def test_dcmqi_reads_the_same_voxels(grid: Grid, tmp_path: Path) -> None:
    """In the place in the patient where they are in the CT: a mirrored segmentation fails this."""
    source, result = source_and_result(tmp_path / "ct", grid)
    dicom.export(tmp_path / "out", source, result)
    found = read_segments(tmp_path / "out" / "segmentation.dcm", tmp_path / "read", source.volume.grid)
    expected = expected_masks(source, result)
    assert found.keys() - {""} == LABELS == expected.keys()
    for label, mask in expected.items():
        np.testing.assert_array_equal(found[label], mask, err_msg=label)


@pytest.mark.parametrize("grid", [getattr(dicom_results, name)() for name in GRIDS], ids=GRIDS)
def test_frames_lie_where_the_mask_was_drawn(grid: Grid, tmp_path: Path) -> None:
    """The centre of gravity in the patient, from the plane positions of the frames alone, is that of the mask drawn."""
    _, lungs, _ = masks()
    z, y, x = np.argwhere(lungs == 1).mean(axis=0)
    drawn = (grid.affine_lps @ [x, y, z, 1])[:3]
    source, result = source_and_result(tmp_path / "ct", grid)
    dicom.export(tmp_path / "out", source, result)
    data = pydicom.dcmread(tmp_path / "out" / "segmentation.dcm")
    shared = data.SharedFunctionalGroupsSequence[0]
    row, column = np.reshape(shared.PlaneOrientationSequence[0].ImageOrientationPatient, (2, 3)).astype(float)
    rows_mm, columns_mm = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    points = []
    for frame, item in zip(data.pixel_array, data.PerFrameFunctionalGroupsSequence, strict=True):
        if item.SegmentIdentificationSequence[0].ReferencedSegmentNumber == 1:
            position = np.array(item.PlanePositionSequence[0].ImagePositionPatient, float)
            r, c = np.nonzero(frame)
            points.append(position + np.outer(c * columns_mm, row) + np.outer(r * rows_mm, column))
    np.testing.assert_allclose(np.concatenate(points).mean(axis=0), drawn, atol=0.01)


def test_dcmqi_reads_the_same_numbers(exported: tuple[dicom.Source, dicom.Result, Path], tmp_path: Path) -> None:
    source, result, folder = exported
    read = read_report(folder / "measurements.dcm", tmp_path / "read.json")
    numbers = {
        group["TrackingIdentifier"]: {
            item["quantity"]["CodeValue"]: float(item["value"]) for item in group["measurementItems"]
        }
        for group in read["Measurements"]
    }
    report = quantify(source.volume, result.segmentation)
    for side in ("right", "left"):
        lung, group = report["lungs"][side], numbers[f"{side.capitalize()} lung"]
        assert group["118565006"] == pytest.approx(lung["volume_ml"], abs=1e-3)
        assert group["infection_volume"] == pytest.approx(lung["infection_ml"], abs=1e-3)
        assert group["involvement"] == pytest.approx(lung["involvement_percent"], abs=0.01)
        assert group["112031"] == pytest.approx(lung["mean_hu"], abs=0.1)
        assert group["infection_attenuation"] == pytest.approx(lung["infection_mean_hu"], abs=0.1)
        zones = [numbers[f"{side.capitalize()} lung, {zone} zone"] for zone in ("upper", "middle", "lower")]
        assert sum(zone["118565006"] for zone in zones) == pytest.approx(lung["volume_ml"], abs=0.01)
    assert report["lesions"]["count"] == 2
    for lesion in report["lesions"]["list"]:
        group = numbers[f"Lesion {lesion['number']}"]
        assert group["118565006"] == pytest.approx(lesion["volume_ml"], abs=1e-3)
        assert group["112031"] == pytest.approx(lesion["mean_hu"], abs=0.1)
    kinds = expected_masks(source, result)
    ml = source.volume.grid.voxel_ml
    for label in ("Ground glass opacity", "Consolidation", "COVID-19 infection"):
        assert numbers[label]["118565006"] == pytest.approx(kinds[label].sum() * ml, abs=1e-3)


def test_every_group_shows_its_segment(exported: tuple[dicom.Source, dicom.Result, Path], tmp_path: Path) -> None:
    """The tracking identifier of a group is that of the segment which it refers to."""
    _, _, folder = exported
    tracked = {}
    for name in ("segmentation", "zones", "lesions"):
        data = pydicom.dcmread(folder / f"{name}.dcm")
        for item in data.SegmentSequence:
            tracked[data.SOPInstanceUID, item.SegmentNumber] = (item.TrackingUID, item.TrackingID)
    assert len(set(tracked.values())) == len(tracked) == 5 + 6 + 2
    groups = read_report(folder / "measurements.dcm", tmp_path / "read.json")["Measurements"]
    for group in groups:
        key = group["segmentationSOPInstanceUID"], group["ReferencedSegment"]
        assert tracked.pop(key) == (group["TrackingUniqueIdentifier"], group["TrackingIdentifier"])
    assert not tracked


@pytest.mark.parametrize("name", ["segmentation", "zones", "lesions", "measurements", "report"])
def test_dciodvfy_finds_no_error(exported: tuple[dicom.Source, dicom.Result, Path], name: str) -> None:
    assert dciodvfy_errors(exported[2] / f"{name}.dcm") == []


def test_dicom_validator_finds_no_error(exported: tuple[dicom.Source, dicom.Result, Path]) -> None:
    assert validator_errors(sorted(exported[2].iterdir())) == ""


def test_codes_of_the_segments(exported: tuple[dicom.Source, dicom.Result, Path]) -> None:
    data = pydicom.dcmread(exported[2] / "segmentation.dcm")
    codes = {}
    for item in data.SegmentSequence:
        (kind,) = item.SegmentedPropertyTypeCodeSequence
        modifiers = [code.CodeValue for code in kind.get("SegmentedPropertyTypeModifierCodeSequence", [])]
        codes[item.SegmentLabel] = (kind.CodingSchemeDesignator, kind.CodeValue, modifiers)
    assert codes == {
        "Right lung": ("SCT", "39607008", ["24028007"]),
        "Left lung": ("SCT", "39607008", ["7771000"]),
        "COVID-19 infection": ("SCT", "233604007", ["840539006"]),
        "Ground glass opacity": ("DCM", "112120", []),
        "Consolidation": ("SCT", "95436008", []),
    }


def test_derived_segments_say_how_they_were_found(exported: tuple[dicom.Source, dicom.Result, Path]) -> None:
    notes = {
        item.SegmentLabel: item.get("SegmentDescription")
        for name in ("segmentation", "zones")
        for item in pydicom.dcmread(exported[2] / f"{name}.dcm").SegmentSequence
    }
    assert notes["Right lung"] is None
    assert notes["Ground glass opacity"] == "Voxels of the infection, -750 to -300 HU"
    assert notes["Left lung, upper zone"] == "Third of the height of the lung"


def test_the_model_is_named(exported: tuple[dicom.Source, dicom.Result, Path]) -> None:
    for path in exported[2].iterdir():
        equipment = pydicom.dcmread(path).ContributingEquipmentSequence
        (item,) = (
            item
            for item in equipment
            if item.PurposeOfReferenceCodeSequence[0].CodeValue == "109102" and item.Manufacturer == "CovidSeg"
        )
        assert (item.ManufacturerModelName, item.SoftwareVersions) == ("qc-hc-cascade", "0.1.0")
        assert item.DeviceSerialNumber == "ab" * 32
        assert item.PurposeOfReferenceCodeSequence[0].CodeValue == "109102"
        assert "Not for diagnosis" in item.ContributionDescription


def test_references_and_uids(exported: tuple[dicom.Source, dicom.Result, Path]) -> None:
    source, _, folder = exported
    objects = {path.stem: pydicom.dcmread(path) for path in folder.iterdir()}
    uids = {str(data.SOPInstanceUID) for data in source.datasets}
    for name in ("segmentation", "zones", "lesions"):
        (series,) = objects[name].ReferencedSeriesSequence
        assert series.SeriesInstanceUID == source.series_uid
        assert {item.ReferencedSOPInstanceUID for item in series.ReferencedInstanceSequence} == uids
        assert objects[name].FrameOfReferenceUID == "1.2.3.5"
        for frame in objects[name].PerFrameFunctionalGroupsSequence:
            (image,) = frame.DerivationImageSequence[0].SourceImageSequence
            (own,) = [data for data in source.datasets if data.SOPInstanceUID == image.ReferencedSOPInstanceUID]
            position = frame.PlanePositionSequence[0].ImagePositionPatient
            assert list(position) == list(own.ImagePositionPatient)
    evidence = {
        item.ReferencedSOPInstanceUID
        for study in objects["measurements"].CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    segmentations = {objects[name].SOPInstanceUID for name in ("segmentation", "zones", "lesions")}
    assert evidence == uids | segmentations
    assert {item.ReferencedSOPInstanceUID for item in objects["report"].SourceInstanceSequence} == uids
    new = [uid for data in objects.values() for uid in (data.SOPInstanceUID, data.SeriesInstanceUID)]
    assert len(set(new)) == len(new) == 10
    assert not set(new) & (uids | {source.series_uid})
    assert all(len(data.file_meta.ImplementationVersionName) <= 16 for data in objects.values())


def test_a_second_export_has_new_uids_and_the_same_tracking(
    exported: tuple[dicom.Source, dicom.Result, Path], tmp_path: Path
) -> None:
    source, result, folder = exported
    dicom.export(tmp_path / "again", source, result)
    for name in ("segmentation", "zones", "lesions"):
        first, second = (pydicom.dcmread(where / f"{name}.dcm") for where in (folder, tmp_path / "again"))
        assert first.SOPInstanceUID != second.SOPInstanceUID
        assert first.SeriesInstanceUID != second.SeriesInstanceUID
        tracking = [[item.TrackingUID for item in data.SegmentSequence] for data in (first, second)]
        assert tracking[0] == tracking[1]


@pytest.mark.parametrize(("edited", "kind"), [(False, "AUTOMATIC"), (True, "SEMIAUTOMATIC")])
def test_edited_masks_are_semiautomatic(
    exported: tuple[dicom.Source, dicom.Result, Path], tmp_path: Path, edited: bool, kind: str
) -> None:
    source, result, _ = exported
    dicom.export(tmp_path / "out", source, dicom.Result(result.segmentation, result.lesions, edited))
    for name in ("segmentation", "zones", "lesions"):
        data = pydicom.dcmread(tmp_path / "out" / f"{name}.dcm")
        assert {item.SegmentAlgorithmType for item in data.SegmentSequence} == {kind}


def test_patient_and_study_are_copied_and_nothing_is_invented(tmp_path: Path, pdf: Path) -> None:
    """Text in Japanese stays as it is. What the CT lacks is empty, or missing if it may be."""

    def edit(data: FileDataset, index: int) -> None:
        complete(data, index)
        data.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
        data.PatientName = "Yamada^Tarou=山田^太郎=やまだ^たろう"
        data.PatientSex, data.PatientWeight = "X", "61.5"  # a sex that no standard knows
        del data.PatientBirthDate, data.AccessionNumber, data.StudyDate, data.ReferringPhysicianName

    source, result = source_and_result(tmp_path / "ct", edit=edit)
    dicom.export(tmp_path / "out", source, result, pdf=pdf)
    for path in (tmp_path / "out").iterdir():
        data = pydicom.dcmread(path)
        assert str(data.PatientName) == "Yamada^Tarou=山田^太郎=やまだ^たろう"
        assert (data.PatientID, data.PatientSex, data.PatientAge) == ("SECRET-4711", "X", "055Y")
        assert data.PatientWeight == 61.5
        assert (data.StudyInstanceUID, data.StudyID, data.StudyDescription) == ("1.2.3.4", "7", "CT Thorax")
        for keyword in ("PatientBirthDate", "AccessionNumber", "StudyDate", "ReferringPhysicianName"):
            assert keyword in data and not data[keyword].value
        for keyword in (
            "InstitutionName",
            "OperatorsName",
            "PerformingPhysicianName",
            "PatientSize",
            "BodyPartExamined",
        ):
            assert not data.get(keyword), keyword


def test_the_report_is_preliminary_and_unverified(exported: tuple[dicom.Source, dicom.Result, Path]) -> None:
    data = pydicom.dcmread(exported[2] / "measurements.dcm")
    assert (data.PreliminaryFlag, data.VerificationFlag) == ("PRELIMINARY", "UNVERIFIED")


def test_the_pdf_comes_back_as_it_was(exported: tuple[dicom.Source, dicom.Result, Path], pdf: Path) -> None:
    data = pydicom.dcmread(exported[2] / "report.dcm")
    content = pdf.read_bytes()
    assert data.EncapsulatedDocumentLength == len(content)
    assert data.EncapsulatedDocument[: len(content)] == content


def test_without_infection_there_are_lungs_only(tmp_path: Path) -> None:
    source, result = source_and_result(tmp_path / "ct")
    clean = result.segmentation
    empty = Segmentation(clean.lungs, np.zeros_like(clean.infection), clean.probability, clean.grid, clean.provenance)
    files = dicom.export(tmp_path / "out", source, dicom.result_of(source.volume, empty))
    assert [path.name for path in files] == ["segmentation.dcm", "zones.dcm", "measurements.dcm"]
    data = pydicom.dcmread(files[0])
    assert [item.SegmentLabel for item in data.SegmentSequence] == ["Right lung", "Left lung"]
    groups = read_report(files[2], tmp_path / "read.json")["Measurements"]
    (volume,) = (
        item["value"] for item in groups[0]["measurementItems"] if item["quantity"]["CodeValue"] == "infection_volume"
    )
    assert float(volume) == 0


@pytest.mark.parametrize("order", [list(range(12)), list(range(12))[::-1], [*range(1, 12, 2), *range(0, 12, 2)]])
def test_enhanced_ct(tmp_path: Path, order: list[int]) -> None:
    """The frames of one file, in any order."""
    hu, lungs, infection = masks()
    grid = dicom_results.oblique()
    path = write_enhanced(tmp_path / "ct" / "ct.dcm", hu, grid, order)
    data = pydicom.dcmread(path)
    complete(data, 0)
    data.save_as(path)
    source = dicom.read_source(path.parent)
    segmentation = Segmentation(lungs, infection, lungs, source.volume.grid, dicom_results.PROVENANCE)
    dicom.export(tmp_path / "out", source, dicom.result_of(source.volume, segmentation))
    found = read_segments(tmp_path / "out" / "segmentation.dcm", tmp_path / "read", grid)
    np.testing.assert_array_equal(found["Right lung"], lungs == 1)
    np.testing.assert_array_equal(found["COVID-19 infection"], infection)


def test_lesions_have_the_numbers_of_the_report(tmp_path: Path) -> None:
    source, result = source_and_result(tmp_path / "ct")
    numbers = number_lesions(source.volume, result.segmentation)
    for lesion in quantify(source.volume, result.segmentation)["lesions"]["list"]:
        voxels = np.count_nonzero(numbers == lesion["number"])
        assert voxels * source.volume.grid.voxel_ml == pytest.approx(lesion["volume_ml"], abs=1e-3)
