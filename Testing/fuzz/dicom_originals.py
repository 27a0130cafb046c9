"""Small valid DICOM series in every encoding."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from fuzz.original import GRID, OBLIQUE, SERIES_UID, Original, chest_hu, stored
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
)
from support.dicom_factory import write_enhanced, write_series

#: GDCM's encoders by the name that SimpleITK gives them.
GDCM_COMPRESSORS = ("JPEG", "JPEG2000")
Edit = Callable[[pydicom.FileDataset], object]


def dicom_originals(scratch: Path) -> Iterator[Original]:
    """Yield series of one file per slice, one file of such a series, and enhanced CTs."""
    hu = chest_hu()

    def identify(data: pydicom.FileDataset, index: int) -> None:
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"{SERIES_UID}.1.{index}"
        data.StudyInstanceUID = f"{SERIES_UID}.2"
        data.RescaleType = "HU"

    def series(name: str, edit: Edit | None = None, **options) -> Original:
        folder = scratch / name
        grid = options.pop("grid", OBLIQUE)

        def both(data: pydicom.FileDataset, index: int) -> None:
            identify(data, index)
            if edit:
                edit(data)

        write_series(folder, hu, grid, uid=SERIES_UID, name="{:02d}.dcm", edit=both, **options)
        return Original(name, "dicom", stored(folder))

    def recode(syntax: str) -> Edit:
        def edit(data: pydicom.FileDataset) -> None:
            data.file_meta.TransferSyntaxUID = syntax
            if syntax == ExplicitVRBigEndian:
                data.PixelData = np.frombuffer(data.PixelData, "<u2").astype(">u2").tobytes()

        return edit

    def signed(data: pydicom.FileDataset) -> None:
        data.PixelRepresentation, data.RescaleIntercept = 1, 0
        values = np.frombuffer(data.PixelData, "<u2").astype(np.int32) - 1024
        data.PixelData = values.astype("<i2").tobytes()

    def twelve_bits(data: pydicom.FileDataset) -> None:
        """Store 12 bits, with noise in the others, as old scanners with overlays do."""
        data.BitsStored, data.HighBit = 12, 11
        values = np.frombuffer(data.PixelData, "<u2")
        noise = np.random.default_rng(len(values)).integers(0, 16, values.shape, np.uint16)
        data.PixelData = (values & 0x0FFF | noise << 12).astype("<u2").tobytes()

    def wide(data: pydicom.FileDataset) -> None:
        data.BitsAllocated, data.BitsStored, data.HighBit = 32, 32, 31
        data.PixelData = np.frombuffer(data.PixelData, "<u2").astype("<u4").tobytes()

    def with_sequences(data: pydicom.FileDataset) -> None:
        """Add nested sequences of both kinds of length, private elements, and an element after the pixels."""
        code = pydicom.Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "1", "99X", "x"
        item = pydicom.Dataset()
        item.PurposeOfReferenceCodeSequence = [code]
        item.RescaleSlope, item.RescaleIntercept, item.Rows = 3, 7, 5
        data.ReferencedImageSequence = data.SourceImageSequence = [item, item]
        data["SourceImageSequence"].is_undefined_length = True
        data.private_block(0x0029, "ACME", create=True).add_new(1, "OB", bytes(range(200)))
        data.DataSetTrailingPadding = b"\0" * 20

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
    yield series("dicom 12 bit", twelve_bits)
    yield series("dicom 32 bit", wide)
    yield series("dicom sequences", with_sequences)
    yield _enhanced("dicom enhanced", scratch, identify)
    yield _enhanced("dicom enhanced implicit", scratch, identify, recode(ImplicitVRLittleEndian))
    for name, syntax in (("rle", RLELossless), ("jpeg-ls", JPEGLSLossless)):

        def compress(data: pydicom.FileDataset, syntax: str = syntax) -> None:
            data.compress(syntax, generate_instance_uid=False)

        yield _enhanced(f"dicom enhanced {name}", scratch, identify, compress)
    for compressor in GDCM_COMPRESSORS:
        yield _compressed_by_gdcm(plain, compressor, scratch)


def _enhanced(
    name: str, scratch: Path, identify: Callable[[pydicom.FileDataset, int], object], edit: Edit | None = None
) -> Original:
    """One file with a frame per slice, in mixed order."""
    path = scratch / name / "ct.dcm"
    write_enhanced(path, chest_hu(), OBLIQUE, [3, 0, 5, 1, 4, 2])
    data = pydicom.dcmread(path)
    identify(data, 0)
    del data.RescaleType
    data.SeriesInstanceUID = SERIES_UID
    if edit:
        edit(data)
    data.save_as(path)
    return Original(name, "dicom", stored(path.parent))


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
    return Original(f"dicom {compressor.lower()}", "dicom", stored(folder))
