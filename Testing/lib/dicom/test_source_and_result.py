"""What is refused, with a sentence, and with nothing written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom.dataset import FileDataset
from pydicom.uid import generate_uid
from support import dicom_results
from support.dicom_results import complete, masks, segmentation_on, write_ct

from CovidSegLib import dicom, outputs
from CovidSegLib.errors import InputError
from CovidSegLib.reading import read_volume


def write_result(folder: Path, ct: Path, *, identified: bool = True) -> None:
    """Write a result folder for a CT."""
    volume = read_volume(ct)
    volume = volume if identified else volume.without_identifiers()
    outputs.write_results(folder, volume, segmentation_on(volume.grid), skip=["surfaces", "overview"])


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A CT on an oblique grid, and a result."""
    folder = tmp_path_factory.mktemp("case")
    write_ct(folder / "ct", dicom_results.oblique())
    write_result(folder / "result", folder / "ct")
    return folder / "ct", folder / "result"


@pytest.mark.parametrize(
    ("keyword", "name"),
    [
        ("StudyInstanceUID", "Study Instance UID"),
        ("FrameOfReferenceUID", "Frame of Reference UID"),
        ("SOPInstanceUID", "SOP Instance UID"),
    ],
)
def test_missing_uids(tmp_path: Path, keyword: str, name: str) -> None:
    def edit(data: FileDataset, index: int) -> None:
        complete(data, index)
        if index == 5:
            delattr(data, keyword)

    write_ct(tmp_path / "ct", edit=edit)
    with pytest.raises(InputError, match=f"lacks a valid {name}.*Export the series again"):
        dicom.read_source(tmp_path / "ct")


def test_slices_of_two_patients(tmp_path: Path) -> None:
    def edit(data: FileDataset, index: int) -> None:
        complete(data, index)
        data.PatientID = f"patient {index // 6}"

    write_ct(tmp_path / "ct", edit=edit)
    with pytest.raises(InputError, match="differ in Patient ID"):
        dicom.read_source(tmp_path / "ct")


def test_a_folder_without_dicom(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="contains no DICOM images"):
        dicom.read_source(tmp_path)
    with pytest.raises(InputError, match="There is no file or folder"):
        dicom.read_source(tmp_path / "nothing")


def test_a_list_of_files(case: tuple[Path, Path], tmp_path: Path) -> None:
    """The panel names the files of Slicer's DICOM database, which lie in any folders."""
    files = sorted(case[0].iterdir())
    for index, file in enumerate(files):
        (tmp_path / str(index)).mkdir()
        shutil.copy(file, tmp_path / str(index) / "é.dcm")
    names = [str(tmp_path / str(index) / "é.dcm") for index in range(len(files))]
    (tmp_path / "files.txt").write_text("\n".join(names), encoding="utf-8")
    found = dicom.read_source(tmp_path / "files.txt")
    np.testing.assert_array_equal(found.volume.array, dicom.read_source(case[0]).volume.array)


def test_a_result_of_the_same_series(case: tuple[Path, Path]) -> None:
    ct, folder = case
    result = dicom.read_result(folder, dicom.read_source(ct))
    _, lungs, infection = masks()
    np.testing.assert_array_equal(result.segmentation.lungs, lungs)
    np.testing.assert_array_equal(result.segmentation.infection, infection)
    assert result.lesions.max() == 2
    assert not result.edited
    assert result.provenance["model"]["name"] == "qc-hc-cascade"


def test_another_series_is_refused(case: tuple[Path, Path], tmp_path: Path) -> None:
    write_ct(tmp_path / "other", dicom_results.oblique(), uid=generate_uid())
    with pytest.raises(InputError, match="made from another series"):
        dicom.read_result(case[1], dicom.read_source(tmp_path / "other"))


def test_another_reconstruction_is_refused_without_uids(tmp_path: Path) -> None:
    """An anonymous result does not name its series, but states the density of the lungs."""
    write_ct(tmp_path / "ct")
    write_result(tmp_path / "result", tmp_path / "ct", identified=False)
    assert not dicom.read_result(tmp_path / "result", dicom.read_source(tmp_path / "ct")).edited
    write_ct(tmp_path / "other", intercept=-1030)  # stores the same HU
    dicom.read_result(tmp_path / "result", dicom.read_source(tmp_path / "other"))

    def edit(data: FileDataset, index: int) -> None:
        complete(data, index)
        data.RescaleIntercept = -1019

    write_ct(tmp_path / "sharp", edit=edit)
    with pytest.raises(InputError, match=r"another density.*another reconstruction"):
        dicom.read_result(tmp_path / "result", dicom.read_source(tmp_path / "sharp"))


def test_another_grid_is_refused(tmp_path: Path) -> None:
    write_ct(tmp_path / "ct")
    write_result(tmp_path / "result", tmp_path / "ct", identified=False)
    write_ct(tmp_path / "other", dicom_results.oblique())
    with pytest.raises(InputError, match="do not lie on the voxels of the CT"):
        dicom.read_result(tmp_path / "result", dicom.read_source(tmp_path / "other"))


def test_an_incomplete_series_is_refused(tmp_path: Path) -> None:
    """Slices that are missing at an end leave a regular grid."""
    write_ct(tmp_path / "ct")
    write_result(tmp_path / "result", tmp_path / "ct", identified=False)
    write_ct(tmp_path / "other", edit=lambda data, index: (complete(data, index), index > 3)[1])
    with pytest.raises(InputError, match="reach beyond the CT"):
        dicom.read_result(tmp_path / "result", dicom.read_source(tmp_path / "other"))


@pytest.mark.parametrize("missing", ["report.json", "segmentation.seg.nrrd"])
def test_not_a_result_folder(case: tuple[Path, Path], tmp_path: Path, missing: str) -> None:
    shutil.copytree(case[1], tmp_path / "result")
    (tmp_path / "result" / missing).unlink()
    with pytest.raises(InputError, match="is not a result folder"):
        dicom.read_result(tmp_path / "result", dicom.read_source(case[0]))


@pytest.mark.parametrize("content", ["", "[1]", "{"])
def test_a_damaged_report(case: tuple[Path, Path], tmp_path: Path, content: str) -> None:
    shutil.copytree(case[1], tmp_path / "result")
    (tmp_path / "result" / "report.json").write_text(content)
    with pytest.raises(InputError, match="Segment the CT again"):
        dicom.read_result(tmp_path / "result", dicom.read_source(case[0]))


def test_edited_segments_are_noticed(case: tuple[Path, Path], tmp_path: Path) -> None:
    """Somebody has corrected the segments in Slicer and saved them over the result."""
    shutil.copytree(case[1], tmp_path / "result")
    path = tmp_path / "result" / "segmentation.seg.nrrd"
    image = sitk.ReadImage(str(path))
    array = sitk.GetArrayFromImage(image)
    array[5, 12:14, 30:33, 1] = 0
    edited = sitk.GetImageFromArray(array, isVector=True)
    edited.CopyInformation(image)
    for key in image.GetMetaDataKeys():
        if key.startswith("Segment"):
            edited.SetMetaData(key, image.GetMetaData(key))
    sitk.WriteImage(edited, str(path))
    source = dicom.read_source(case[0])
    assert dicom.read_result(tmp_path / "result", source).edited
    (tmp_path / "result" / "labels.nii.gz").unlink()
    assert dicom.read_result(tmp_path / "result", source).edited


def test_the_report_can_state_edits(case: tuple[Path, Path], tmp_path: Path) -> None:
    shutil.copytree(case[1], tmp_path / "result")
    path = tmp_path / "result" / "report.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "edited": True}))
    assert dicom.read_result(tmp_path / "result", dicom.read_source(case[0])).edited


def test_lesions_that_were_split_by_hand(case: tuple[Path, Path], tmp_path: Path) -> None:
    """The panel's numbers, as a label map on the grid of the CT."""
    shutil.copytree(case[1], tmp_path / "result")
    source = dicom.read_source(case[0])
    numbers = np.zeros(source.volume.grid.shape, np.uint16)
    numbers[7:9, 20:25, 30:42], numbers[7:9, 25:30, 30:42] = 4, 9
    sitk.WriteImage(source.volume.grid.to_image(numbers), str(tmp_path / "result" / "lesions.nrrd"))
    result = dicom.read_result(tmp_path / "result", source)
    np.testing.assert_array_equal(result.lesions, numbers)
    dicom.export(tmp_path / "out", source, result)
    import pydicom

    data = pydicom.dcmread(tmp_path / "out" / "lesions.dcm")
    assert [item.SegmentLabel for item in data.SegmentSequence] == ["Lesion 4", "Lesion 9"]


def test_a_file_that_is_not_a_pdf(case: tuple[Path, Path], tmp_path: Path) -> None:
    source = dicom.read_source(case[0])
    result = dicom.read_result(case[1], source)
    (tmp_path / "report.pdf").write_text("<html>")
    with pytest.raises(InputError, match="is not a PDF file"):
        dicom.export(tmp_path / "out", source, result, pdf=tmp_path / "report.pdf")
    with pytest.raises(InputError, match="cannot be read"):
        dicom.export(tmp_path / "out", source, result, pdf=tmp_path / "none.pdf")
    assert not (tmp_path / "out").exists()


def test_an_earlier_export_is_kept(case: tuple[Path, Path], tmp_path: Path) -> None:
    source = dicom.read_source(case[0])
    result = dicom.read_result(case[1], source)
    dicom.export(tmp_path, source, result)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(InputError, match="already holds results"):
        dicom.export(tmp_path, source, result)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    dicom.export(tmp_path, source, result, overwrite=True)


def test_a_full_disk(case: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails at the third file."""
    from pydicom.dataset import Dataset

    source = dicom.read_source(case[0])
    result = dicom.read_result(case[1], source)
    save, saved = Dataset.save_as, []

    def fail(self: Dataset, path: Path, **options: object) -> None:
        saved.append(path)
        if len(saved) == 3:
            raise OSError(28, "No space left on device", str(path))
        save(self, path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Dataset, "save_as", fail)
    with pytest.raises(InputError, match="The disk is full"):
        dicom.export(tmp_path / "out", source, result)
    assert not (tmp_path / "out").exists()
