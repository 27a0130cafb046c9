"""Headers of NRRD files, attached (.nrrd) and detached (.nhdr) (https://teem.sourceforge.net/nrrd/format.html)."""

from __future__ import annotations

import math
import re
from pathlib import Path

from ...errors import InputError
from .header import (
    DamagedHeader,
    ImageHeader,
    data_file_beside,
    is_plain,
    missing_spacing,
    number_of,
    require_finite,
    shown,
)

#: A header of a segmentation with hundreds of segments has some thousand lines; ITK needs minutes for 100,000.
MOST_LINES, LONGEST_LINE = 10_000, 1 << 16
BYTES = {
    **dict.fromkeys(("signed char", "int8", "int8_t", "uchar", "unsigned char", "uint8", "uint8_t"), 1),
    **dict.fromkeys(("short", "short int", "signed short", "signed short int", "int16", "int16_t"), 2),
    **dict.fromkeys(("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), 2),
    **dict.fromkeys(
        ("int", "signed int", "int32", "int32_t", "uint", "unsigned int", "uint32", "uint32_t", "float"), 4
    ),
    **dict.fromkeys(("longlong", "long long", "long long int", "signed long long", "signed long long int"), 8),
    **dict.fromkeys(("int64", "int64_t", "ulonglong", "unsigned long long", "unsigned long long int"), 8),
    **dict.fromkeys(("uint64", "uint64_t", "double"), 8),
}
#: Signs that turn coordinates of a space into LPS.
SPACES = {
    **dict.fromkeys(("left-posterior-superior", "lps"), (1, 1, 1)),
    **dict.fromkeys(("right-anterior-superior", "ras"), (-1, -1, 1)),
    **dict.fromkeys(("left-anterior-superior", "las"), (1, -1, 1)),
}
_VECTOR = re.compile(r"none|\([^()]*\)", re.IGNORECASE)


def read_nrrd_header(path: Path) -> ImageHeader:
    """Read and check the header of a .nrrd or .nhdr file.

    Raises:
        InputError: The header lacks or contradicts what a CT needs.
        DamagedHeader: It is not a NRRD header.
    """
    fields, start = _fields(path)
    try:
        sizes = [int(size) for size in fields["sizes"].split()]
        width = BYTES[fields["type"].lower()]
        encoding = fields["encoding"].lower()
        dimension = int(fields["dimension"])
        byte_skip = int(fields.get("byte skip", fields.get("byteskip", "0")))
    except (KeyError, ValueError) as error:
        raise DamagedHeader(str(error)) from error
    if len(sizes) != dimension or min(sizes) < 1:
        raise DamagedHeader("impossible sizes")
    if byte_skip < -1:
        raise DamagedHeader("only -1 stands for voxels at the end of the file")
    spacing, origin = _geometry(path, fields, dimension)
    if fields.get("line skip", fields.get("lineskip", "0")) != "0" or encoding not in ("raw", "gzip", "gz"):
        raise InputError(
            f'"{path.name}" stores its voxels in a way that is not supported ({shown(encoding)}). '
            "Save it again from 3D Slicer."
        )
    name = fields.get("data file", fields.get("datafile"))
    data = path if name is None else data_file_beside(path, name)
    size = math.prod(sizes) * width
    if name is None:
        offset = start
    elif byte_skip < 0:  # the voxels are the last bytes of the file
        offset = max(0, data.stat().st_size - size)
    else:
        offset = byte_skip
    return ImageHeader(data, offset, encoding != "raw", size, tuple(sizes), spacing, origin)


def _fields(path: Path) -> tuple[dict[str, str], int]:
    """The fields of a header by their names in lower case, and where the header ends."""
    fields: dict[str, str] = {}
    with path.open("rb") as file:
        if not file.readline(16).startswith(b"NRRD000"):
            raise DamagedHeader("no NRRD signature")
        for _ in range(MOST_LINES):
            line = file.readline(LONGEST_LINE)
            if not line.strip():
                return fields, file.tell()
            if line.startswith(b"#") or b":=" in line.partition(b": ")[0]:  # a comment, or a key with a value
                continue
            name, colon, value = (part.strip() for part in line.decode("utf-8", "surrogateescape").partition(":"))
            if not colon or name.lower() in fields or not is_plain(value):
                raise DamagedHeader(f"{name} is not a field, or stated twice")
            fields[name.lower()] = value
    raise InputError(f'The header of "{path.name}" is longer than any CT\'s. Check that it is the right file.')


def _geometry(path: Path, fields: dict[str, str], dimension: int) -> tuple[tuple[float, ...], tuple[float, ...] | None]:
    """Spacing and LPS origin. Three axes must have a direction and length, or at least a spacing."""
    directions = _VECTOR.findall(fields.get("space directions", ""))
    vectors = [_numbers(text) for text in directions if text.lower() != "none"]
    spacings = [value for text in fields.get("spacings", "").split() if math.isfinite(value := number_of(text))]
    if len(vectors if directions else spacings) < min(3, dimension):
        raise missing_spacing(path)
    position = _numbers(fields.get("space origin", ""))
    require_finite(path, [*(value for vector in vectors for value in vector), *position])
    signs = SPACES.get(fields.get("space", "").lower())
    origin = tuple(sign * value for sign, value in zip(signs, position, strict=False)) if signs and position else None
    return tuple(math.hypot(*vector) for vector in vectors) if directions else tuple(spacings), origin


def _numbers(vector: str) -> list[float]:
    return [number_of(text) for text in vector.strip("() ").split(",") if text.strip()]
