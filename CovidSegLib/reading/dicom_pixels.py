"""Read the pixels of DICOM slices as Hounsfield units."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from ..errors import InputError
from ..volume import Grid
from .dicom_header import SliceHeader
from .hounsfield import as_hounsfield
from .native_output import captured_native_output
from .private_folder import is_portable, link_or_copy, private_folder

#: Compressed transfer syntaxes that GDCM decodes.
_DECODED = (
    DeflatedExplicitVRLittleEndian,
    RLELossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    JPEG2000Lossless,
    JPEG2000,
)


#: What the JPEG decoders inside GDCM print about damaged data, before they return what they could make of it.
_CORRUPT = re.compile(r"corrupt|premature end", re.IGNORECASE)


def read_pixels(grid: Grid, slices: Sequence[SliceHeader], transfer_syntax: UID) -> np.ndarray:
    """Read the Hounsfield units of slices.

    Args:
        grid: The grid that the slices form.
        slices: The slices in the order of the grid's z axis.
        transfer_syntax: The encoding of the files.

    Returns:
        int16 HU, or float32 if a rescale slope or intercept is not a whole number, with shape (z, y, x). No value is
        below `volume.AIR_HU`.

    Raises:
        InputError: The compression is not supported, the pixels are damaged, or the frames of a file have different
            rescaling.
    """
    if transfer_syntax.is_compressed and transfer_syntax not in _DECODED:
        raise InputError(
            f"The series is stored with a compression that is not supported ({transfer_syntax.name}). "
            "Export it uncompressed."
        )
    whole = all(float(value).is_integer() for item in slices for value in item.rescale or ())
    array = np.empty(grid.shape, np.int16 if whole else np.float32)
    indices_by_file: dict[Path, list[int]] = {}
    for index, item in enumerate(slices):
        indices_by_file.setdefault(item.path, []).append(index)
    for path, indices in indices_by_file.items():
        if len({slices[index].rescale for index in indices}) > 1:
            raise InputError(
                f'The frames of "{path.name}" have different rescaling to HU, which cannot be read. '
                "Export the CT with one file per slice."
            )
        frames = _read_frames(path, inverted=slices[indices[0]].inverted)
        if frames.shape != (len(indices), *grid.shape[1:]):
            raise _damaged(path)
        for index in indices:
            array[index] = as_hounsfield(frames[slices[index].frame])
    return array


def _read_frames(path: Path, *, inverted: bool) -> np.ndarray:
    """Return the frames of a file in the order in which they are stored, (frame, y, x), rescaled to HU."""
    if not inverted and is_portable(path):
        return _decode(path, path)
    with private_folder() as folder:
        file = folder / "slice.dcm"
        if inverted:
            _write_not_inverted(path, file)
        else:
            link_or_copy(path, file)
        return _decode(file, path)


def _write_not_inverted(path: Path, copy: Path) -> None:
    """Copy a file, but not its wish to be displayed with low values bright, by which GDCM would invert the values."""
    data = pydicom.dcmread(path, force=True)
    data.PhotometricInterpretation = "MONOCHROME2"
    data.save_as(copy)


def _decode(file: Path, original: Path) -> np.ndarray:
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(file))
    try:
        with captured_native_output() as output:
            frames = sitk.GetArrayFromImage(reader.Execute())
    except RuntimeError:
        raise _damaged(original) from None
    if _CORRUPT.search(output.text):
        raise _damaged(original)
    return frames


def _damaged(path: Path) -> InputError:
    return InputError(f'The pixels of "{path.name}" are damaged or incomplete. Copy or export the series again.')
