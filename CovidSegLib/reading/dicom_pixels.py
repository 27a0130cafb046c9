"""Read the pixels of DICOM slices as Hounsfield units."""

from __future__ import annotations

import re
import struct
import warnings
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.encaps import generate_frames
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from ..checks import check_size
from ..errors import InputError
from ..volume import Grid
from .dicom_header import SliceHeader
from .hounsfield import as_hounsfield
from .native_output import captured_native_output
from .private_folder import is_portable, link_or_copy, private_folder

#: Compressed transfer syntaxes that GDCM decodes.
_DECODED = (
    DeflatedExplicitVRLittleEndian,
    RLELossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    JPEG2000Lossless,
    JPEG2000,
)


#: What the JPEG decoders inside GDCM print about damaged data, before they return what they could make of it.
_CORRUPT = re.compile(r"corrupt|premature end", re.IGNORECASE)


def read_pixels(grid: Grid, slices: Sequence[SliceHeader]) -> np.ndarray:
    """Read the Hounsfield units of slices.

    Args:
        grid: The grid that the slices form.
        slices: The slices in the order of the grid's z axis.

    Returns:
        int16 HU, or float32 if a rescale slope or intercept is not a whole number, with shape (z, y, x). No value is
        below `volume.AIR_HU`.

    Raises:
        InputError: The compression is not supported, the pixels are damaged, or the frames of a file have different
            rescaling.
    """
    for syntax in {item.transfer_syntax for item in slices}:
        if syntax.is_compressed and syntax not in _DECODED:
            raise InputError(
                f"The series is stored with a compression that is not supported ({syntax.name}). "
                "Export it uncompressed."
            )
    whole = all(float(value).is_integer() for item in slices for value in item.rescale or ())
    dtype = np.dtype(np.int16 if whole else np.float32)
    check_size(grid.shape, dtype.itemsize)
    array = np.empty(grid.shape, dtype)
    indices_by_file: dict[Path, list[int]] = {}
    for index, item in enumerate(slices):
        indices_by_file.setdefault(item.path, []).append(index)
    for path, indices in indices_by_file.items():
        if len({slices[index].rescale for index in indices}) > 1:
            raise InputError(
                f'The frames of "{path.name}" have different rescaling to HU, which cannot be read. '
                "Export the CT with one file per slice."
            )
        first = slices[indices[0]]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom warns of every irregular but harmless value
            if first.transfer_syntax.is_encapsulated:
                _check_streams(path, first.transfer_syntax)
            frames = _read_frames(path, inverted=first.inverted)
        if frames.shape != (len(indices), *grid.shape[1:]):
            raise _damaged(path)
        for index in indices:
            array[index] = as_hounsfield(frames[slices[index].frame])
    return array


def _read_frames(path: Path, *, inverted: bool) -> np.ndarray:
    """Return the frames of a file in the order in which they are stored, (frame, y, x), rescaled to HU."""
    if not inverted and is_portable(path):
        return _decode(path, path)
    with private_folder() as folder:
        file = folder / "slice.dcm"
        if inverted:
            _write_not_inverted(path, file)
        else:
            link_or_copy(path, file)
        return _decode(file, path)


def _write_not_inverted(path: Path, copy: Path) -> None:
    """Copy a file, but not its wish to be displayed with low values bright, by which GDCM would invert the values."""
    data = pydicom.dcmread(path, force=True)
    data.PhotometricInterpretation = "MONOCHROME2"
    data.save_as(copy)


def _decode(file: Path, original: Path) -> np.ndarray:
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(file))
    try:
        with captured_native_output() as output:
            frames = sitk.GetArrayFromImage(reader.Execute())
    except RuntimeError:
        raise _damaged(original) from None
    if _CORRUPT.search(output.text):
        raise _damaged(original)
    return frames


def _check_streams(path: Path, transfer_syntax: UID) -> None:
    """Check that each compressed frame has the size that the header states. GDCM does not always notice.

    Raises:
        InputError: A frame is missing, smaller or larger, or the offsets of the frames are not where they begin.
    """
    data = pydicom.dcmread(
        path, specific_tags=["Rows", "Columns", "BitsAllocated", "NumberOfFrames", "PixelData"], force=True
    )
    shape, count = (int(data.Rows), int(data.Columns)), int(data.get("NumberOfFrames") or 1)
    try:
        frames = list(generate_frames(data.PixelData, number_of_frames=count))
        if len(frames) != count:
            raise _damaged(path)
        for frame in frames:
            if transfer_syntax == RLELossless:
                complete = _has_segments(frame, data.BitsAllocated // 8, shape[0] * shape[1])
            else:
                complete = _stated_shape(frame) == shape
            if not complete:
                raise _damaged(path)
    except (ValueError, struct.error, IndexError):
        raise _damaged(path) from None


def _stated_shape(stream: bytes) -> tuple[int, int]:
    """Rows and columns in the header of a JPEG, JPEG-LS or JPEG 2000 stream."""
    if stream[:4] == b"\xff\x4f\xff\x51":  # JPEG 2000: extent and offset of the image on its reference grid
        columns, rows, left, top = struct.unpack_from(">4I", stream, 8)
        return rows - top, columns - left
    position = 2
    while True:
        start, marker, length = struct.unpack_from(">BBH", stream, position)
        if start != 0xFF:
            raise ValueError("not a marker")
        if marker == 0xFF:  # padding
            position += 1
        elif marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):  # start of frame
            rows, columns = struct.unpack_from(">2H", stream, position + 5)
            return rows, columns
        else:
            position += 2 + length


def _has_segments(frame: bytes, count: int, pixels: int) -> bool:
    """Whether a run-length encoded frame has a segment of the right length for each byte of a pixel (PS3.5 annex G)."""
    stated, *offsets = struct.unpack_from("<16I", frame)
    limits = [*offsets[:stated], len(frame)]
    return stated == count and all(
        _decoded_length(frame[start:end], pixels) == pixels for start, end in pairwise(limits)
    )


def _decoded_length(segment: bytes, wanted: int) -> int:
    """Number of bytes that a segment decodes to; at most one byte of padding follows them."""
    position = length = 0
    while position < len(segment) and length < wanted:
        code = segment[position]
        if code < 128:
            length += code + 1
            position += code + 2
        elif code > 128:
            length += 257 - code
            position += 2
        else:
            position += 1
    return length if len(segment) - 1 <= position <= len(segment) else -1


def _damaged(path: Path) -> InputError:
    return InputError(f'The pixels of "{path.name}" are damaged or incomplete. Copy or export the series again.')
