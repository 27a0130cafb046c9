"""Writes images and surfaces, and makes sure that they are whole on disk.

SimpleITK writes a truncated NIfTI file and VTK a truncated surface when the disk is full, without a word; so what was
written is looked at afterwards.
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
from ..reading.integrity import check_file


def write_image(path: Path, image: sitk.Image) -> None:
    """Write an image compressed, as lightly as there is: label maps are small anyway.

    Args:
        path: The file to write, ending in `.nii.gz` or `.nrrd`.
        image: Three-dimensional, one or more components a voxel.

    Raises:
        OSError: The file could not be written whole.
    """
    writer = sitk.ImageFileWriter()
    writer.SetFileName(str(path))
    writer.UseCompressionOn()
    writer.SetCompressionLevel(1)
    try:
        writer.Execute(image)
        check_file(path, "NIfTI" if path.name.endswith(".nii.gz") else "NRRD")
    except (RuntimeError, InputError) as error:
        # SimpleITK does not say why; the folder was writable and the path fine, so a full disk is what is left.
        raise OSError(errno.ENOSPC, "not written whole", str(path)) from error


def write_surface(path: Path, surface: vtkPolyData) -> None:
    """Write a surface in LPS millimetres as `.vtp`, which says so in the way that Slicer reads it.

    Raises:
        OSError: The file could not be written whole.
    """
    space = vtkStringArray()
    space.SetName("SPACE")
    space.InsertNextValue("LPS")
    written = vtkPolyData()
    written.ShallowCopy(surface)
    written.GetFieldData().AddArray(space)
    writer = vtkXMLPolyDataWriter()
    writer.SetFileName(str(path))
    writer.SetInputData(written)
    writer.EncodeAppendedDataOff()
    writer.SetCompressionLevel(1)
    succeeded = writer.Write()
    code = writer.GetErrorCode()
    # Codes below VTK's own are the operating system's.
    if 0 < code < vtkErrorCode.FirstVTKErrorCode:
        raise OSError(code, vtkErrorCode.GetStringFromErrorCode(code), str(path))
    if code or not succeeded:
        raise OSError(errno.ENOSPC, "not written whole", str(path))
