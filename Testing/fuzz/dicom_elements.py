"""DICOM files split into the elements of their data sets, and joined again, also if the elements are wrong."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import pydicom
from pydicom.datadict import keyword_for_tag

LONG_VRS = (b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"SQ", b"UC", b"UN", b"UR", b"UT", b"SV", b"UV")
UNDEFINED = 0xFFFFFFFF
PIXEL_DATA = 0x7FE00010
DEFLATED, BIG_ENDIAN, IMPLICIT = b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.2", b"1.2.840.10008.1.2"


@dataclass
class Element:
    """One element at the top level of a data set.

    Attributes:
        tag: Group and element number.
        vr: Value representation; ignored when written implicitly.
        value: Bytes of the value; for an undefined length, everything up to the end of the data set.
        length: Length as written; None to state that of the value.
    """

    tag: int
    vr: bytes
    value: bytes
    length: int | None = None


@dataclass
class Parts:
    """A DICOM file split into its file header, and the elements of its data set."""

    header: bytes
    syntax: bytes
    elements: list[Element]

    @property
    def order(self) -> str:
        return ">" if self.syntax == BIG_ENDIAN else "<"


def split(content: bytes) -> Parts | None:
    """Split a file, or return None if it cannot be split."""
    try:
        if content[128:132] != b"DICM":
            return None
        (length,) = struct.unpack_from("<I", content, 140)
        end = 144 + length
        position, syntax = 144, b""
        while position < end:
            element, position = _read(content, position, "<", False)
            if element.tag == 0x00020010:
                syntax = element.value.rstrip(b"\0 ")
        body = zlib.decompress(content[end:], -zlib.MAX_WBITS) if syntax == DEFLATED else content[end:]
        position, elements = 0, []
        while position < len(body):
            element, position = _read(body, position, ">" if syntax == BIG_ENDIAN else "<", syntax == IMPLICIT)
            elements.append(element)
    except (struct.error, zlib.error, IndexError):
        return None
    return Parts(content[:end], syntax, elements)


def _read(data: bytes, position: int, order: str, implicit: bool) -> tuple[Element, int]:
    group, number_ = struct.unpack_from(order + "HH", data, position)
    tag, position = group << 16 | number_, position + 4
    if implicit:
        vr = pydicom.datadict.dictionary_VR(tag).encode()[:2] if keyword_for_tag(tag) else b"UN"
        (length,) = struct.unpack_from(order + "I", data, position)
        position += 4
    else:
        vr, position = data[position : position + 2], position + 2
        if vr in LONG_VRS:
            (length,) = struct.unpack_from(order + "I", data, position + 2)
            position += 6
        else:
            (length,) = struct.unpack_from(order + "H", data, position)
            position += 2
    if length == UNDEFINED:
        return Element(tag, vr, data[position:], UNDEFINED), len(data)
    if position + length > len(data):
        raise IndexError("the value ends after the data")
    return Element(tag, vr, data[position : position + length]), position + length


def join(parts: Parts) -> bytes:
    """Write a file from its parts."""
    body = b"".join(_written(element, parts.order, parts.syntax == IMPLICIT) for element in parts.elements)
    if parts.syntax == DEFLATED:
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        body = packer.compress(body) + packer.flush()
    return parts.header + body


def _written(element: Element, order: str, implicit: bool) -> bytes:
    length = len(element.value) if element.length is None else element.length
    start = struct.pack(order + "HH", element.tag >> 16, element.tag & 0xFFFF)
    if implicit:
        return start + struct.pack(order + "I", length) + element.value
    if element.vr in LONG_VRS:
        return start + element.vr + b"\0\0" + struct.pack(order + "I", length) + element.value
    return start + element.vr + struct.pack(order + "H", length & 0xFFFF) + element.value
