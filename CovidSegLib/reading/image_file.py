"""Read a CT from a NIfTI, NRRD or MetaImage file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import SimpleITK as sitk

from ..checks import check_geometry
from ..errors import InputError
from ..volume import Grid, Volume
from .integrity import check_file


class FileKind(NamedTuple):
    """A kind of image file.

    Attributes:
        name: Its name, as in messages and in `Volume.source`.
        image_io: The ITK class that reads it.
    """

    name: str
    image_io: str


NIFTI = FileKind("NIfTI", "NiftiImageIO")
NRRD = FileKind("NRRD", "NrrdImageIO")
META_IMAGE = FileKind("MetaImage", "MetaImageIO")
#: Kinds of image files by file name extension in lower case.
FILE_KINDS = {
    ".nii": NIFTI,
    ".nii.gz": NIFTI,
    ".nrrd": NRRD,
    ".nhdr": NRRD,
    ".mha": META_IMAGE,
    ".mhd": META_IMAGE,
}


def read_image_file(path: Path, kind: FileKind) -> Volume:
    """Read a three-dimensional image with one value per voxel.

    Returns:
        The stored values with the file's own scaling applied (z, y, x), on the grid that the file states.

    Raises:
        InputError: The file is damaged, incomplete, or not a three-dimensional image on a rectangular grid.
        OSError: The file cannot be opened.
        MemoryError: The image does not fit into memory.
    """
    check_file(path, kind.name)
    reader = sitk.ImageFileReader()
    reader.SetImageIO(kind.image_io)
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        _check_header(path, reader)
        return Volume.of_image(reader.Execute(), source={"format": kind.name})
    except RuntimeError as error:
        if "orthonormal" in str(error):
            raise InputError(
                f'The axes of "{path.name}" are not at right angles (sheared), which is not supported. '
                "Resample the CT to a straight grid, for example by saving it from 3D Slicer."
            ) from None
        if "allocate memory" in str(error):
            raise MemoryError from None
        raise InputError(
            f'The file "{path.name}" is damaged or not a {kind.name} file. Copy or export it again.'
        ) from None


def _check_header(path: Path, reader: sitk.ImageFileReader) -> None:
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
    check_geometry(Grid((depth, height, width), reader.GetSpacing(), reader.GetOrigin(), reader.GetDirection()))


@contextmanager
def quiet_itk() -> Iterator[None]:
    """Keep ITK's warnings off the terminal. Those that matter are detected and explained by this package."""
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)
