"""Headers of MetaImage files, attached (.mha) and detached (.mhd) (https://itk.org/Wiki/ITK/MetaIO/Documentation)."""

from __future__ import annotations

import math
from pathlib import Path

from ...errors import InputError
from .header import DamagedHeader, ImageHeader, data_file_beside, is_plain, missing_spacing, number_of, require_finite

MOST_LINES, LONGEST_LINE = 1_000, 1 << 16
BYTES = {
    "MET_CHAR": 1,
    "MET_UCHAR": 1,
    "MET_SHORT": 2,
    "MET_USHORT": 2,
    "MET_INT": 4,
    "MET_UINT": 4,
    "MET_LONG_LONG": 8,
    "MET_ULONG_LONG": 8,
    "MET_FLOAT": 4,
    "MET_DOUBLE": 8,
}
POSITIONS = ("Offset", "Origin", "Position")
ORIENTATIONS = ("TransformMatrix", "Orientation", "Rotation")
BYTE_ORDERS = ("BinaryDataByteOrderMSB", "ElementByteOrderMSB")
FLAGS = ("BinaryData", "CompressedData", *BYTE_ORDERS)


def read_metaimage_header(path: Path) -> ImageHeader:
    """Read and check the header of a .mha or .mhd file.

    Raises:
        InputError: The header lacks or contradicts what a CT needs.
        DamagedHeader: It is not a MetaImage header.
    """
    fields, start = _fields(path)
    try:
        shape = [int(size) for size in fields["DimSize"].split()]
        width = BYTES[fields["ElementType"]]
        axes = int(fields["NDims"])
        channels = int(fields.get("ElementNumberOfChannels", "1"))
        skip = int(fields.get("HeaderSize", "0"))
        packed = int(fields.get("CompressedDataSize", "0"))
    except (KeyError, ValueError) as error:
        raise DamagedHeader(str(error)) from error
    if len(shape) != axes or min(shape) < 1 or channels < 1:
        raise DamagedHeader("impossible dimensions")
    if skip < -1:
        raise DamagedHeader("only -1 stands for voxels at the end of the file")
    if any(fields[name].lower() not in ("true", "false") for name in FLAGS if name in fields):
        raise DamagedHeader("neither true nor false")  # ITK looks at the first letter
    local = fields["ElementDataFile"].upper() == "LOCAL"
    compressed = fields.get("CompressedData", "False").lower() == "true"
    if local and (skip or (compressed and not packed)):
        raise DamagedHeader("ITK looks for the voxels elsewhere")
    spacing = _numbers(fields.get("ElementSpacing", fields.get("ElementSize", "")))
    if len(spacing) < axes:
        raise missing_spacing(path)
    if len(spacing) > axes:
        raise DamagedHeader("more spacings than axes")
    for names, count in ((POSITIONS, axes), (ORIENTATIONS, axes * axes)):
        for numbers in (_numbers(fields[name]) for name in names if name in fields):
            if len(numbers) != count:
                raise DamagedHeader("a position or orientation of another dimension")
            require_finite(path, numbers)
    require_finite(path, spacing)
    if fields.get("BinaryData", "True").lower() != "true":
        raise InputError(f'"{path.name}" stores its voxels as text, which is not supported. Save it again as .nrrd.')
    name = fields["ElementDataFile"]
    data = path if local else data_file_beside(path, name)
    size = math.prod(shape) * channels * width
    if data is path:
        offset = start
    elif skip < 0:  # the voxels are the last bytes of the file
        offset = max(0, data.stat().st_size - size)
    else:
        offset = skip
    return ImageHeader(
        data,
        offset,
        compressed,
        size,
        tuple(shape),
        tuple(spacing),
        tuple(next((_numbers(fields[key]) for key in POSITIONS if key in fields), ())) or None,
        compressed_size=packed if compressed and packed > 0 else None,
    )


def _fields(path: Path) -> tuple[dict[str, str], int]:
    """The fields of a header by their names, and where the header ends; its last field is ElementDataFile."""
    fields: dict[str, str] = {}
    with path.open("rb") as file:
        for _ in range(MOST_LINES):
            if not (line := file.readline(LONGEST_LINE)):
                break
            name, equals, value = (part.strip() for part in line.decode("utf-8", "surrogateescape").partition("="))
            if not equals or name in fields or not (name.isprintable() and is_plain(value)):
                raise DamagedHeader(f"{name} is not a field")  # ITK ends to read at some of these
            fields[name] = value
            if name == "ElementDataFile":
                _check_synonyms(fields)
                return fields, file.tell()
    raise DamagedHeader("the header does not name its data")


def _check_synonyms(fields: dict[str, str]) -> None:
    """Check that there is one position and one orientation: programs differ in which of several they read."""
    for names in (POSITIONS, ORIENTATIONS, BYTE_ORDERS):
        if len({fields[name] for name in names if name in fields}) > 1:
            raise DamagedHeader(f"two of {names}")
    if len({name.lower() for name in fields}) < len(fields):
        raise DamagedHeader("a field stands there twice")


def _numbers(text: str) -> list[float]:
    return [number_of(part) for part in text.split()]
