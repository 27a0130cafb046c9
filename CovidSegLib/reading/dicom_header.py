"""Read the header of one DICOM file: which series it belongs to, and where its slices lie. No pixels are read."""

from __future__ import annotations

import logging
import math
import os
import struct
import warnings
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import pydicom
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.filereader import read_file_meta_info, read_partial
from pydicom.tag import BaseTag, Tag
from pydicom.uid import (
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    EnhancedCTImageStorage,
    ImplicitVRLittleEndian,
)

from ..errors import InputError

CT_SOP_CLASSES = (CTImageStorage, EnhancedCTImageStorage)
#: Scanners use slopes near 1 and intercepts near -1024. Values beyond these are damaged, or bombs for what uses them.
SLOPES, MOST_INTERCEPT = (1e-4, 1e4), 1e5
#: A deflated file holds one slice, or the frames of an enhanced CT. One that inflates to more is not a CT.
MOST_INFLATED_BYTES = 1 << 30
#: File headers are shorter, and name the transfer syntax.
FILE_HEADER_BYTES = 2048
PIXEL_DATA = 0x7FE00010
#: Representations whose values have a length of four bytes.
LONG_VRS = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
#: Longer texts are not shown.
LONGEST_TEXT = 64
GREY = ("MONOCHROME1", "MONOCHROME2")
_TAGS = [
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "StudyInstanceUID",
    "BodyPartExamined",
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
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
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
    "FloatPixelData",
    "DoubleFloatPixelData",
]


@dataclass(frozen=True)
class SliceHeader:
    """Position and rescaling of one slice: a classic CT file, or one frame of an enhanced CT file.

    Attributes:
        path: The file.
        frame: Index of the frame in the file; 0 for a classic CT file.
        uid: SOP Instance UID.
        shape: Rows and columns.
        spacing: Distance between pixel centres in mm along (x, y), that is between (columns, rows). None if not stated.
        position: LPS position in mm of the centre of the first pixel. None if not stated.
        orientation: LPS cosines of the row direction, then of the column direction. None if not stated.
        tilt: Gantry tilt in degrees.
        rescale: Slope and intercept from stored values to HU. None if not stated.
        inverted: Whether low values are to be displayed bright (MONOCHROME1). This does not change the HU.
        transfer_syntax: Encoding of the file. Archives may hold slices of one series in several encodings.
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
    inverted: bool
    transfer_syntax: UID


@dataclass(frozen=True)
class SeriesHeader:
    """Attributes that the files of a series have in common. Text that the header does not state is empty.

    Attributes:
        series_uid: Series Instance UID.
        sop_class: SOP Class UID.
        modality: Modality in upper case, such as "CT".
        image_type: Values of Image Type in upper case.
        number: Series Number.
        description: Series Description.
        kernel: Convolution Kernel.
        thickness: Slice Thickness in mm.
        manufacturer: Manufacturer.
        model: Manufacturer's Model Name.
        rescale_type: Rescale Type in upper case, such as "HU".
        colour: Whether there is more than one sample per pixel.
        lossy: Whether the pixels have undergone lossy compression.
        study_uid: Study Instance UID.
        body_part: Body Part Examined.
    """

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
    colour: bool = field(compare=False)
    lossy: bool = field(compare=False)
    study_uid: str = field(compare=False)
    body_part: str = field(compare=False)

    @property
    def is_ct(self) -> bool:
        """Whether the series is a CT. Anonymised files may lack the SOP class, but not the image type of a CT."""
        original = {"ORIGINAL", "PRIMARY", "AXIAL"} <= set(self.image_type)
        return self.modality == "CT" and (self.sop_class in CT_SOP_CLASSES or (not self.sop_class and original))


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
                data = read_partial(file, _stop_at_pixels(), force=True, specific_tags=list(map(Tag, _TAGS)))
                series = _series_header(data)
                slices = _slice_headers(data, path) if "Rows" in data else ()
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
        if tag in seen and (tag.group == 0x0028 or keyword_for_tag(tag) in _TAGS):
            raise ValueError(f"{tag} is there twice")
        seen.add(tag)
        if tag == PIXEL_DATA and vr not in (None, "OB", "OW", "UN"):
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
    if _transfer_syntax(data).is_deflated:
        file.seek(0)
        pixels = pydicom.dcmread(file, specific_tags=["PixelData"], force=True).get("PixelData")
        return pixels is not None and len(pixels) in (size, size + size % 2)
    implicit, little_endian = map(bool, data.original_encoding)
    order = "<" if little_endian else ">"
    file.seek(4 if implicit else 8, os.SEEK_CUR)
    (length,) = struct.unpack(order + "I", file.read(4))
    if (length == 0xFFFFFFFF) != _transfer_syntax(data).is_encapsulated:
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


def _transfer_syntax(data: Dataset) -> UID:
    """Return the transfer syntax. Files without a file header use DICOM's default."""
    return UID(data.file_meta.get("TransferSyntaxUID") or ImplicitVRLittleEndian)


def _series_header(data: Dataset) -> SeriesHeader:
    return SeriesHeader(
        series_uid=str(data.get("SeriesInstanceUID") or ""),
        sop_class=str(data.get("SOPClassUID") or ""),
        modality=_text(data, "Modality").upper(),
        image_type=tuple(_text(data, "ImageType").upper().split(" / ")),
        number=_whole_number(data, "SeriesNumber"),
        description=_text(data, "SeriesDescription"),
        kernel=_text(data, "ConvolutionKernel"),
        thickness=_finite_number(data, "SliceThickness"),
        manufacturer=_text(data, "Manufacturer"),
        model=_text(data, "ManufacturerModelName"),
        rescale_type=_text(data, "RescaleType").upper(),
        colour=int(data.get("SamplesPerPixel") or 1) > 1,
        lossy=data.get("LossyImageCompression") == "01",
        study_uid=str(data.get("StudyInstanceUID") or ""),
        body_part=_text(data, "BodyPartExamined"),
    )


def _slice_headers(data: Dataset, path: Path) -> tuple[SliceHeader, ...]:
    frames: Sequence[Dataset] = data.get("PerFrameFunctionalGroupsSequence") or ()
    shared = data.get("SharedFunctionalGroupsSequence") or ()
    if not frames:
        return (_slice_header([data], path, 0, data),)
    return tuple(
        _slice_header([item for group in (frame, *shared) for item in _group_items(group)], path, index, data)
        for index, frame in enumerate(frames)
    )


def _group_items(group: Dataset) -> list[Dataset]:
    """Return the functional groups of a frame (plane position, pixel measures, ...), each a sequence of one item."""
    return [element.value[0] for element in group if element.VR == "SQ" and element.value]


def _slice_header(sources: list[Dataset], path: Path, frame: int, data: Dataset) -> SliceHeader:
    spacing = _numbers(sources, "PixelSpacing", 2)
    slope, intercept = _numbers(sources, "RescaleSlope", 1), _numbers(sources, "RescaleIntercept", 1)
    tilt = _numbers(sources, "GantryDetectorTilt", 1)
    rescale = (slope[0], intercept[0]) if slope and intercept else None
    if (slope is None) != (intercept is None):  # GDCM takes a slope of 1 and an intercept of 0
        raise InputError(
            f'The header of "{path.name}" states only a part of the rescaling to HU. Export the series again.'
        )
    _check_rescale(rescale, path)
    return SliceHeader(
        path,
        frame,
        str(data.get("SOPInstanceUID") or ""),
        (int(data.Rows), int(data.Columns)),
        (spacing[1], spacing[0]) if spacing else None,  # DICOM states the distance between rows first
        _numbers(sources, "ImagePositionPatient", 3),
        _numbers(sources, "ImageOrientationPatient", 6),
        tilt[0] if tilt else 0.0,
        rescale,
        _text(data, "PhotometricInterpretation").upper() == "MONOCHROME1",
        _transfer_syntax(data),
    )


def _check_rescale(rescale: tuple[float, float] | None, path: Path) -> None:
    """Check that slope and intercept can be those of a CT. GDCM ignores the rescaling if they are not numbers."""
    if rescale is None:
        return
    slope, intercept = rescale
    if not (SLOPES[0] <= abs(slope) <= SLOPES[1] and abs(intercept) <= MOST_INTERCEPT):  # also if NaN
        raise InputError(
            f'The rescaling to HU in "{path.name}" (slope {slope:g}, intercept {intercept:g}) cannot be right. '
            "Export the series again."
        )


def _finite_number(data: Dataset, keyword: str) -> float | None:
    """Return the value of an element that is for information only, or None if it is not a number."""
    try:
        number = float(data.get(keyword))
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _whole_number(data: Dataset, keyword: str) -> int | None:
    number = _finite_number(data, keyword)
    return None if number is None else int(number)


def _numbers(sources: list[Dataset], keyword: str, count: int) -> tuple[float, ...] | None:
    """Return the values of an element from the first data set that has it, or None if none has."""
    value: Any = next((source.get(keyword) for source in sources if source.get(keyword) is not None), None)
    if value is None or value == "":
        return None
    numbers = tuple(map(_number, value if count > 1 else [value]))
    if len(numbers) != count:
        raise ValueError(keyword)
    return numbers


def _number(value: Any) -> float:
    """Return a decimal string as a number. Python would also accept 1_000 and digits of other scripts."""
    text = getattr(value, "original_string", "")
    if "_" in text or not text.isascii():
        raise ValueError(text)
    return float(value)


def _text(data: Dataset, keyword: str) -> str:
    value = data.get(keyword)
    if value is None:
        return ""
    text = " / ".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)
    # Control characters could change what a terminal shows.
    return "".join(character for character in text.strip() if character.isprintable())[:LONGEST_TEXT]
