"""The pixels of DICOM slices, as Hounsfield units."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
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
from .dicom_header import Slice
from .hounsfield import as_hounsfield

#: What GDCM decodes of compressed pixels.
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


def read_pixels(grid: Grid, slices: Sequence[Slice], transfer_syntax: UID) -> np.ndarray:
    """Reads the Hounsfield units of slices.

    Args:
        grid: The grid that the slices form.
        slices: In the order of the grid's z axis.
        transfer_syntax: How the files store their pixels.

    Returns:
        int16, or float32 where a rescale slope or intercept is not a whole number, (z, y, x), -1024 at least.

    Raises:
        InputError: A compression that cannot be decoded, damaged pixels, frames with different rescaling in a file.
    """
    if transfer_syntax.is_compressed and transfer_syntax not in _DECODED:
        raise InputError(
            f"The series is stored with a compression that is not known here ({transfer_syntax.name}): "
            "export it uncompressed."
        )
    whole = all(float(value).is_integer() for item in slices for value in item.rescale or ())
    array = np.empty(grid.shape, np.int16 if whole else np.float32)
    places: dict[Path, list[int]] = {}
    for place, item in enumerate(slices):
        places.setdefault(item.path, []).append(place)
    for path, own in places.items():
        if len({slices[place].rescale for place in own}) > 1:
            raise InputError(
                f'The frames of "{path.name}" have different rescaling to HU, which cannot be read: '
                "export the CT with one file a slice."
            )
        frames = _read_frames(path)
        if frames.shape != (len(own), *grid.shape[1:]):
            raise _damaged(path)
        for place in own:
            array[place] = as_hounsfield(frames[slices[place].frame])
    return array


def _read_frames(path: Path) -> np.ndarray:
    """The frames of a file in the order they are stored in, (frame, y, x), rescaled to HU as its header says."""
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    try:
        return sitk.GetArrayFromImage(reader.Execute())
    except RuntimeError:
        raise _damaged(path) from None


def _damaged(path: Path) -> InputError:
    return InputError(f'The pixels of "{path.name}" are damaged or incomplete: copy or export the series again.')
