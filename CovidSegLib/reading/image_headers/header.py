"""What a header says about where the voxels of an image are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import InputError
from ...printable import printable


class DamagedHeader(ValueError):
    """The bytes are not a valid header of their format."""


@dataclass(frozen=True)
class ImageHeader:
    """Where the voxels of an image are and how many bytes they take.

    Attributes:
        data: The file that holds the voxels: the image file itself, or the data file that its header names.
        offset: Bytes before the voxels; before their compressed stream if `compressed` and the header is not inside it.
        compressed: Whether the voxels are in a gzip or zlib stream.
        size: Bytes of all voxels, not compressed.
        float_type: Type of the voxels if they are floating-point numbers whose values must be checked for NaN.
        compressed_size: Bytes of the compressed stream, if the header states them.
        may_be_longer: Whether other data may follow the voxels.
        decoded_size: Bytes of all voxels as ITK holds them, if more than `size`.
        packed_header: Whether the header is in the compressed stream too, so that `offset` counts uncompressed bytes.
        shape: Size of each axis as the header states it, the fastest first.
        spacing: Voxel size in mm along each axis.
        origin: LPS position of the first voxel in mm, or None if the format states it in more than one way.
        axes: LPS vectors in mm from a voxel to the next along each axis, one after the other, if they must be compared.
        warnings: Sentences for the user.
    """

    data: Path
    offset: int
    compressed: bool
    size: int
    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    origin: tuple[float, ...] | None = None
    axes: tuple[float, ...] | None = None
    float_type: np.dtype | None = None
    compressed_size: int | None = None
    may_be_longer: bool = False
    decoded_size: int | None = None
    packed_header: bool = False
    warnings: tuple[str, ...] = ()


def require_spacing(path: Path, spacing: Sequence[float]) -> None:
    """Check that a header states a voxel size.

    Raises:
        InputError: A spacing is missing, not a number, zero or negative.
    """
    if len(spacing) and all(math.isfinite(value) and value > 0 for value in spacing):
        return
    text = " × ".join(f"{value:.4g}" for value in spacing)
    raise InputError(f'The voxel size of {text} mm in "{path.name}" cannot be right. Export the CT again.')


def number_of(text: str) -> float:
    """Return the number that a header states. Python would also accept 1_000 and digits of other scripts.

    Raises:
        DamagedHeader: It is not a number.
    """
    try:
        if "_" in text or not text.isascii():
            raise ValueError(text)
        return float(text)
    except ValueError as error:
        raise DamagedHeader(f"{text} is not a number") from error


def is_plain(value: str) -> bool:
    """Whether a value has no control characters. Names of files may be in an old encoding."""
    return all(character.isprintable() or "\udc80" <= character <= "\udcff" or character == "\t" for character in value)


def shown(text: str) -> str:
    """A part of a header as it may be shown in a message: short, without control characters."""
    return "".join(filter(str.isprintable, text))[:40]


def missing_spacing(path: Path) -> InputError:
    """The error for a header that does not state the voxel size."""
    return InputError(
        f'"{path.name}" does not state the size of its voxels, so volumes cannot be measured. Export the CT again from '
        "the original."
    )


def require_finite(path: Path, numbers: Sequence[float]) -> None:
    """Check the position and orientation in a header.

    Raises:
        InputError: One of the numbers is NaN or infinite.
    """
    if not all(math.isfinite(value) for value in numbers):
        raise InputError(
            f'The position or orientation in the header of "{path.name}" is not a number (NaN or infinite). Export the '
            "CT again."
        )


def data_file_beside(header: Path, name: str) -> Path:
    """The data file that a detached header names.

    Args:
        header: The header file.
        name: What it names.

    Raises:
        InputError: The file does not exist, or the header names a list or pattern of files, or a file outside its own
            folder.
    """
    if "%" in name or name.upper().startswith("LIST"):
        raise InputError(
            f'The header "{header.name}" names a list or pattern of data files, which is not supported. Save the image '
            "as one file, for example as .nrrd."
        )
    if "\0" in name:
        raise DamagedHeader("the name of the data file is not a name")
    data = header.parent / name
    if not data.resolve().is_relative_to(header.parent.resolve()):
        raise InputError(
            f'The header "{header.name}" names a data file outside its own folder. Keep both files in one folder and '
            "correct the name in the header."
        )
    if not data.is_file():
        raise InputError(
            f'The data file "{printable(Path(name).name)}" that belongs to "{header.name}" is missing. '
            "Keep both files in one folder."
        )
    return data
