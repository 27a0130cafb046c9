"""Read the pixels of DICOM slices as Hounsfield units."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.uid import (
    JPEG2000,
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

from ..checks import check_size
from ..errors import InputError
from ..processors import processors
from ..volume import Grid
from .dicom_header import SliceHeader
from .dicom_streams import streams_are_complete
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
#: More threads would wait for each other, because some of the work on a file is done in Python.
MOST_THREADS = 8
#: What the JPEG decoders inside GDCM print about damaged data, before they return what they could make of it.
_CORRUPT = re.compile(r"corrupt|premature end", re.IGNORECASE)


def read_pixels(grid: Grid, slices: Sequence[SliceHeader]) -> np.ndarray:
    """Read the Hounsfield units of slices.

    Args:
        grid: The grid that the slices form.
        slices: The slices in the order of the grid's z axis.

    Returns:
        int16 HU, or float32 if a rescale slope or intercept is not a whole number, with shape (z, y, x). No value is
        below `volume.AIR_HU`.

    Raises:
        InputError: The compression is not supported, the pixels are damaged, or the frames of a file have different
            rescaling.
    """
    for syntax in {item.transfer_syntax for item in slices}:
        if syntax.is_compressed and syntax not in _DECODED:
            raise InputError(
                f"The series is stored with a compression that is not supported ({syntax.name}). "
                "Export it uncompressed."
            )
    whole = all(float(value).is_integer() for item in slices for value in item.rescale or ())
    dtype = np.dtype(np.int16 if whole else np.float32)
    check_size(grid.shape, dtype.itemsize)
    array = np.empty(grid.shape, dtype)
    indices_by_file: dict[Path, list[int]] = {}
    for index, item in enumerate(slices):
        indices_by_file.setdefault(item.path, []).append(index)
    files = [_File(path, [(index, slices[index]) for index in indices]) for path, indices in indices_by_file.items()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of every irregular but harmless value
        with captured_native_output() as output:
            _in_threads(lambda file: _read_file(file, array), files)
        if _CORRUPT.search(output.text):
            _raise_if_corrupt(files)
    return array


class _File(NamedTuple):
    """A file, and its slices with their indices in the volume."""

    path: Path
    slices: list[tuple[int, SliceHeader]]


def _in_threads(read: Callable[[_File], None], files: Sequence[_File]) -> None:
    """Read files in several threads: most of the time is spent decoding, outside Python. Raise the first error."""
    pool = ThreadPoolExecutor(max(1, min(len(files), len(processors()), MOST_THREADS)))
    try:
        for _ in pool.map(read, files):
            pass
    finally:
        pool.shutdown(cancel_futures=True)


def _read_file(file: _File, array: np.ndarray) -> None:
    """Read the slices of a file into the array of the volume."""
    path, (first, *others) = file.path, [item for _, item in file.slices]
    if any(item.rescale != first.rescale for item in others):
        raise InputError(
            f'The frames of "{path.name}" have different rescaling to HU, which cannot be read. '
            "Export the CT with one file per slice."
        )
    if first.transfer_syntax.is_encapsulated and not streams_are_complete(path, first.transfer_syntax):
        raise _damaged(path)
    frames = _read_frames(path, inverted=first.inverted)
    if frames.shape != (len(file.slices), *array.shape[1:]):
        raise _damaged(path)
    for index, item in file.slices:
        array[index] = as_hounsfield(frames[item.frame])


def _raise_if_corrupt(files: Sequence[_File]) -> None:
    """Decode files once more, one after the other, to find the one about which the decoder complained.

    Raises:
        InputError: Names that file.
    """
    for file in files:
        with captured_native_output() as output:
            _read_frames(file.path, inverted=file.slices[0][1].inverted)
        if _CORRUPT.search(output.text):
            raise _damaged(file.path)


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
        return sitk.GetArrayFromImage(reader.Execute())
    except RuntimeError:
        raise _damaged(original) from None


def _damaged(path: Path) -> InputError:
    return InputError(f'The pixels of "{path.name}" are damaged or incomplete. Copy or export the series again.')
