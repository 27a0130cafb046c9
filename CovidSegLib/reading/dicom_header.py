"""What the header of one DICOM file says: what it is, and where its slices lie. No pixels are read."""

from __future__ import annotations

import os
import struct
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import UID, CTImageStorage, EnhancedCTImageStorage, ImplicitVRLittleEndian

from ..errors import InputError

CT_SOP_CLASSES = (CTImageStorage, EnhancedCTImageStorage)
_TAGS = [
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "SeriesDescription",
    "Modality",
    "ImageType",
    "Manufacturer",
    "ManufacturerModelName",
    "ConvolutionKernel",
    "SliceThickness",
    "RescaleType",
    "LossyImageCompression",
    "SamplesPerPixel",
    "Rows",
    "Columns",
    "PixelSpacing",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "GantryDetectorTilt",
    "RescaleSlope",
    "RescaleIntercept",
    "NumberOfFrames",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
]


@dataclass(frozen=True)
class Slice:
    """One slice: a classic CT file, or a frame of an enhanced one.

    Attributes:
        path: The file.
        frame: Index in the file, 0 for a classic one.
        uid: SOP instance UID.
        shape: (rows, columns).
        spacing: Distance of pixel centres in mm along (x, y), that is between (columns, rows); None where not stated.
        position: LPS position in mm of the centre of the first pixel.
        orientation: LPS cosines of the row and of the column direction.
        tilt: Gantry tilt in degrees.
        rescale: (slope, intercept) from stored values to HU; None where not stated.
    """

    path: Path
    frame: int
    uid: str
    shape: tuple[int, int]
    spacing: tuple[float, float] | None
    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    tilt: float
    rescale: tuple[float, float] | None


@dataclass(frozen=True)
class Facts:
    """What a header says of the series that its file belongs to; empty strings where it says nothing."""

    series_uid: str
    sop_class: str
    modality: str
    image_type: tuple[str, ...]
    number: int | None = field(compare=False)
    description: str = field(compare=False)
    kernel: str = field(compare=False)
    thickness: float | None = field(compare=False)
    manufacturer: str = field(compare=False)
    model: str = field(compare=False)
    rescale_type: str = field(compare=False)
    transfer_syntax: UID = field(compare=False)
    colour: bool = field(compare=False)
    lossy: bool = field(compare=False)


def read_header(path: Path) -> tuple[Facts, tuple[Slice, ...]] | None:
    """Reads the header of a file.

    Returns:
        The facts and the slices, none of them for a file that holds no image; None where it is not a DICOM file.

    Raises:
        InputError: A DICOM file that is damaged or cannot be opened.
    """
    facts: Facts | None = None
    slices: tuple[Slice, ...] = ()
    complete = True
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom remarks on every irregular but harmless value
            start = file.read(132)
            if _looks_like_dicom(start):
                file.seek(0)
                data = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(_TAGS), force=True)
                facts = _facts(data)
                slices = _slices(data, path) if "Rows" in data else ()
                complete = facts.sop_class not in CT_SOP_CLASSES or (bool(slices) and _has_all_pixels(file, data))
    except PermissionError:
        raise InputError(f'The file "{path.name}" may not be read: ask for permission or copy it elsewhere.') from None
    except OSError:
        complete = False
    except (struct.error, EOFError, ValueError, TypeError, AttributeError, KeyError, IndexError, NotImplementedError):
        facts = None
    if facts and facts.series_uid and complete:
        return facts, slices
    if complete and not _claims_to_be_dicom(path, start):
        return None
    raise InputError(f'The DICOM file "{path.name}" is damaged or incomplete: copy or export the series again.')


def _looks_like_dicom(start: bytes) -> bool:
    """With the signature after 128 bytes, or, as old archives write them, right with group 2 or 8."""
    return start[128:132] == b"DICM" or start[:4] in (b"\x02\0\0\0", b"\x08\0\0\0", b"\x08\0\x05\0", b"\x08\0\x08\0")


def _claims_to_be_dicom(path: Path, start: bytes) -> bool:
    """By its signature or extension, or named as DICOM files are and left blank by a failed copy."""
    extension = path.suffix.lower()
    blank = not start.strip(b"\0") and (not extension or extension[1:].isdigit())
    return start[128:132] == b"DICM" or extension in (".dcm", ".ima") or blank


def _has_all_pixels(file: BinaryIO, data: Dataset) -> bool:
    """Whether the pixels, before which the file stands after reading `data`, are there to their end.

    GDCM finds this too, but takes seconds for each file with compressed pixels.
    """
    if _transfer_syntax(data).is_deflated:  # read to its end already
        return True
    implicit, little_endian = data.original_encoding
    order = "<" if little_endian else ">"
    file.seek(4 if implicit else 8, os.SEEK_CUR)
    (length,) = struct.unpack(order + "I", file.read(4))
    if length != 0xFFFFFFFF:
        return file.tell() + length <= os.fstat(file.fileno()).st_size
    while True:  # the fragments of compressed pixels, up to the delimiter
        group, element, length = struct.unpack(order + "HHI", file.read(8))
        if (group, element) != (0xFFFE, 0xE000):
            return (group, element) == (0xFFFE, 0xE0DD)
        file.seek(length, os.SEEK_CUR)


def _transfer_syntax(data: Dataset) -> UID:
    """Files without a file header are stored in DICOM's default."""
    return UID(data.file_meta.get("TransferSyntaxUID") or ImplicitVRLittleEndian)


def _facts(data: Dataset) -> Facts:
    return Facts(
        series_uid=str(data.get("SeriesInstanceUID") or ""),
        sop_class=str(data.get("SOPClassUID") or ""),
        modality=_text(data, "Modality").upper(),
        image_type=tuple(_text(data, "ImageType").upper().split(" / ")),
        number=int(data.SeriesNumber) if data.get("SeriesNumber") is not None else None,
        description=_text(data, "SeriesDescription"),
        kernel=_text(data, "ConvolutionKernel"),
        thickness=float(data.SliceThickness) if data.get("SliceThickness") is not None else None,
        manufacturer=_text(data, "Manufacturer"),
        model=_text(data, "ManufacturerModelName"),
        rescale_type=_text(data, "RescaleType").upper(),
        transfer_syntax=_transfer_syntax(data),
        colour=int(data.get("SamplesPerPixel") or 1) > 1,
        lossy=data.get("LossyImageCompression") == "01",
    )


def _slices(data: Dataset, path: Path) -> tuple[Slice, ...]:
    frames: Sequence[Dataset] = data.get("PerFrameFunctionalGroupsSequence") or ()
    shared = data.get("SharedFunctionalGroupsSequence") or ()
    if not frames:
        return (_slice([data], path, 0, data),)
    return tuple(
        _slice([item for group in (frame, *shared) for item in _group_items(group)], path, index, data)
        for index, frame in enumerate(frames)
    )


def _group_items(group: Dataset) -> list[Dataset]:
    """The functional groups of a frame (plane position, pixel measures, ...), each a sequence of one item."""
    return [element.value[0] for element in group if element.VR == "SQ" and element.value]


def _slice(sources: list[Dataset], path: Path, frame: int, data: Dataset) -> Slice:
    spacing = _numbers(sources, "PixelSpacing", 2)
    slope, intercept = _numbers(sources, "RescaleSlope", 1), _numbers(sources, "RescaleIntercept", 1)
    tilt = _numbers(sources, "GantryDetectorTilt", 1)
    return Slice(
        path,
        frame,
        str(data.get("SOPInstanceUID") or ""),
        (int(data.Rows), int(data.Columns)),
        (spacing[1], spacing[0]) if spacing else None,  # DICOM states the distance between rows first
        _numbers(sources, "ImagePositionPatient", 3),
        _numbers(sources, "ImageOrientationPatient", 6),
        tilt[0] if tilt else 0.0,
        (slope[0], intercept[0]) if slope and intercept else None,
    )


def _numbers(sources: list[Dataset], keyword: str, count: int) -> tuple[float, ...] | None:
    value: Any = next((source.get(keyword) for source in sources if source.get(keyword) is not None), None)
    if value is None or value == "":
        return None
    numbers = tuple(float(item) for item in (value if count > 1 else [value]))
    if len(numbers) != count:
        raise ValueError(keyword)
    return numbers


def _text(data: Dataset, keyword: str) -> str:
    value = data.get(keyword)
    if value is None:
        return ""
    return " / ".join(map(str, value)) if not isinstance(value, str) else value.strip()
