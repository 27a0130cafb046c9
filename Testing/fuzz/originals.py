"""Small valid CTs in every supported format and encoding, which the fuzzer mutates."""

from __future__ import annotations

import gzip
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
)
from support.dicom_factory import write_enhanced, write_series
from support.grids import grid_of

#: The contents of files by their names relative to a folder. Names are bytes, because they may not be valid UTF-8.
Files = dict[bytes, bytes]

SHAPE = (6, 18, 22)
GRID = grid_of(SHAPE, (1.5, 1.25, 4.0), (-20.0, 31.5, -300.0))
OBLIQUE = grid_of(SHAPE, (1.5, 1.25, 4.0), (-20.0, 31.5, -300.0), (9, -14, 23))
SERIES_UID = "1.2.826.0.1.3680043.8.498.1"
#: GDCM's encoders by the name that SimpleITK gives them.
GDCM_COMPRESSORS = ("JPEG", "JPEG2000")


@dataclass(frozen=True)
class Original:
    """A valid input.

    Attributes:
        name: Its name in reports.
        kind: "dicom", "nifti", "nrrd" or "metaimage".
        files: All its files.
        target: The file that a user would name; empty for the folder.
    """

    name: str
    kind: str
    files: Files
    target: bytes = b""

    def write(self, folder: Path) -> Path:
        """Write all files into a folder, and return the path that a user would give."""
        for name, content in self.files.items():
            path = folder / os.fsdecode(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return folder / os.fsdecode(self.target) if self.target else folder

    def with_file(self, name: bytes, content: bytes) -> Original:
        """Return the input with one file added or replaced."""
        return replace(self, files={**self.files, name: content})


def make_originals() -> list[Original]:
    """Make all originals. They are the same in each call."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return [*_dicom(folder), *_nifti(folder), *_nrrd(folder), *_metaimage(folder)]


def chest_hu() -> np.ndarray:
    """Whole HU (z, y, x): noise of soft tissue with two lungs in it, so that no two voxel orders look alike."""
    rng = np.random.default_rng(1)
    hu = rng.integers(-60, 90, SHAPE)
    hu[1:-1, 4:14, 3:9] = rng.integers(-950, -700, (SHAPE[0] - 2, 10, 6))
    hu[:, 4:14, 13:19] = rng.integers(-950, -700, (SHAPE[0], 10, 6))
    return hu


def _stored(folder: Path) -> Files:
    return {os.fsencode(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _dicom(scratch: Path) -> Iterator[Original]:
    hu = chest_hu()

    def identify(data: pydicom.FileDataset, index: int) -> None:
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"{SERIES_UID}.1.{index}"
        data.StudyInstanceUID = f"{SERIES_UID}.2"
        data.RescaleType = "HU"

    def series(name: str, edit: Callable[[pydicom.FileDataset], object] | None = None, **options) -> Original:
        folder = scratch / name
        grid = options.pop("grid", OBLIQUE)

        def both(data: pydicom.FileDataset, index: int) -> None:
            identify(data, index)
            if edit:
                edit(data)

        write_series(folder, hu, grid, uid=SERIES_UID, name="{:02d}.dcm", edit=both, **options)
        return Original(name, "dicom", _stored(folder))

    def recode(syntax: str) -> Callable[[pydicom.FileDataset], object]:
        def edit(data: pydicom.FileDataset) -> None:
            data.file_meta.TransferSyntaxUID = syntax
            if syntax == ExplicitVRBigEndian:
                data.PixelData = np.frombuffer(data.PixelData, "<u2").astype(">u2").tobytes()

        return edit

    def signed(data: pydicom.FileDataset) -> None:
        data.PixelRepresentation, data.RescaleIntercept = 1, 0
        values = np.frombuffer(data.PixelData, "<u2").astype(np.int32) - 1024
        data.PixelData = values.astype("<i2").tobytes()

    plain = series("dicom")
    yield plain
    name = min(plain.files)
    yield replace(plain, name="dicom file", target=name)
    yield series("dicom axial", grid=GRID)
    yield series("dicom signed", signed)
    yield series("dicom half slope", slope=0.5)
    yield series("dicom implicit", recode(ImplicitVRLittleEndian))
    yield series("dicom big endian", recode(ExplicitVRBigEndian))
    yield series("dicom deflated", recode(DeflatedExplicitVRLittleEndian))
    yield series("dicom rle", lambda data: data.compress(RLELossless, generate_instance_uid=False))
    yield series("dicom jpeg-ls", lambda data: data.compress(JPEGLSLossless, generate_instance_uid=False))
    write_enhanced(scratch / "enhanced" / "ct.dcm", hu, OBLIQUE, [3, 0, 5, 1, 4, 2])
    enhanced = pydicom.dcmread(scratch / "enhanced" / "ct.dcm")
    identify(enhanced, 0)
    del enhanced.RescaleType
    enhanced.SeriesInstanceUID = SERIES_UID
    enhanced.save_as(scratch / "enhanced" / "ct.dcm")
    yield Original("dicom enhanced", "dicom", _stored(scratch / "enhanced"))
    for compressor in GDCM_COMPRESSORS:
        yield _compressed_by_gdcm(plain, compressor, scratch)


def _compressed_by_gdcm(plain: Original, compressor: str, scratch: Path) -> Original:
    """Replace the pixels of each slice by the fragments that GDCM's encoder makes of them."""
    folder = scratch / compressor
    folder.mkdir()
    for name, content in plain.files.items():
        source, encoded = folder / "source.dcm", folder / "encoded.dcm"
        source.write_bytes(content)
        data = pydicom.dcmread(source)
        image = sitk.GetImageFromArray(np.frombuffer(data.PixelData, "<u2").reshape(1, data.Rows, data.Columns))
        writer = sitk.ImageFileWriter()
        writer.SetImageIO("GDCMImageIO")
        writer.UseCompressionOn()
        writer.SetCompressor(compressor)
        writer.SetFileName(str(encoded))
        writer.Execute(image)
        other = pydicom.dcmread(encoded)
        data.file_meta.TransferSyntaxUID = other.file_meta.TransferSyntaxUID
        data.PixelData = other.PixelData
        data["PixelData"].VR = "OB"
        data["PixelData"].is_undefined_length = True
        source.unlink()
        encoded.unlink()
        data.save_as(folder / os.fsdecode(name))
    return Original(f"dicom {compressor.lower()}", "dicom", _stored(folder))


def _image(dtype: type = np.int16, grid=OBLIQUE) -> sitk.Image:
    hu = chest_hu().astype(dtype)
    return grid.to_image(hu + 0.25 if np.dtype(dtype).kind == "f" else hu)


def _written(scratch: Path, image: sitk.Image, name: str, compressed: bool) -> Files:
    folder = scratch / f"{name} {compressed} {image.GetPixelIDTypeAsString()}"
    folder.mkdir()
    sitk.WriteImage(image, str(folder / name), compressed)
    return _stored(folder)


def _nifti(scratch: Path) -> Iterator[Original]:
    for dtype in (np.int16, np.int32, np.float32, np.float64):
        files = _written(scratch, _image(dtype), "ct.nii", False)
        yield Original(f"nifti {dtype.__name__}", "nifti", files, b"ct.nii")
    (content,) = _written(scratch, _image(grid=GRID), "straight.nii", False).values()
    yield Original("nifti axial", "nifti", {b"ct.nii": content}, b"ct.nii")
    yield Original("nifti gz", "nifti", {b"ct.nii.gz": gzip.compress(content, mtime=0)}, b"ct.nii.gz")
    big = _big_endian_nifti(content)
    yield Original("nifti big endian", "nifti", {b"ct.nii": big}, b"ct.nii")


def _big_endian_nifti(content: bytes) -> bytes:
    import nibabel

    image = nibabel.Nifti1Image.from_bytes(content)
    header = image.header.as_byteswapped()
    header["vox_offset"], header["scl_slope"], header["scl_inter"] = 352, 1, 0
    return header.binaryblock + content[348:352] + np.frombuffer(content[352:], "<i2").astype(">i2").tobytes()


def _nrrd(scratch: Path) -> Iterator[Original]:
    for dtype, compressed in ((np.int16, False), (np.int16, True), (np.float32, False), (np.uint16, True)):
        image = _image(dtype) if dtype != np.uint16 else OBLIQUE.to_image((chest_hu() + 1024).astype(dtype))
        name = f"nrrd {dtype.__name__}" + (" gzip" if compressed else "")
        yield Original(name, "nrrd", _written(scratch, image, "ct.nrrd", compressed), b"ct.nrrd")
    files = _written(scratch, _image(), "ct.nhdr", False)
    yield Original("nhdr", "nrrd", files, b"ct.nhdr")
    files = _written(scratch, _image(), "packed.nhdr", True)
    yield Original("nhdr gzip", "nrrd", files, b"packed.nhdr")
    hu = chest_hu().astype("<i2")
    header = (
        "NRRD0001\n# a comment\ntype: short\ndimension: 3\nsizes: {2} {1} {0}\nspacings: 1.5 1.25 4\n"
        "encoding: raw\nendian: little\n\n"
    ).format(*SHAPE)
    yield Original("nrrd spacings", "nrrd", {b"ct.nrrd": header.encode() + hu.tobytes()}, b"ct.nrrd")


def _metaimage(scratch: Path) -> Iterator[Original]:
    for dtype, compressed in ((np.int16, False), (np.int16, True), (np.float32, False)):
        name = f"mha {dtype.__name__}" + (" zlib" if compressed else "")
        yield Original(name, "metaimage", _written(scratch, _image(dtype), "ct.mha", compressed), b"ct.mha")
    for compressed in (False, True):
        files = _written(scratch, _image(), "ct.mhd", compressed)
        yield Original("mhd" + (" zlib" if compressed else ""), "metaimage", files, b"ct.mhd")
