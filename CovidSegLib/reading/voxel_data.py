"""Check the bytes of an image's voxels before ITK reads them.

ITK fills what is missing from a truncated file, makes zeros (0 HU: water) of NaN in NIfTI files, and does not compare
compressed data with their checksum.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from ..errors import InputError
from .image_headers.header import ImageHeader

_CHUNK = 1 << 16
_GZIP = b"\x1f\x8b"
#: Bytes that may follow the voxels where a format allows it: padding, and extensions of a few programs. A compressed
#: bomb holds more.
MOST_TRAILING_BYTES = 1 << 24


def check_voxel_data(path: Path, header: ImageHeader) -> None:
    """Check that all voxels are there and are numbers.

    Args:
        path: The image file, for messages.
        header: What its header promises.

    Raises:
        InputError: Voxels are missing, NaN or infinite, or the data are much longer than the header says.
        gzip.BadGzipFile, zlib.error: The compressed data are damaged.
        EOFError: The end of the compressed data is missing.
    """
    promised = header.size + (header.offset if header.packed_header else 0)
    most = promised + (MOST_TRAILING_BYTES if header.may_be_longer else 0)
    if not header.compressed:
        length = header.data.stat().st_size - header.offset
        if length < header.size:
            raise _incomplete(path)
        if length > header.size and not header.may_be_longer:
            raise _too_long(path)
        chunks = _read(header.data, header.offset)
        skip = 0
        if header.float_type is None:
            return
    else:
        chunks = _inflated(header.data, 0 if header.packed_header else header.offset, header.compressed_size)
        skip = header.offset if header.packed_header else 0
    length, finite = _scan(chunks, skip, promised, header.float_type)
    if not finite:
        raise InputError(f'"{path.name}" holds values that are not numbers (NaN or infinite). Export the CT again.')
    if length < promised:
        raise _incomplete(path)
    if length > most:
        raise _too_long(path)


def _incomplete(path: Path) -> InputError:
    return InputError(f'The file "{path.name}" is incomplete: its end is missing. Copy or export it again.')


def _too_long(path: Path) -> InputError:
    return InputError(f'"{path.name}" holds more data than its header says. Check that it is the right file.')


def _scan(chunks: Iterable[bytes], skip: int, end: int, float_type: np.dtype | None) -> tuple[int, bool]:
    """Number of bytes, and whether the floating-point numbers from byte `skip` to `end` are all finite."""
    length, rest, finite = 0, b"", True
    for chunk in chunks:
        if float_type is not None:
            data = rest + chunk[max(0, skip - length) : max(0, end - length)]
            whole = len(data) // float_type.itemsize * float_type.itemsize
            finite &= bool(np.isfinite(np.frombuffer(data[:whole], float_type)).all())
            rest = data[whole:]
        length += len(chunk)
        if length > end + MOST_TRAILING_BYTES:
            break
    return length, finite


def _read(path: Path, start: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        while chunk := file.read(_CHUNK):
            yield chunk


def _inflated(path: Path, start: int, stated: int | None) -> Iterator[bytes]:
    """The content of a gzip or zlib stream, in chunks of limited size.

    Args:
        path: The file.
        start: Where the stream begins.
        stated: Bytes of the stream according to the header; None if it ends with the file.
    """
    left = path.stat().st_size - start
    if stated is not None and stated != left:
        raise EOFError("the stream does not have the size that the header states")
    with path.open("rb") as file:
        file.seek(start)
        gzipped = file.read(2) == _GZIP
        file.seek(start)
        if gzipped:
            with gzip.GzipFile(fileobj=file) as members:
                while chunk := members.read(_CHUNK):
                    yield chunk
            return
        stream = zlib.decompressobj()
        while not stream.eof and (packed := file.read(_CHUNK)):
            chunk = stream.decompress(packed, _CHUNK)
            yield chunk
            while stream.unconsumed_tail or len(chunk) == _CHUNK:  # a full chunk may not be all that there is
                chunk = stream.decompress(stream.unconsumed_tail, _CHUNK)
                yield chunk
        if not stream.eof:
            raise EOFError("the end of the zlib stream is missing")
