"""What the header of a DICOM file states: which series it belongs to, and where its slices lie."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import UID, CTImageStorage, EnhancedCTImageStorage, ImplicitVRLittleEndian

from ..errors import InputError

CT_SOP_CLASSES = (CTImageStorage, EnhancedCTImageStorage)
#: Scanners use slopes near 1 and intercepts near -1024. Values beyond these are damaged, or bombs for what uses them.
SLOPES, MOST_INTERCEPT = (1e-4, 1e4), 1e5
#: Longer texts are not shown.
LONGEST_TEXT = 64
#: Elements that are read.
TAGS = [
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


def transfer_syntax(data: Dataset) -> UID:
    """Return the transfer syntax. Files without a file header use DICOM's default."""
    return UID(data.file_meta.get("TransferSyntaxUID") or ImplicitVRLittleEndian)


def series_header(data: Dataset) -> SeriesHeader:
    """Return what a file states about its series."""
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


def slice_headers(data: Dataset, path: Path) -> tuple[SliceHeader, ...]:
    """Return what a file states about its slices: one, or the frames of an enhanced CT.

    Raises:
        InputError: The rescaling to HU is incomplete or cannot be right.
        ValueError, TypeError, AttributeError: Other values are damaged.
    """
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
        transfer_syntax(data),
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
