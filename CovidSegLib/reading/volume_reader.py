"""Read a CT from a DICOM folder or an image file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from ..errors import InputError
from ..volume import Volume
from .dicom_file import read_header
from .dicom_reader import read_series
from .dicom_series import choose_series, list_series
from .hounsfield import as_hounsfield, from_grey_values
from .image_file import FILE_KINDS, image_extension, quiet_itk, read_image_file


def read_volume(path: Path | str, *, series: str | None = None, window: tuple[float, float] | None = None) -> Volume:
    """Read a chest CT.

    The file and its geometry are checked here. `checks.check_volume` checks whether the values are those of a chest CT.

    Args:
        path: A folder with DICOM files (subfolders and other files are allowed), one DICOM file, which stands for its
            series, or a .nii, .nii.gz, .nrrd, .nhdr, .mha or .mhd file.
        series: Number of the DICOM series, or its UID or the end of it. Needed if the folder contains several CTs.
        window: For images without Hounsfield units: the HU (low, high) of black and white.

    Returns:
        int16 HU, or float32 if they are not whole numbers, with shape (z, y, x) and no value below -1024, on the grid
        that the file states; the source, without patient identity or paths; warnings about the reading.

    Raises:
        InputError: The input cannot be used. The message states the reason and what to do.

    Example:
        >>> import SimpleITK as sitk
        >>> sitk.WriteImage(sitk.Image([20, 16, 12], sitk.sitkInt16), "ct.nrrd")
        >>> volume = read_volume("ct.nrrd")
        >>> volume.array.shape, volume.source
        ((12, 16, 20), {'format': 'NRRD'})
    """
    path = Path(path)
    convert = as_hounsfield if window is None else partial(from_grey_values, window=window)
    with _explained_os_errors(path), quiet_itk():
        if not path.exists():
            raise InputError(f'There is no file or folder "{path.name}". Check the path.')
        if _is_dicom(path):
            volume = _read_dicom(path, series)
            return replace(volume, array=convert(volume.array))
        if series is not None:
            raise InputError(
                f'A series can be chosen only in a DICOM folder, but "{path.name}" is a single image. Omit the series.'
            )
        return read_image_file(path, convert)


def _is_dicom(path: Path) -> bool:
    """Return whether a path is a DICOM folder or file, rather than an image file in another format."""
    if path.is_dir():
        return True
    if not path.is_file():  # opening a pipe would wait for ever
        raise InputError(f'"{path.name}" is not a file or folder. Select a DICOM folder or {_supported_files()}.')
    if image_extension(path) is not None:
        return False
    if read_header(path) is not None:
        return True
    raise InputError(f'"{path.name}" is not a supported CT file. Select a DICOM folder or {_supported_files()}.')


def _supported_files() -> str:
    *most, last = FILE_KINDS
    return f"a {', '.join(most)} or {last} file"


def _read_dicom(path: Path, identifier: str | None) -> Volume:
    if path.is_dir():
        all_series = list_series(path)
    else:
        # Subfolders are not searched: they may belong to other patients.
        all_series = list_series(path.parent, nested=False)
        if identifier is None and (header := read_header(path)):
            identifier = header[0].series_uid
    if not all_series:
        images = [item.name for item in sorted(path.iterdir()) if item.name.lower().endswith(tuple(FILE_KINDS))]
        alternative = f'"{images[0]}" in it' if images else f"a folder with DICOM files, or {_supported_files()}"
        raise InputError(f'The folder "{path.name}" contains no DICOM images. Select {alternative}.')
    return read_series(choose_series(all_series, identifier))


@contextmanager
def _explained_os_errors(path: Path) -> Iterator[None]:
    """Turn errors of the operating system into messages for the user."""
    try:
        yield
    except PermissionError:
        raise InputError(
            f'You do not have permission to read "{path.name}". Ask for permission, or copy it elsewhere.'
        ) from None
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else "unknown cause"
        raise InputError(
            f'"{path.name}" cannot be read ({reason}). Check the path, the disk and the network.'
        ) from None
    except MemoryError:
        raise InputError(
            f'There is not enough memory for "{path.name}". Close other programs, or select a CT with fewer slices.'
        ) from None
