"""Read a CT from a NIfTI, NRRD or MetaImage file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import SimpleITK as sitk

from ..checks import check_geometry
from ..errors import InputError
from ..volume import Grid, Volume
from .integrity import check_file

#: File name ending: kind of file, the part of ITK that reads it.
FILE_KINDS = {
    ".nii": ("NIfTI", "NiftiImageIO"),
    ".nii.gz": ("NIfTI", "NiftiImageIO"),
    ".nrrd": ("NRRD", "NrrdImageIO"),
    ".nhdr": ("NRRD", "NrrdImageIO"),
    ".mha": ("MetaImage", "MetaImageIO"),
    ".mhd": ("MetaImage", "MetaImageIO"),
}


def read_image_file(path: Path, kind: str, image_io: str) -> Volume:
    check_file(path, kind)
    reader = sitk.ImageFileReader()
    reader.SetImageIO(image_io)
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        _check_header(path, reader)
        return Volume.of_image(reader.Execute(), source={"format": kind})
    except RuntimeError as error:
        if "orthonormal" in str(error):
            raise InputError(
                f'The axes of "{path.name}" are not at right angles (sheared), which cannot be segmented: '
                "resample the CT to a straight grid, for example by saving it from 3D Slicer."
            ) from None
        if "allocate memory" in str(error):
            raise MemoryError from None
        raise InputError(f'The file "{path.name}" is damaged or not a {kind} file: copy or export it again.') from None


def _check_header(path: Path, reader: sitk.ImageFileReader) -> None:
    if reader.GetNumberOfComponents() > 1:
        raise InputError(
            f'"{path.name}" holds {reader.GetNumberOfComponents()} values in each voxel (colour or vectors) '
            "where a CT holds one: give the CT itself."
        )
    if reader.GetDimension() > 3:
        raise InputError(
            f'"{path.name}" holds {reader.GetSize()[3]} images one after the other (4D): give one of them as a 3D file.'
        )
    if reader.GetDimension() < 3:
        raise InputError(f'"{path.name}" is a single slice and a chest CT is needed: give the complete series.')
    width, height, depth = reader.GetSize()
    check_geometry(Grid((depth, height, width), reader.GetSpacing(), reader.GetOrigin(), reader.GetDirection()))


@contextmanager
def quiet_itk() -> Iterator[None]:
    """Keeps ITK's remarks off the terminal; what matters in them is checked here and said in plain words."""
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)
