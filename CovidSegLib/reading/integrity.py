"""Check that an image file is complete and undamaged.

ITK silently fills the missing part of a truncated NIfTI file with zeros, replaces NaN in it by zero (0 HU: water), and
accepts compressed NRRD and MetaImage data that are damaged. Therefore the number of bytes, and the checksum of
compressed data, are verified here before ITK reads the file.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from ..errors import InputError

_CHUNK = 1 << 16
_GZIP = b"\x1f\x8b"
#: NIfTI data type codes of the floating-point types, which can contain NaN.
_NIFTI_FLOATS = {16: "f4", 64: "f8"}
_META_BYTES = {
    "MET_CHAR": 1,
    "MET_UCHAR": 1,
    "MET_SHORT": 2,
    "MET_USHORT": 2,
    "MET_INT": 4,
    "MET_UINT": 4,
    "MET_FLOAT": 4,
    "MET_DOUBLE": 8,
}


def check_file(path: Path, kind: str) -> None:
    """Check the header and the number of bytes of an image file.

    Args:
        path: The image file. A separate data file that its header names is checked too.
        kind: "NIfTI", "NRRD" or "MetaImage".

    Raises:
        InputError: The file is damaged or incomplete, or its voxel size is not usable.
        OSError: The file cannot be opened.
    """
    if path.stat().st_size == 0:
        raise InputError(f'The file "{path.name}" is empty (0 bytes). Copy or export it again.')
    try:
        complete = {"NIfTI": _nifti, "NRRD": _nrrd, "MetaImage": _meta}[kind](path)
    except EOFError:
        complete = False
    except (gzip.BadGzipFile, zlib.error, struct.error, ValueError, OverflowError, KeyError):
        raise InputError(f'The file "{path.name}" is damaged or not a {kind} file. Copy or export it again.') from None
    if not complete:
        raise InputError(f'The file "{path.name}" is incomplete: its end is missing. Copy or export it again.')


def _nifti(path: Path) -> bool:
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
    with gzip.open(path) if packed else path.open("rb") as file:
        header = file.read(540)
    order = "<" if header[:1] in (b"\x5c", b"\x1c") else ">"
    if struct.unpack_from(order + "i", header)[0] == 540:
        raise InputError(f'"{path.name}" is a NIfTI-2 file, which is not supported. Save it as NIfTI-1 or NRRD.')
    if header[344:347] != b"n+1":
        raise ValueError("no NIfTI-1 signature")
    dim = struct.unpack_from(order + "8h", header, 40)
    (bits,) = struct.unpack_from(order + "h", header, 72)
    pixdim = struct.unpack_from(order + "8f", header, 76)
    (offset,) = struct.unpack_from(order + "f", header, 108)
    if not 1 <= dim[0] <= 7 or min(dim[1 : dim[0] + 1]) < 1:
        raise ValueError("impossible dimensions")
    _check_nifti_spacing(path, header, order, pixdim[1 : min(dim[0], 3) + 1])
    (datatype,) = struct.unpack_from(order + "h", header, 70)
    float_type = np.dtype(order + _NIFTI_FLOATS[datatype]) if datatype in _NIFTI_FLOATS else None
    size, finite = _scan_bytes(_inflated(path, 0) if packed else _chunks(path, 0), int(offset), float_type)
    if not finite:
        raise InputError(f'"{path.name}" contains values that are not numbers (NaN or infinite). Export the CT again.')
    return size >= int(offset) + math.prod(dim[1 : dim[0] + 1]) * bits // 8


def _check_nifti_spacing(path: Path, header: bytes, order: str, spacing: tuple[float, ...]) -> None:
    """Check the spacing. ITK silently replaces zero by 1 mm, and uses only one of two contradictory spacings."""
    if not all(math.isfinite(value) and value > 0 for value in spacing):
        text = " × ".join(f"{value:.4g}" for value in spacing)
        raise InputError(f'The voxel size of {text} mm in "{path.name}" cannot be right. Export the CT again.')
    (sform_code,) = struct.unpack_from(order + "h", header, 254)
    rows = struct.unpack_from(order + "12f", header, 280)
    lengths = [math.hypot(*rows[axis::4]) for axis in range(len(spacing))]
    if sform_code > 0 and any(not math.isclose(a, b, rel_tol=1e-3) for a, b in zip(lengths, spacing, strict=True)):
        one, other = (" × ".join(f"{value:.4g}" for value in values) for values in (spacing, lengths))
        raise InputError(
            f'"{path.name}" states two different voxel sizes ({one} mm and {other} mm). Export the CT again.'
        )


def _nrrd(path: Path) -> bool:
    """Check compressed data. ITK itself rejects a truncated NRRD file, but ignores the checksum of compressed data."""
    with path.open("rb") as file:
        if not file.readline(16).startswith(b"NRRD000"):
            raise ValueError("no NRRD signature")
        fields: dict[str, str] = {}
        while (line := file.readline(_CHUNK)).strip():
            key, _, value = line.decode("utf-8", "replace").partition(":")
            fields[key.strip().lower()] = value.strip()
        start = file.tell()
    name = fields.get("data file", fields.get("datafile"))
    data = path if name is None else _data_file(path, name)
    if data is None or fields["encoding"].lower() not in ("gzip", "gz") or fields.get("line skip", "0") != "0":
        return True
    size, _ = _scan_bytes(_inflated(data, start if data is path else max(0, int(fields.get("byte skip", "0")))))
    return size > 0


def _meta(path: Path) -> bool:
    fields: dict[str, str] = {}
    with path.open("rb") as file:
        while "ElementDataFile" not in fields:
            if not (line := file.readline(_CHUNK)):
                raise ValueError("no data")
            key, _, value = line.decode("utf-8", "replace").partition("=")
            fields[key.strip()] = value.strip()
        start = file.tell()
    shape = [int(size) for size in fields["DimSize"].split()]
    if len(shape) != int(fields["NDims"]):
        raise ValueError("dimensions do not match")
    name = fields["ElementDataFile"]
    data = path if name.upper() == "LOCAL" else _data_file(path, name)
    if data is None:
        return True
    channels = int(fields.get("ElementNumberOfChannels", "1"))
    expected = math.prod(shape) * channels * _META_BYTES.get(fields["ElementType"], 1)
    skip = start if data is path else max(0, int(fields.get("HeaderSize", "0")))
    if fields.get("CompressedData", "False").lower() == "true":
        return _scan_bytes(_inflated(data, skip))[0] >= expected
    return data.stat().st_size - skip >= expected


def _data_file(header: Path, name: str) -> Path | None:
    """Return the data file that a header names, or None for a list or pattern of files, which is left to ITK."""
    if name.startswith("LIST") or "%" in name:
        return None
    data = header.parent / name
    if not data.is_file():
        raise InputError(
            f'The data file "{Path(name).name}" that belongs to "{header.name}" is missing. '
            "Keep both files in one folder."
        )
    return data


def _scan_bytes(chunks: Iterable[bytes], start: int = 0, float_type: np.dtype | None = None) -> tuple[int, bool]:
    """Return the number of bytes, and whether all floating-point numbers from byte `start` on are finite."""
    size, skip, rest, finite = 0, start, b"", True
    for chunk in chunks:
        size += len(chunk)
        if float_type is not None:
            data = rest + chunk[skip:]
            skip = max(0, skip - len(chunk))
            whole = len(data) // float_type.itemsize * float_type.itemsize
            finite &= bool(np.isfinite(np.frombuffer(data[:whole], float_type)).all())
            rest = data[whole:]
    return size, finite


def _chunks(path: Path, start: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        while chunk := file.read(_CHUNK):
            yield chunk


def _inflated(path: Path, start: int) -> Iterator[bytes]:
    """Yield the decompressed bytes of a gzip or zlib stream.

    Raises:
        gzip.BadGzipFile, zlib.error: The stream is damaged, or its checksum is wrong.
        EOFError: The end of the stream is missing.
    """
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
        while chunk := file.read(_CHUNK):
            yield stream.decompress(chunk)
        if not stream.eof:
            raise EOFError
