"""Read a CT from a NIfTI, NRRD or MetaImage file."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import SimpleITK as sitk

from ..checks import check_geometry, check_size
from ..errors import InputError
from ..volume import Grid, GridSpacing, Volume
from .image_headers import (
    DamagedHeader,
    ImageHeader,
    read_metaimage_header,
    read_nifti_header,
    read_nrrd_header,
)
from .native_output import captured_native_output
from .private_folder import link_or_copy, private_folder
from .voxel_data import check_voxel_data

#: Rounding of numbers in headers.
SAME_MM = 1e-3


class FileKind(NamedTuple):
    """A kind of image file.

    Attributes:
        name: Its name, as in messages and in `Volume.source`.
        image_io: The ITK class that reads it.
        read_header: Reads and checks its header.
    """

    name: str
    image_io: str
    read_header: Callable[[Path], ImageHeader]


NIFTI = FileKind("NIfTI", "NiftiImageIO", read_nifti_header)
NRRD = FileKind("NRRD", "NrrdImageIO", read_nrrd_header)
META_IMAGE = FileKind("MetaImage", "MetaImageIO", read_metaimage_header)
#: Kinds of image files by file name extension in lower case.
FILE_KINDS = {
    ".nii": NIFTI,
    ".nii.gz": NIFTI,
    ".nrrd": NRRD,
    ".nhdr": NRRD,
    ".mha": META_IMAGE,
    ".mhd": META_IMAGE,
}


def image_extension(path: Path) -> str | None:
    """Return the extension of an image file, one of `FILE_KINDS`, or None for any other file."""
    name = path.name.lower()
    return next((extension for extension in FILE_KINDS if name.endswith(extension)), None)


def read_image_file(path: Path, convert: Callable[[np.ndarray], np.ndarray] = np.copy) -> Volume:
    """Read a three-dimensional image with one value per voxel.

    Args:
        path: A file with one of the extensions in `FILE_KINDS`.
        convert: Returns a new array of the stored values, without which two copies of them would be in memory.

    Returns:
        The stored values, with the file's own scaling applied and converted, (z, y, x), on the grid that the file
        states.

    Raises:
        InputError: The file is damaged or incomplete, its header lacks or contradicts what a CT needs, or it is not a
            three-dimensional image on a rectangular grid.
        OSError: The file cannot be opened.
        MemoryError: The image does not fit into memory.
    """
    kind, header = _kind(path), check_image_file(path)
    with _itk_reader(path, header) as reader:
        reader.ReadImageInformation()
        _check_dimensions(path, reader)
        _check_agreement(path, reader, header)
        image = reader.Execute()
        array = convert(sitk.GetArrayViewFromImage(image))  # the view must not outlive the image
        return Volume(array, Grid.of_image(image), {"format": kind.name}, header.warnings)


def read_stored_image(path: Path) -> sitk.Image:
    """Read an image of any dimension with its stored values.

    Raises:
        InputError, OSError, MemoryError: See `read_image_file`.
    """
    with _itk_reader(path, check_image_file(path)) as reader:
        return reader.Execute()


def check_image_file(path: Path) -> ImageHeader:
    """Check the header of an image file, and that all of its voxels are there.

    Returns:
        What the header says about the voxels.

    Raises:
        InputError: The file is damaged or incomplete, or its header lacks or contradicts what a CT needs.
        OSError: The file cannot be opened.
    """
    kind = _kind(path)
    if path.stat().st_size == 0:
        raise InputError(f'The file "{path.name}" is empty (0 bytes). Copy or export it again.')
    try:
        header = kind.read_header(path)
        size = max(header.size, header.decoded_size or 0)
        check_size(header.shape[::-1], -(-size // math.prod(header.shape)))
        check_voxel_data(path, header)
    except EOFError:
        raise InputError(
            f'The file "{path.name}" is incomplete: its end is missing. Copy or export it again.'
        ) from None
    except (DamagedHeader, gzip.BadGzipFile, zlib.error, struct.error):
        raise _damaged(path, kind) from None
    return header


def _kind(path: Path) -> FileKind:
    extension = image_extension(path)
    if extension is None:
        raise ValueError(f"{path.name} is not an image file")
    return FILE_KINDS[extension]


@contextmanager
def _itk_reader(path: Path, header: ImageHeader) -> Iterator[sitk.ImageFileReader]:
    """ITK's reader for exactly one file, under a plain name in a folder that holds no other image."""
    kind = _kind(path)
    with private_folder() as folder:
        file = link_or_copy(path, folder / f"image{image_extension(path)}")
        if header.data != path:
            link_or_copy(header.data, folder / header.data.relative_to(path.parent))
        reader = sitk.ImageFileReader()
        reader.SetImageIO(kind.image_io)
        reader.SetFileName(str(file))
        try:
            with captured_native_output():
                yield reader
        except RuntimeError as error:
            if "orthonormal" in str(error):
                raise InputError(
                    f'The axes of "{path.name}" are not at right angles (sheared), which is not supported. '
                    "Resample the CT to a straight grid, for example by saving it from 3D Slicer."
                ) from None
            if "allocate memory" in str(error):
                raise MemoryError from None
            raise _damaged(path, kind) from None


def _damaged(path: Path, kind: FileKind) -> InputError:
    return InputError(f'The file "{path.name}" is damaged or not a {kind.name} file. Copy or export it again.')


def _check_dimensions(path: Path, reader: sitk.ImageFileReader) -> None:
    if reader.GetNumberOfComponents() > 1:
        raise InputError(
            f'"{path.name}" contains {reader.GetNumberOfComponents()} values per voxel (colour or vectors), '
            "but a CT has one. Select the CT itself."
        )
    if reader.GetDimension() > 3:
        raise InputError(
            f'"{path.name}" contains a sequence of {reader.GetSize()[3]} images (4D). '
            "Save one of them as a 3D file and select that."
        )
    if reader.GetDimension() < 3:
        raise InputError(f'"{path.name}" is a single slice, but a chest CT is needed. Select the complete series.')
    width, height, depth = reader.GetSize()
    spacing = GridSpacing(*reader.GetSpacing())
    check_geometry(Grid((depth, height, width), spacing, reader.GetOrigin(), reader.GetDirection()))


def _check_agreement(path: Path, reader: sitk.ImageFileReader, header: ImageHeader) -> None:
    """Check that ITK understands the header as this package does. ITK ends to read some damaged headers half way.

    Raises:
        InputError: The size, the voxel size, the position or the orientation differ.
    """
    size, shape = reader.GetSize(), header.shape
    while len(shape) > len(size) and shape[-1] == 1:
        shape = shape[:-1]
    axes = (np.reshape(reader.GetDirection(), (len(size), -1)) * reader.GetSpacing()).T.ravel()
    pairs = [
        (reader.GetSpacing(), header.spacing[: len(size)]),
        (reader.GetOrigin(), header.origin),
        (axes, header.axes),
    ]
    if size != shape or not all(stated is None or _same(read, stated) for read, stated in pairs):
        raise InputError(
            f'The header of "{path.name}" is damaged, or states the size, position or orientation in two different '
            "ways. Export the CT again."
        )


def _same(read: Sequence[float], stated: Sequence[float]) -> bool:
    return len(read) == len(stated) and np.allclose(read, stated, rtol=1e-3, atol=SAME_MM)


@contextmanager
def quiet_itk() -> Iterator[None]:
    """Keep ITK's warnings off the terminal. Those that matter are detected and explained by this package."""
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)
