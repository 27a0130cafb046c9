"""Reading of DICOM folders: valid ones, and every known kind of invalid one."""

import io
import json
import os
import shutil
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    RLELossless,
)
from support.dicom_factory import write_enhanced, write_report, write_series
from support.random_cts import corners, noise, oblique_grids

from CovidSegLib.errors import InputError
from CovidSegLib.reading import read_volume
from CovidSegLib.reading.dicom_geometry import arrange_slices
from CovidSegLib.reading.dicom_series import list_series
from CovidSegLib.volume import Grid

CHEST = Grid((60, 8, 8), (1.0, 1.0, 2.0), (-10.0, -20.0, -30.0))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(grid=oblique_grids(), seed=st.integers(0, 9))
def test_any_grid_comes_back(tmp_path: Path, grid: Grid, seed: int) -> None:
    folder = tmp_path / "series"
    shutil.rmtree(folder, ignore_errors=True)
    hu = noise(grid.shape, seed)
    write_series(folder, hu, grid)
    volume = read_volume(folder)
    flipped = np.linalg.det(np.reshape(grid.direction, (3, 3))) < 0  # DICOM orders slices along row x column
    expected = corners(grid).reshape(2, 2, 2, 3)[:: -1 if flipped else 1].reshape(8, 3)
    assert volume.array.dtype == np.int16
    assert np.array_equal(volume.array, hu[:: -1 if flipped else 1])
    assert np.abs(corners(volume.grid) - expected).max() < 1e-4


def test_source_describes_the_scanner_and_not_the_patient(tmp_path: Path) -> None:
    write_series(tmp_path, noise(), uid="1.2.3.4")
    volume = read_volume(tmp_path)
    assert volume.source == {
        "format": "DICOM",
        "series_uid": "1.2.3.4",
        "modality": "CT",
        "kernel": "B40f",
        "slice_thickness_mm": 2.0,
        "manufacturer": "ACME",
        "model": "Scanner 1",
    }
    assert json.loads(json.dumps(volume.source)) == volume.source
    assert not any(word in json.dumps(volume.source) for word in ("Doe", "4711", "1970", str(tmp_path)))
    assert volume.warnings == ()


def test_subfolders_are_searched_and_other_files_skipped(tmp_path: Path) -> None:
    hu = noise()
    files = write_series(tmp_path / "a", hu, name="1.2.840.{}")
    (tmp_path / "b" / "deep").mkdir(parents=True)
    for file in files[::2]:
        file.rename(tmp_path / "b" / "deep" / file.name)
    for name in ("DICOMDIR", "readme.txt", ".DS_Store", "a/._1.2.840.3", "b/report.pdf", "b/thumb.jpg"):
        (tmp_path / name).write_bytes(b"not DICOM" * 40)
    (tmp_path / "model.bin").write_bytes(b"\x08\0\0\0" + bytes(range(256)) * 9)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "x.dcm").write_bytes(b"")
    (tmp_path / "b" / "broken link").symlink_to(tmp_path / "nowhere")
    assert np.array_equal(read_volume(tmp_path).array, hu)


@pytest.mark.parametrize(("name", "skipped"), [("DICOMDIR", True), ("dicomdir", True), ("IM9999", False)])
def test_a_directory_of_dicom_media_need_not_be_an_image(tmp_path: Path, name: str, skipped: bool) -> None:
    data = pydicom.dcmread(write_series(tmp_path, noise())[0])
    del data.BitsAllocated, data.BitsStored
    data.save_as(tmp_path / name)
    if skipped:
        np.testing.assert_array_equal(read_volume(tmp_path).array, noise())
    else:
        with pytest.raises(InputError):
            read_volume(tmp_path)


def test_files_without_a_signature_are_read(tmp_path: Path) -> None:
    hu = noise()
    for file in write_series(tmp_path, hu):
        data = pydicom.dcmread(file)
        data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        bare = pydicom.Dataset({element.tag: element for element in data})
        bare.save_as(file, implicit_vr=True, little_endian=True, enforce_file_format=False)
        assert file.read_bytes()[128:132] != b"DICM"
    assert np.array_equal(read_volume(tmp_path).array, hu)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, RLELossless])
def test_transfer_syntaxes(tmp_path: Path, syntax: UID) -> None:
    for file in write_series(tmp_path, noise()):
        data = pydicom.dcmread(file)
        if syntax == RLELossless:
            data.compress(RLELossless)
        data.file_meta.TransferSyntaxUID = syntax
        data.save_as(file)
    assert np.array_equal(read_volume(tmp_path).array, noise())


@pytest.mark.parametrize("slices", [range(12), [3]], ids=["all slices", "one slice"])
def test_slices_to_be_displayed_inverted_have_the_same_hu(tmp_path: Path, slices: Collection[int]) -> None:
    """MONOCHROME1 asks a viewer to show low values bright. It does not change what the values mean."""
    hu = noise()

    def invert_display(data: FileDataset, index: int) -> None:
        if index in slices:
            data.PhotometricInterpretation = "MONOCHROME1"

    write_series(tmp_path, hu, edit=invert_display)
    np.testing.assert_array_equal(read_volume(tmp_path).array, hu)


def test_jpeg_slices_of_the_stated_size_are_read(tmp_path: Path) -> None:
    """Eight-bit JPEG, in which other segments precede the size. Grey values are 4 HU apart."""
    rows, columns = np.mgrid[:24, :32]
    grey = np.stack([4 * rows + 2 * columns + 5 * z for z in range(12)]).astype(np.uint8)
    too_small = False

    def compress(data: FileDataset, index: int) -> None:
        stream = io.BytesIO()
        picture = Image.fromarray(grey[index])
        (picture.crop((0, 0, 24, 24)) if too_small else picture).save(stream, "JPEG", quality=95)
        data.BitsAllocated = data.BitsStored = 8
        data.HighBit, data.RescaleSlope, data.RescaleIntercept = 7, 4, -1000
        data.PixelData = encapsulate([stream.getvalue()])
        data.file_meta.TransferSyntaxUID = JPEGBaseline8Bit

    write_series(tmp_path / "whole", np.zeros(grey.shape), edit=compress)
    hu = read_volume(tmp_path / "whole").array
    assert np.abs(hu - (4 * grey.astype(int) - 1000)).max() <= 12
    too_small = True
    write_series(tmp_path / "cut", np.zeros(grey.shape), edit=compress)
    with pytest.raises(InputError, match="are damaged or incomplete"):
        read_volume(tmp_path / "cut")


def test_one_file_stands_for_its_series(tmp_path: Path) -> None:
    hu = noise()
    file = write_series(tmp_path, hu, name="IM{}.dcm")[5]
    write_series(tmp_path, noise(seed=1), number=5, name="other{}")
    write_series(tmp_path / "other patient", noise(seed=2))
    assert np.array_equal(read_volume(file).array, hu)
    nameless = file.rename(tmp_path / "IM5")
    assert np.array_equal(read_volume(nameless).array, hu)


def test_values_outside_the_scan_circle_are_raised_to_air(tmp_path: Path) -> None:
    hu = noise().astype(int)
    hu[:, :3] = -3024
    write_series(tmp_path, hu, intercept=-8192)
    array = read_volume(tmp_path).array
    assert array.dtype == np.int16
    assert (array[:, :3] == -1024).all()
    assert np.array_equal(array[:, 3:], hu[:, 3:])


def test_rescaling_with_fractions_gives_float32(tmp_path: Path) -> None:
    hu = noise() + 0.5
    write_series(tmp_path, hu, slope=0.5)
    array = read_volume(tmp_path).array
    assert array.dtype == np.float32
    assert np.array_equal(array, hu)


def test_each_slice_has_its_own_rescaling(tmp_path: Path) -> None:
    def vary(data: FileDataset, index: int) -> None:
        data.RescaleIntercept = -1024 - index

    write_series(tmp_path, noise(), edit=vary)
    assert np.array_equal(read_volume(tmp_path).array, np.maximum(noise() - np.arange(12)[:, None, None], -1024))


def test_values_above_int16_are_clipped_and_do_not_wrap(tmp_path: Path) -> None:
    hu = noise().astype(int)
    hu[4, 5, 6] = 60000
    write_series(tmp_path, hu)
    assert read_volume(tmp_path).array[4, 5, 6] == 32767


def test_without_rescaling_stored_values_are_used_with_a_warning(tmp_path: Path) -> None:
    def bare(data: FileDataset, index: int) -> None:
        del data.RescaleSlope, data.RescaleIntercept

    write_series(tmp_path, noise(), edit=bare)
    volume = read_volume(tmp_path)
    assert np.array_equal(volume.array, noise() + 1024)
    assert "lack the rescaling" in volume.warnings[0]


def test_lossy_compression_gives_a_warning(tmp_path: Path) -> None:
    write_series(tmp_path, noise(), edit=lambda data, index: setattr(data, "LossyImageCompression", "01"))
    assert "lossy" in read_volume(tmp_path).warnings[0]


def test_rounded_positions_are_regular(tmp_path: Path) -> None:
    def rounded(data: FileDataset, index: int) -> None:
        data.ImagePositionPatient = [f"{value:.1f}" for value in data.ImagePositionPatient]

    grid = Grid((40, 8, 8), (0.7, 0.7, 0.625), (1.0, 2.0, 3.0))
    write_series(tmp_path, noise(grid.shape), grid, edit=rounded)
    assert read_volume(tmp_path).grid.spacing[2] == pytest.approx(0.625, abs=0.003)


@pytest.mark.parametrize("order", [range(12), range(11, -1, -1), np.random.default_rng(3).permutation(12)])
def test_enhanced_ct_is_read_in_the_order_of_its_positions(tmp_path: Path, order: range) -> None:
    grid = Grid((12, 16, 20), (0.7, 0.8, 2.5), (-10.0, -20.0, -30.0))
    write_enhanced(tmp_path / "one.dcm", noise(), grid, [int(place) for place in order])
    volume = read_volume(tmp_path)
    assert np.array_equal(volume.array, noise())
    assert np.allclose(corners(volume.grid), corners(grid))


# Unusable input: how to create it, and the expected message.


def with_slices(hu: np.ndarray | None = None, **settings: object):
    def make(folder: Path) -> None:
        write_series(folder, noise() if hu is None else hu, **settings)

    return make


def setting(**values: object):
    def edit(data: FileDataset, index: int) -> None:
        for name, value in values.items():
            setattr(data, name, value)

    return with_slices(edit=edit)


def only_at(place: int, **values: object):
    def edit(data: FileDataset, index: int) -> None:
        if index == place:
            for name, value in values.items():
                setattr(data, name, value)

    return with_slices(edit=edit)


def without(keyword: str):
    return with_slices(edit=lambda data, index: data.pop(keyword))


def missing(*places: int):
    return with_slices(edit=lambda data, index: index not in places)


def position(function):
    """A series with the slice positions changed by a function of x, y, z and the index."""

    def edit(data: FileDataset, index: int) -> None:
        data.ImagePositionPatient = list(function(*map(float, data.ImagePositionPatient), index))

    return with_slices(edit=edit)


def spoiled(change):
    """A series with the bytes of its sixth file changed."""

    def make(folder: Path) -> None:
        path = write_series(folder, noise(), name="IM{:04d}.dcm")[5]
        path.write_bytes(change(path.read_bytes()))

    return make


def blank_file(name: str):
    def make(folder: Path) -> None:
        write_series(folder, noise())
        (folder / name).write_bytes(bytes(2000))

    return make


def copied_twice(folder: Path) -> None:
    write_series(folder / "a", noise())
    shutil.copytree(folder / "a", folder / "b")


def colour(folder: Path) -> None:
    def edit(data: FileDataset, index: int) -> None:
        data.SamplesPerPixel, data.PhotometricInterpretation, data.PlanarConfiguration = 3, "RGB", 0
        data.BitsAllocated = data.BitsStored = 8
        data.HighBit, data.PixelData = 7, bytes(16 * 20 * 3)

    write_series(folder, noise(), edit=edit)


def not_decodable(folder: Path) -> None:
    def edit(data: FileDataset, index: int) -> None:
        data.file_meta.TransferSyntaxUID = HTJ2KLossless
        data.PixelData = encapsulate([b"\xff\x4f\xff\x51" + bytes(200)])
        data["PixelData"].VR = "OB"

    write_series(folder, noise(), edit=edit)


def enhanced_with_varying_rescale(folder: Path) -> None:
    write_enhanced(folder / "one.dcm", noise(), Grid((12, 16, 20)), list(range(12)), vary_rescale=True)


def with_nifti(folder: Path) -> None:
    (folder / "scan.nii.gz").write_bytes(b"x")


UNUSABLE = {
    "empty folder": (lambda folder: None, "contains no DICOM images"),
    "only a text file": (lambda folder: (folder / "a.txt").write_text("x" * 200), "contains no DICOM images"),
    "NIfTI in the folder": (with_nifti, 'Select "scan.nii.gz" in it'),
    "one slice": (with_slices(noise((1, 16, 20))), "single slice"),
    "MR": (setting(Modality="MR", SOPClassUID="1.2.840.10008.5.1.4.1.1.4"), "contains MR images and no CT"),
    "CR": (setting(Modality="CR", SOPClassUID="1.2.840.10008.5.1.4.1.1.1"), "plain X-ray"),
    "DX": (setting(Modality="DX", SOPClassUID="1.2.840.10008.5.1.4.1.1.1.1"), "plain X-ray"),
    "PET": (setting(Modality="PT", SOPClassUID="1.2.840.10008.5.1.4.1.1.128"), "PET images and no CT"),
    "other modality": (setting(Modality="XX"), r"data of another kind \(XX\)"),
    "report": (write_report, "contains a report and no CT"),
    "secondary capture": (setting(SOPClassUID="1.2.840.10008.5.1.4.1.1.7"), "screenshots"),
    "colour": (colour, "screenshots"),
    "localizer": (setting(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), "scout view"),
    "not HU": (setting(RescaleType="Z_EFF"), "not Hounsfield units but Z_EFF"),
    "gap": (missing(4, 5), r"Slices are missing: after slice 4 of 10 .* gap of 6 mm, while slices are 2 mm apart"),
    "gap after the first": (missing(1), "after slice 1 of 11 "),
    "gap before the last": (missing(10), "after slice 10 of 11 "),
    "copied twice": (copied_twice, "12 slices of the series are present twice.*Remove the copies"),
    "doubled": (
        position(lambda x, y, z, i: (x, y, z - 2 * (i % 2))),
        "6 slices .* have the same position as another slice",
    ),
    "all in one place": (
        position(lambda x, y, z, i: (x, y, 0)),
        "11 slices .* have the same position as another slice",
    ),
    "varying distance": (position(lambda x, y, z, i: (x, y, 1.1**i)), r"distance between slices varies \(0.1 to"),
    "creeping distance": (position(lambda x, y, z, i: (x, y, 2 * i + 0.01 * i * i)), "distance between slices varies"),
    "tilt by positions": (position(lambda x, y, z, i: (x, y + 0.5 * i, z)), r"tilted gantry \(14.0°\)"),
    "tilt by orientation": (setting(ImageOrientationPatient=[1, 0, 0, 0, 0.9659, 0.2588]), r"tilted gantry \(15.0°\)"),
    "tilt by tag": (setting(GantryDetectorTilt="-12.5"), r"tilted gantry \(12.5°\)"),
    "varying orientation": (only_at(3, ImageOrientationPatient=[0, 1, 0, 0, 0, -1]), "different orientations"),
    "varying pixel spacing": (only_at(3, PixelSpacing=[0.9, 0.9]), "different pixel spacings"),
    "varying size": (only_at(3, Rows=20, Columns=16), "different sizes"),
    "bad orientation": (setting(ImageOrientationPatient=[1, 0, 0, 1, 0, 0]), "orientation .* not valid"),
    "no position": (without("ImagePositionPatient"), "do not state where the slices lie"),
    "no orientation": (without("ImageOrientationPatient"), "do not state where the slices lie"),
    "no pixel spacing": (without("PixelSpacing"), "do not state where the slices lie"),
    "pixel spacing 0": (setting(PixelSpacing=[0, 0]), "zero or negative"),
    "pixel spacing absurd": (setting(PixelSpacing=[500, 500]), "cannot be right"),
    "zero bytes": (spoiled(lambda data: b""), r'"IM00\d\d.dcm" is damaged'),
    "random bytes": (spoiled(lambda data: bytes(np.random.default_rng(0).bytes(3000))), r'"IM00\d\d.dcm" is damaged'),
    "cut in the signature": (spoiled(lambda data: data[:130]), r'"IM00\d\d.dcm" is damaged'),
    "cut in the header": (spoiled(lambda data: data[:700]), r'"IM00\d\d.dcm" is damaged'),
    "blank, named by a UID": (blank_file("1.2.840.99"), '"1.2.840.99" is damaged'),
    "blank, without extension": (blank_file("IM99"), '"IM99" is damaged'),
    "cut before the pixels": (spoiled(lambda data: data[: -640 - 12]), r'"IM00\d\d.dcm" is damaged'),
    "cut in the pixels": (spoiled(lambda data: data[:-100]), r'"IM00\d\d.dcm" is damaged'),
    "cut by one byte": (spoiled(lambda data: data[:-1]), r'"IM00\d\d.dcm" is damaged'),
    "garbled number": (spoiled(lambda data: data.replace(b"-1024", b"-1o24")), r'"IM00\d\d.dcm" is damaged'),
    "compression not supported": (not_decodable, "compression that is not supported .High-Throughput JPEG 2000"),
    "enhanced, varying rescale": (enhanced_with_varying_rescale, "different rescaling"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_unusable_input_is_explained(tmp_path: Path, capfd: pytest.CaptureFixture, name: str) -> None:
    make, words = UNUSABLE[name]
    folder = tmp_path / "scan"
    folder.mkdir()
    make(folder)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=words) as caught:
        read_volume(folder)
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message and str(tmp_path) not in message
    assert capfd.readouterr() == ("", "")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX permissions")
def test_a_file_without_read_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_series(tmp_path / "a", noise())[3]
    if os.geteuid():
        file.chmod(0)
    else:  # permissions do not bind root
        opened = Path.open

        def refuse(self: Path, *args: object, **kwargs: object):
            if self == file:
                raise PermissionError(13, "Permission denied", str(self))
            return opened(self, *args, **kwargs)

        monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=f'You do not have permission to read "{file.name}"'):
        read_volume(tmp_path)


@pytest.mark.parametrize(("name", "slices", "low"), [("P001", 148, -346.1), ("cap001", 168, -401.9)])
def test_real_series(shared_data: Path, name: str, slices: int, low: float) -> None:
    """JPEG lossless with 12 of 16 bits, neither of which the DICOM factory writes."""
    folder = shared_data / "covid_ct_md" / name
    volume = read_volume(folder)
    assert volume.array.shape == (slices, 512, 512)
    assert volume.array.dtype == np.int16
    assert volume.grid.spacing[2] == 2.0
    assert volume.grid.origin[2] == low
    assert volume.array.min() == -1024
    assert -1024 < np.median(volume.array[slices // 2, 200:300, 200:300]) < 200
    assert volume.warnings == ()
    assert not any(str(value).startswith(("98C", "99C")) for value in volume.source.values())


def test_a_real_series_with_a_truncated_file(shared_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    (series,) = list_series(shared_data / "covid_ct_md" / "P001")
    files = [item.path for item in arrange_slices(series.slices)[1][:20]]
    for file in files:
        shutil.copy(file, tmp_path)
    truncated = tmp_path / files[7].name
    truncated.unlink()
    truncated.write_bytes(files[7].read_bytes()[:-400])
    with pytest.raises(InputError, match=f'"{truncated.name}" is damaged'):
        read_volume(tmp_path)
    assert capfd.readouterr() == ("", "")
