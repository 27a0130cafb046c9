"""Reads a CT from a DICOM folder or an image file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ..errors import InputError
from ..volume import Volume
from .dicom import choose_series, list_series, read_series
from .dicom_header import read_header
from .hounsfield import as_hounsfield, from_grey_values
from .image_file import FILE_KINDS, quiet_itk, read_image_file


def read_volume(path: Path | str, *, series: str | None = None, window: tuple[float, float] | None = None) -> Volume:
    """Reads a chest CT.

    What can be said from the file alone is checked here; whether the values can be those of a chest CT is asked with
    `checks.check_volume`.

    Args:
        path: A folder with DICOM files (nested, with other files among them), one DICOM file, which stands for its
            series, or a .nii, .nii.gz, .nrrd, .nhdr, .mha or .mhd file.
        series: Number of the DICOM series, or its UID or the end of it; needed where several CTs are in the folder.
        window: For images without Hounsfield units: the HU (low, high) that black and white stand for.

    Returns:
        int16 HU, or float32 where they are not whole numbers, (z, y, x), at least -1024, on the grid that the file
        states; where they came from, without patient identity and paths; warnings about the reading.

    Raises:
        InputError: The input cannot be used; the sentence says why, and what to do.
    """
    path = Path(path)
    with _plain_words(path), quiet_itk():
        if not path.exists():
            raise InputError(f'There is no file or folder "{path.name}": check the path.')
        kind = None if path.is_dir() else _file_kind(path)
        if kind is None:
            volume = _read_dicom(path, series)
        elif series is not None:
            raise InputError(f'A series can be chosen in a DICOM folder only, and "{path.name}" is a single image.')
        else:
            volume = read_image_file(path, *FILE_KINDS[kind])
        array = as_hounsfield(volume.array) if window is None else from_grey_values(volume.array, window)
        return replace(volume, array=array)


def _file_kind(path: Path) -> str | None:
    """The file name's ending, None for DICOM."""
    name = path.name.lower()
    for ending in FILE_KINDS:
        if name.endswith(ending):
            return ending
    if read_header(path) is not None:
        return None
    raise InputError(f'"{path.name}" is no CT file that can be read: give a DICOM folder or {_endings()}.')


def _endings() -> str:
    *most, last = FILE_KINDS
    return f"a {', '.join(most)} or {last} file"


def _read_dicom(path: Path, wanted: str | None) -> Volume:
    if path.is_dir():
        found = list_series(path)
    else:
        # The one file stands for its series, in its own folder: folders beside it may be those of other patients.
        found = list_series(path.parent, nested=False)
        if wanted is None and (header := read_header(path)):
            wanted = header[0].series_uid
    if not found:
        images = [item.name for item in sorted(path.iterdir()) if item.name.lower().endswith(tuple(FILE_KINDS))]
        instead = f'choose "{images[0]}" in it' if images else f"give a folder with DICOM files, or {_endings()}"
        raise InputError(f'The folder "{path.name}" holds no DICOM images: {instead}.')
    return read_series(choose_series(found, wanted))


@contextmanager
def _plain_words(path: Path) -> Iterator[None]:
    """Says in plain words what the operating system has against it."""
    try:
        yield
    except PermissionError:
        raise InputError(f'"{path.name}" may not be read: ask for permission, or copy it elsewhere.') from None
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else "unknown cause"
        raise InputError(f'"{path.name}" cannot be read ({reason}): check the path, the disk or the network.') from None
    except MemoryError:
        raise InputError(
            f'The memory does not hold "{path.name}": close other programs, or give a CT with fewer slices.'
        ) from None
