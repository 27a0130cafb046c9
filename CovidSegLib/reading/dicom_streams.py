"""Check that the compressed frames of a DICOM file are complete, which GDCM does not always notice."""

from __future__ import annotations

import struct
from itertools import pairwise
from pathlib import Path

import pydicom
from pydicom.encaps import generate_frames
from pydicom.uid import UID, RLELossless


def streams_are_complete(path: Path, transfer_syntax: UID) -> bool:
    """Return whether each frame of a compressed DICOM file has the size that the header states.

    If not, a frame is missing, smaller or larger, or the offsets of the frames are not where they begin.
    """
    data = pydicom.dcmread(
        path, specific_tags=["Rows", "Columns", "BitsAllocated", "NumberOfFrames", "PixelData"], force=True
    )
    shape, count = (int(data.Rows), int(data.Columns)), int(data.get("NumberOfFrames") or 1)
    try:
        frames = list(generate_frames(data.PixelData, number_of_frames=count))
        if len(frames) != count:
            return False
        if transfer_syntax == RLELossless:
            return all(_has_segments(frame, data.BitsAllocated // 8, shape[0] * shape[1]) for frame in frames)
        return all(_stated_shape(frame) == shape for frame in frames)
    except (ValueError, struct.error, IndexError):
        return False


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
