"""Writes images and surfaces, and verifies that they are complete on disk.

When the disk is full, SimpleITK and VTK can write truncated files without reporting an error.
"""

from __future__ import annotations

import errno
from pathlib import Path

import SimpleITK as sitk
from vtkmodules.vtkCommonCore import vtkStringArray
from vtkmodules.vtkCommonDataModel import vtkPolyData
from vtkmodules.vtkCommonMisc import vtkErrorCode
from vtkmodules.vtkIOXML import vtkXMLPolyDataWriter

from ..errors import InputError
from ..reading.image_file import check_image_file
from ..reading.private_folder import portable_name

INCOMPLETE = "not written completely"


def write_image(path: Path, image: sitk.Image) -> None:
    """Write an image with fast, light compression, which is enough for label maps.

    Args:
        path: File to write, ending in `.nii.gz` or `.nrrd`.
        image: Three-dimensional image with one or more components for each voxel.

    Raises:
        OSError: The file could not be written completely.
    """
    writer = sitk.ImageFileWriter()
    writer.UseCompressionOn()
    writer.SetCompressionLevel(1)
    try:
        with portable_name(path) as file:
            writer.SetFileName(str(file))
            writer.Execute(image)
        check_image_file(path)
    except (RuntimeError, InputError) as error:
        # SimpleITK does not report the reason. The folder is writable, so the disk must be full.
        raise OSError(errno.ENOSPC, INCOMPLETE, str(path)) from error


def write_surface(path: Path, surface: vtkPolyData) -> None:
    """Write a surface in LPS millimetres as `.vtp`, with the coordinate system in the form that Slicer reads.

    Args:
        path: File to write, ending in `.vtp`.
        surface: The surface. It is not changed.

    Raises:
        OSError: The file could not be written completely.
    """
    space = vtkStringArray()
    space.SetName("SPACE")
    space.InsertNextValue("LPS")
    written = vtkPolyData()
    written.ShallowCopy(surface)
    written.GetFieldData().AddArray(space)
    writer = vtkXMLPolyDataWriter()
    writer.SetInputData(written)
    writer.EncodeAppendedDataOff()
    writer.SetCompressionLevel(1)
    with portable_name(path) as file:
        writer.SetFileName(str(file))
        succeeded = writer.Write()
    code = writer.GetErrorCode()
    # Codes below VTK's first own code are errno values.
    if 0 < code < vtkErrorCode.FirstVTKErrorCode:
        raise OSError(code, vtkErrorCode.GetStringFromErrorCode(code), str(path))
    if code or not succeeded:
        raise OSError(errno.ENOSPC, INCOMPLETE, str(path))
