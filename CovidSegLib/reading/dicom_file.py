"""Read the header of one DICOM file, if the file is complete and does not contradict itself. No pixels are read."""

from __future__ import annotations

import logging
import os
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pydicom
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.filereader import read_file_meta_info, read_partial
from pydicom.tag import BaseTag, Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian

from ..errors import InputError
from .dicom_header import TAGS, SeriesHeader, SliceHeader, series_header, slice_headers, transfer_syntax

#: A deflated file holds one slice, or the frames of an enhanced CT. One that inflates to more is not a CT.
MOST_INFLATED_BYTES = 1 << 30
#: File headers are shorter, and name the transfer syntax.
FILE_HEADER_BYTES = 2048
PIXEL_DATA = 0x7FE00010
#: Representations whose values have a length of four bytes.
LONG_VRS = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
#: Representations that pixels may have. Without explicit ones, they have none.
PIXEL_VRS = (None, "OB", "OW", "UN")
GREY = ("MONOCHROME1", "MONOCHROME2")


def read_header(path: Path) -> tuple[SeriesHeader, tuple[SliceHeader, ...]] | None:
    """Read the header of a file.

    Returns:
        The header of the series and those of the slices in the file, which are none if it contains no image.
        None if it is not a DICOM file.

    Raises:
        InputError: The file is DICOM and damaged, or cannot be opened.
    """
    series: SeriesHeader | None = None
    slices: tuple[SliceHeader, ...] = ()
    complete = True
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom warns of every irregular but harmless value
            start = file.read(132)
            if _looks_like_dicom(start):
                file.seek(0)
                if DeflatedExplicitVRLittleEndian.encode() in file.read(FILE_HEADER_BYTES):
                    _check_inflated_size(path)
                file.seek(0)
                data = read_partial(file, _stop_at_pixels(), force=True, specific_tags=list(map(Tag, TAGS)))
                series = series_header(data)
                slices = slice_headers(data, path) if "Rows" in data else ()
                if series.is_ct and slices:
                    _check_stored_values(data, path)
                complete = not series.is_ct or (bool(slices) and _pixels_are_complete(file, data))
    except (InputError, MemoryError):
        raise
    except PermissionError:
        raise InputError(
            f'You do not have permission to read "{path.name}". Ask for permission, or copy the file elsewhere.'
        ) from None
    except OSError:
        complete = False
    except Exception:  # pydicom raises errors of many kinds for damaged files
        logging.getLogger(__name__).debug("a DICOM header cannot be read", exc_info=True)
        series = None
    if series and series.series_uid and complete:
        return series, slices
    if complete and not _claims_to_be_dicom(path, start):
        return None
    raise InputError(f'The DICOM file "{path.name}" is damaged or incomplete. Copy or export the series again.')


def _stop_at_pixels() -> Callable[[BaseTag, str | None, int], bool]:
    """Return a condition for `read_partial`.

    It also detects duplicate elements, as readers differ in which counts, and pixels of an unknown representation.
    """
    seen: set[int] = set()

    def stop(tag: BaseTag, vr: str | None, length: int) -> bool:
        if tag in seen and (tag.group == 0x0028 or keyword_for_tag(tag) in TAGS):
            raise ValueError(f"{tag} is there twice")
        seen.add(tag)
        if tag == PIXEL_DATA and vr not in PIXEL_VRS:
            raise ValueError(f"the value representation of the pixels is {vr}")
        return tag == PIXEL_DATA

    return stop


def _looks_like_dicom(start: bytes) -> bool:
    """Whether there is a signature after 128 bytes or, as in old archives, an element of group 2 or 8 at the start."""
    return start[128:132] == b"DICM" or start[:4] in (b"\x02\0\0\0", b"\x08\0\0\0", b"\x08\0\x05\0", b"\x08\0\x08\0")


def _claims_to_be_dicom(path: Path, start: bytes) -> bool:
    """Whether a file has DICOM's signature or extension, or a usual name and zeros in it after a failed copy."""
    extension = path.suffix.lower()
    blank = not start.strip(b"\0") and (not extension or extension[1:].isdigit())
    return start[128:132] == b"DICM" or extension in (".dcm", ".ima") or blank


def _check_inflated_size(path: Path) -> None:
    """Check how much a deflated file inflates to, before pydicom inflates all of it into memory.

    Raises:
        InputError: It is far more than the files of a CT hold.
    """
    meta = read_file_meta_info(path)
    # After the preamble and signature, the group length (an element of 12 bytes) counts the rest of the file header.
    start = 132 + 12 + int(meta.FileMetaInformationGroupLength)
    stream, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
    with path.open("rb") as file:
        file.seek(start)
        while packed := file.read(1 << 16):
            while packed:
                size += len(stream.decompress(packed, 1 << 20))
                packed = stream.unconsumed_tail
                if size > MOST_INFLATED_BYTES:
                    raise InputError(f'"{path.name}" inflates to more data than a CT file holds. Check the file.')


def _pixels_are_complete(file: BinaryIO, data: Dataset) -> bool:
    """Whether the pixels are as many as the header says. The file is at their start, where reading `data` stopped.

    GDCM fills what is missing with whatever is in memory. It detects truncated compressed pixels, but takes seconds for
    each file.
    """
    bits = (
        int(data.Rows)
        * int(data.Columns)
        * int(data.get("SamplesPerPixel") or 1)
        * int(data.get("BitsAllocated") or 16)
    )
    frames = float(data.get("NumberOfFrames") or 1)
    if not frames.is_integer():
        return False
    size = bits // 8 * int(frames)
    if transfer_syntax(data).is_deflated:
        file.seek(0)
        pixels = pydicom.dcmread(file, specific_tags=["PixelData"], force=True).get("PixelData")
        return pixels is not None and len(pixels) in (size, size + size % 2)
    implicit, little_endian = map(bool, data.original_encoding)
    order = "<" if little_endian else ">"
    file.seek(4 if implicit else 8, os.SEEK_CUR)
    (length,) = struct.unpack(order + "I", file.read(4))
    if (length == 0xFFFFFFFF) != transfer_syntax(data).is_encapsulated:
        return False
    if length != 0xFFFFFFFF:
        # Values have an even length: an odd number of bytes is followed by one more.
        file.seek(length, os.SEEK_CUR)
        return length in (size, size + size % 2) and _ends_well(file, order, implicit=implicit)
    while True:  # fragments of compressed pixels, up to the delimiter
        group, element, length = struct.unpack(order + "HHI", file.read(8))
        if (group, element) != (0xFFFE, 0xE000):
            return (group, element) == (0xFFFE, 0xE0DD) and _ends_well(file, order, implicit=implicit)
        file.seek(length, os.SEEK_CUR)


def _ends_well(file: BinaryIO, order: str, *, implicit: bool) -> bool:
    """Whether the file ends here, or with complete elements or zeros. GDCM needs gigabytes for some other ends."""
    end = os.fstat(file.fileno()).st_size
    while (position := file.tell()) < end:
        start = file.read(8)
        if not start.strip(b"\0"):
            return not file.read().strip(b"\0")
        if len(start) < 8:
            return False
        long = not implicit and start[4:6] in LONG_VRS
        if implicit or long:
            (length,) = struct.unpack(order + "I", file.read(4) if long else start[4:])
        else:
            (length,) = struct.unpack(order + "H", start[6:])
        if struct.unpack(order + "HH", start[:4]) < (0x7FE0, 0x0010) or length == 0xFFFFFFFF:
            return False
        file.seek(length, os.SEEK_CUR)
    return position == end


def _check_stored_values(data: Dataset, path: Path) -> None:
    """Check how grey values are stored. GDCM reads values that contradict each other in one of several ways.

    Raises:
        InputError: Required attributes are missing, not valid or contradict each other.
    """
    samples = data.get("SamplesPerPixel")
    if isinstance(samples, int) and samples > 1:  # colour, which is refused later
        return
    allocated, stored, sign = (data.get(name) for name in ("BitsAllocated", "BitsStored", "PixelRepresentation"))
    high_bit = data.get("HighBit")
    if (
        allocated not in (8, 16, 32)
        or not (isinstance(stored, int) and 0 < stored <= allocated)
        or high_bit not in (None, stored - 1)
        or sign not in (0, 1)
        or samples != 1
        or str(data.get("PhotometricInterpretation")).strip(" \0") not in GREY
        or "FloatPixelData" in data
        or "DoubleFloatPixelData" in data
    ):
        raise InputError(
            f'The header of "{path.name}" contradicts itself about how the pixels are stored. Export the series again.'
        )
