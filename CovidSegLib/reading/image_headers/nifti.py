"""Headers of NIfTI-1 files (https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h)."""

from __future__ import annotations

import gzip
import math
import os
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ...errors import InputError
from .header import DamagedHeader, ImageHeader, require_finite, require_spacing

GZIP_SIGNATURE = b"\x1f\x8b"
#: Bytes of a header, and of the header with the four bytes that mark extensions, before which no voxels can be.
HEADER_BYTES, FIRST_VOXEL = 348, 352
#: Bytes of the smallest extension, which states its length and its kind, and of all extensions that a CT could have.
EXTENSION_BYTES, MOST_EXTENSION_BYTES = 8, 1 << 24
#: Bits of a voxel by the code of its type: 8 to 64-bit integers, floats and RGB.
BITS = {2: 8, 4: 16, 8: 32, 16: 32, 64: 64, 128: 24, 256: 8, 512: 16, 768: 32, 1024: 64, 1280: 64, 2304: 32}
#: ITK ignores slopes that are smaller still; 0 means that there is none. Larger numbers are damage.
SLOPES = (1e-12, 1e12)
FLOATS = {16: "f4", 64: "f8"}
#: Squared length of a quaternion, which is 1 but for rounding.
LONGEST_QUATERNION = 1.001
NO_ORIENTATION = (
    "The file does not state the position and orientation of the patient. Right and left may be swapped: check them."
)


def read_nifti_header(path: Path) -> ImageHeader:
    """Read and check the header of a .nii or .nii.gz file.

    Raises:
        InputError: The header lacks or contradicts what a CT needs.
        DamagedHeader: It is not a NIfTI-1 header.
        EOFError, gzip.BadGzipFile, zlib.error: The compressed file is damaged.
    """
    with path.open("rb") as file:
        compressed = file.read(2) == GZIP_SIGNATURE
    if compressed and not path.name.lower().endswith(".gz"):
        raise InputError(f'"{path.name}" is compressed although its name says that it is not. Rename it to .nii.gz.')
    with gzip.open(path) if compressed else path.open("rb") as file:
        header = file.read(HEADER_BYTES)
        order = _byte_order(path, header)
        (offset,) = struct.unpack_from(order + "f", header, 108)
        if not (math.isfinite(offset) and offset >= FIRST_VOXEL):
            raise InputError(
                f'The header of "{path.name}" says that its voxels begin inside the header. Export the CT again.'
            )
        _check_extensions(path, file, order, int(offset))
    dimensions = struct.unpack_from(order + "8h", header, 40)
    axes = dimensions[0]
    if not 1 <= axes <= 7 or min(dimensions[1 : axes + 1]) < 1:
        raise DamagedHeader("impossible dimensions")
    datatype, bits = struct.unpack_from(order + "2h", header, 70)
    if BITS.get(datatype) != bits:
        raise InputError(
            f'The header of "{path.name}" gives its voxels an unknown type (code {datatype}, {bits} bits). Export the '
            "CT again."
        )
    spacing = struct.unpack_from(order + "8f", header, 76)
    require_spacing(path, spacing[1 : min(axes, 3) + 1])
    slope, intercept = struct.unpack_from(order + "2f", header, 112)
    # A slope of 0 stands for no rescaling at all, but ITK adds the intercept.
    valid = intercept == 0 if slope == 0 else SLOPES[0] <= abs(slope) <= SLOPES[1]
    if not valid or not abs(intercept) <= SLOPES[1]:  # also if NaN
        raise InputError(
            f'The rescaling to HU in "{path.name}" (slope {slope:g}, intercept {intercept:g}) cannot be right. '
            "Export the CT again."
        )
    origin, axes_lps = _sform(header, order, min(axes, 3))
    voxels = math.prod(dimensions[1 : axes + 1])
    return ImageHeader(
        path,
        int(offset),
        compressed,
        voxels * bits // 8,
        dimensions[1 : axes + 1],
        spacing[1 : axes + 1],
        origin=origin,
        axes=axes_lps,
        float_type=np.dtype(order + FLOATS[datatype]) if datatype in FLOATS else None,
        may_be_longer=True,
        # ITK rescales to 4 or 8-byte floats.
        decoded_size=None if slope in (0, 1) and intercept == 0 else voxels * (4 if bits <= 16 else 8),
        packed_header=compressed,
        warnings=_orientation_warnings(path, header, order, spacing[1 : min(axes, 3) + 1]),
    )


def _byte_order(path: Path, header: bytes) -> str:
    if len(header) < HEADER_BYTES:
        raise DamagedHeader("the header is incomplete")
    for order in "<>":
        (size,) = struct.unpack_from(order + "i", header)
        if size == 540:
            raise InputError(f'"{path.name}" is a NIfTI-2 file, which cannot be read. Save it as NIfTI-1 or NRRD.')
        if size == HEADER_BYTES and header[344:348] == b"n+1\0":
            return order
    raise DamagedHeader("no NIfTI-1 signature")


def _check_extensions(path: Path, file: BinaryIO | gzip.GzipFile, order: str, offset: int) -> None:
    """Check that header extensions end before the voxels. The file is at the end of the header.

    Raises:
        InputError: One reaches into the voxels, so that one of both is in the wrong place.
        DamagedHeader: They are longer than any.
    """
    position = FIRST_VOXEL
    if file.read(FIRST_VOXEL - HEADER_BYTES)[:1] in (b"", b"\0"):
        return
    if offset > MOST_EXTENSION_BYTES:
        raise DamagedHeader("the voxels are too far from the header")
    while position + EXTENSION_BYTES <= offset and len(start := file.read(EXTENSION_BYTES)) == EXTENSION_BYTES:
        (length,) = struct.unpack_from(order + "i", start)
        position += length
        if length < EXTENSION_BYTES or position > offset:
            raise InputError(
                f'The header of "{path.name}" contradicts itself about where its voxels begin. Export the CT again.'
            )
        file.seek(length - EXTENSION_BYTES, os.SEEK_CUR)


def _sform(header: bytes, order: str, axes: int) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """LPS position of the first voxel, and vectors of the axes, if the header gives them as a matrix.

    ITK silently prefers the quaternion, which may say otherwise, if the axes of the matrix are not at right angles.
    """
    if struct.unpack_from(order + "h", header, 254)[0] <= 0 or axes < 3:
        return None, None
    matrix = np.reshape(struct.unpack_from(order + "12f", header, 280), (3, 4)) * [[-1.0], [-1.0], [1.0]]
    return tuple(map(float, matrix[:, 3])), tuple(map(float, matrix[:, :3].T.ravel()))


def _orientation_warnings(path: Path, header: bytes, order: str, spacing: tuple[float, ...]) -> tuple[str, ...]:
    """Check the transforms that the header gives, and warn if it gives none."""
    qform, sform = struct.unpack_from(order + "2h", header, 252)
    quaternion = struct.unpack_from(order + "6f", header, 256)
    rows = struct.unpack_from(order + "12f", header, 280)
    if qform > 0:
        require_finite(path, quaternion)
        if (
            sum(value * value for value in quaternion[:3]) > LONGEST_QUATERNION
        ):  # a rotation of some length is made of it
            raise InputError(f'The orientation in the header of "{path.name}" is not valid. Export the CT again.')
    if sform > 0:
        require_finite(path, rows)
        # ITK takes the lengths of the rows and ignores a different spacing.
        lengths = [math.hypot(*rows[axis::4]) for axis in range(len(spacing))]
        if any(not math.isclose(a, b, rel_tol=1e-3) for a, b in zip(lengths, spacing, strict=True)):
            one, other = (" × ".join(f"{value:.4g}" for value in values) for values in (spacing, lengths))
            raise InputError(
                f'"{path.name}" states two different voxel sizes ({one} mm and {other} mm). Export the CT again.'
            )
    return () if qform > 0 or sform > 0 else (NO_ORIENTATION,)
