"""Mutations of DICOM series: of elements in one, some or all files, of pixels, and of the set of files."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from dataclasses import replace

from fuzz.bytes_mutations import Random, mutate_bytes, number, text
from fuzz.dicom_elements import IMPLICIT, PIXEL_DATA, UNDEFINED, Element, Parts, join, split
from fuzz.dicom_files import mutate_files
from fuzz.dicom_groups import mutate_groups
from fuzz.dicom_streams import mutate_fragments
from fuzz.original import Original
from pydicom.datadict import keyword_for_tag, tag_for_keyword
from pydicom.uid import UID_dictionary

NUMERIC_VRS = (b"DS", b"IS")
BINARY_VRS = {b"US": "H", b"SS": "h", b"UL": "I", b"SL": "i", b"FL": "f", b"FD": "d"}
#: Elements that decide how a series is read, which are mutated more often than the others.
# fmt: off
IMPORTANT = [tag_for_keyword(keyword) for keyword in (
    "TransferSyntaxUID", "SOPClassUID", "ImageType", "Modality", "SeriesInstanceUID", "SeriesNumber",
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "GantryDetectorTilt",
    "SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation", "RescaleIntercept", "RescaleSlope", "RescaleType", "NumberOfFrames",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "PixelData",
)]
# fmt: on
#: Elements that are added: keyword, VR, value.
ADDED = (
    ("GantryDetectorTilt", b"DS", b"15"),
    ("NumberOfFrames", b"IS", b"2 "),
    ("NumberOfFrames", b"IS", b"1 "),
    ("PlanarConfiguration", b"US", b"\1\0"),
    ("PixelPaddingValue", b"US", b"\0\0"),
    ("SmallestImagePixelValue", b"US", b"\0\0"),
    ("LossyImageCompression", b"CS", b"01"),
    ("SpecificCharacterSet", b"CS", b"ISO_IR 192"),
    ("SpecificCharacterSet", b"CS", b"no such "),
    ("PixelAspectRatio", b"IS", b"2\\1 "),
    ("PresentationLUTShape", b"CS", b"INVERSE "),
    ("SpacingBetweenSlices", b"DS", b"7 "),
    ("ImagerPixelSpacing", b"DS", b"3\\3 "),
    ("PatientPosition", b"CS", b"FFP "),
    ("RealWorldValueMappingSequence", b"SQ", b""),
    ("ModalityLUTSequence", b"SQ", b""),
    ("FloatPixelData", b"OF", b"\0\0\0\0"),
    ("RedPaletteColorLookupTableDescriptor", b"US", b"\0\1\0\0\x10\0"),
    ("PixelDataProviderURL", b"UR", b"http://localhost/x "),
    ("SeriesDescription", b"LO", b"\x1b[31mred \x07\xff\xfe"),
    ("OverlayRows", b"US", b"\x10\0"),
)
# fmt: off
CODE_VALUES = (
    b"CT", b"MR", b"PT", b"OT", b"SEG", b"DERIVED", b"SECONDARY", b"LOCALIZER", b"AXIAL", b"MONOCHROME1",
    b"MONOCHROME2", b"RGB", b"YBR_FULL", b"YBR_FULL_422", b"HU", b"US", b"OD", b"HOUNSFIELD", b"01", b"00",
    b"PALETTE COLOR", b"ORIGINAL\\PRIMARY\\LOCALIZER", b"ORIGINAL\\PRIMARY\\AXIAL", b"DERIVED\\SECONDARY\\MPR",
)
# fmt: on
VRS = (b"DS", b"IS", b"US", b"SS", b"UL", b"FD", b"FL", b"OB", b"OW", b"SQ", b"UN", b"LO", b"UI", b"AT", b"XX", b"\0\0")


def mutate_dicom(rng: Random, original: Original, others: Sequence[Original] = ()) -> tuple[Original, str]:
    """Apply a random mutation to a series.

    Args:
        rng: Random numbers.
        original: The series.
        others: Other series, from which files may come.
    """
    choice = rng.random()
    names = sorted(original.files)
    if not names:
        return original, "unchanged"
    if choice < 0.15:
        return mutate_files(rng, original, others)
    name = names[rng.integers(len(names))]
    if choice < 0.28:
        content, what = mutate_bytes(rng, original.files[name])
        return original.with_file(name, content), f"{os.fsdecode(name)}: {what}"
    if original.name.startswith("dicom enhanced") and choice < 0.55:
        content, what = mutate_groups(rng, original.files[name])
        return original.with_file(name, content), what
    return _mutate_elements(rng, original, names)


def _mutate_elements(rng: Random, original: Original, names: list[bytes]) -> tuple[Original, str]:
    """Change an element in one file, in all, or in about half of them. The same change is made in each of them."""
    scope = rng.random()
    if scope < 0.45:
        chosen = [names[rng.integers(len(names))]]
    elif scope < 0.85:
        chosen = names
    else:
        chosen = [name for name in names if rng.random() < 0.5] or names[:1]
    seed = int(rng.integers(2**32))
    files, what = dict(original.files), "unchanged"
    for name in chosen:
        parts = split(files[name])
        if parts is None or not parts.elements:
            files[name], what = mutate_bytes(type(rng)(type(rng.bit_generator)(seed)), files[name])
            continue
        same = type(rng)(type(rng.bit_generator)(seed))
        what = _mutate_element(same, parts)
        files[name] = join(parts)
    where = os.fsdecode(chosen[0]) if len(chosen) == 1 else f"{len(chosen)} files"
    return replace(original, files=files), f"{where}: {what}"


def _mutate_element(rng: Random, parts: Parts) -> str:
    elements = parts.elements
    index = int(rng.integers(len(elements)))
    if rng.random() < 0.75:
        tag = IMPORTANT[rng.integers(len(IMPORTANT))]
        if tag == 0x00020010:
            return _other_syntax(rng, parts)
        index = next((position for position, element in enumerate(elements) if element.tag == tag), index)
    element = elements[index]
    label = keyword_for_tag(element.tag) or f"{element.tag:08x}"
    choice = rng.random()
    if choice < 0.1:
        del elements[index]
        return f"without {label}"
    if choice < 0.14:
        elements.insert(int(rng.integers(len(elements) + 1)), replace(element))
        return f"{label} twice"
    if choice < 0.17:
        other = int(rng.integers(len(elements)))
        elements[index], elements[other] = elements[other], elements[index]
        return f"{label} in another place"
    if choice < 0.21:
        element.vr = VRS[rng.integers(len(VRS))]
        return f"{label} with VR {element.vr!r}"
    if choice < 0.25:
        element.length = int(
            rng.choice([0, 1, len(element.value) + 1, len(element.value) + 2, 0xFFFE, 0xFFFFFFFE, UNDEFINED])
        )
        return f"{label} with length {element.length}"
    if choice < 0.33:
        keyword, vr, value = ADDED[rng.integers(len(ADDED))]
        tag = tag_for_keyword(keyword) or 0x00090010
        place = next((position for position, other in enumerate(elements) if other.tag >= tag), len(elements))
        if place < len(elements) and elements[place].tag == tag:
            elements[place] = Element(tag, vr, value)
        else:
            elements.insert(place, Element(tag, vr, value))
        return f"{keyword} = {value!r}"
    if choice < 0.35:
        return _nested(rng, parts)
    return _other_value(rng, element, label, parts.order)


def _other_syntax(rng: Random, parts: Parts) -> str:
    uids = [uid for uid, entry in UID_dictionary.items() if entry[1] == "Transfer Syntax"]
    uid = uids[rng.integers(len(uids))].encode()
    uid += b"\0" * (len(uid) % 2)
    start = parts.header.find(b"\2\0\x10\0UI")
    (length,) = struct.unpack_from("<H", parts.header, start + 6)
    header = bytearray(
        parts.header[: start + 6] + struct.pack("<H", len(uid)) + uid + parts.header[start + 8 + length :]
    )
    struct.pack_into("<I", header, 140, len(header) - 144)
    parts.header = bytes(header)
    return f"transfer syntax {uid.decode()}"


def _nested(rng: Random, parts: Parts) -> str:
    depth = int(rng.choice([3, 60, 400, 3000]))
    item = b""
    start, end = struct.pack(parts.order + "HH", 0xFFFE, 0xE000), struct.pack(parts.order + "I", UNDEFINED)
    sequence = struct.pack(parts.order + "HH", 0x0008, 0x1140) + (b"" if parts.syntax == IMPLICIT else b"SQ\0\0") + end
    close = struct.pack(parts.order + "HHI", 0xFFFE, 0xE00D, 0) + struct.pack(parts.order + "HHI", 0xFFFE, 0xE0DD, 0)
    item = (sequence + start + end) * depth + close * depth
    parts.elements.insert(0, Element(0x00081140, b"SQ", start + end + item + close[:8] + close[8:], UNDEFINED))
    return f"sequences nested {depth} deep"


def _other_value(rng: Random, element: Element, label: str, order: str) -> str:
    if element.tag == PIXEL_DATA and element.length == UNDEFINED and rng.random() < 0.7:
        element.value, what = mutate_fragments(rng, element.value)
        return f"PixelData: {what}"
    if element.tag == PIXEL_DATA and element.value:
        element.value, what = mutate_bytes(rng, element.value)
        if rng.random() < 0.5 and len(element.value) % 2:
            element.value += b"\0"
        return f"PixelData: {what}"
    if element.vr in NUMERIC_VRS:
        values = element.value.rstrip(b" \0").split(b"\\")
        action = rng.random()
        if action < 0.75:
            which = int(rng.integers(len(values)))
            values[which] = number(rng, values[which])
        elif action < 0.85:
            values = values[:-1] if rng.random() < 0.5 else [*values, b"1"]
        elif action < 0.93:
            rng.shuffle(values)
        else:
            values = [text(rng)]
        element.value = b"\\".join(values)[:60_000]
        element.value += b" " * (len(element.value) % 2)
        return f"{label} = {element.value[:60].decode('latin-1')}"
    if (
        element.vr in BINARY_VRS
        and len(element.value) >= struct.calcsize(BINARY_VRS[element.vr])
        and rng.random() < 0.85
    ):
        form = order + BINARY_VRS[element.vr]
        (current,) = struct.unpack_from(form, element.value)
        if form[1] in "fd":
            value = float(rng.choice([0, -1, 1e300 if form[1] == "d" else 1e30, float("nan"), current * 2]))
        else:
            bits = 8 * struct.calcsize(form)
            value = int(
                rng.choice(
                    [0, 1, 2, 8, 12, 15, 16, 32, 255, 2 ** (bits - 1) - 1, current + 1, current * 2, current // 2]
                )
            )
            value %= 2 ** (bits - 1)
        element.value = struct.pack(form, value)
        return f"{label} = {value}"
    if element.vr == b"CS" and rng.random() < 0.7:
        value_ = CODE_VALUES[rng.integers(len(CODE_VALUES))]
        element.value = value_ + b" " * (len(value_) % 2)
        return f"{label} = {value_.decode('latin-1')}"
    if rng.random() < 0.5 and element.vr != b"SQ":
        element.value = text(rng)[:60_000]
    else:
        element.value, _ = mutate_bytes(rng, element.value)
        element.value = element.value[:60_000]
    return f"{label} = {element.value[:40]!r}"
