"""The DICOM files that are to be sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError

from ..errors import InputError

_TAGS = ["SOPClassUID", "SOPInstanceUID"]


@dataclass(frozen=True)
class Outgoing:
    """A DICOM file.

    Attributes:
        path: The file.
        sop_class, sop_instance, transfer_syntax: UIDs of what it holds and how it is encoded.
    """

    path: Path
    sop_class: str
    sop_instance: str
    transfer_syntax: str


def list_outgoing(paths: Sequence[Path]) -> list[Outgoing]:
    """List DICOM files.

    Args:
        paths: Files, or folders of which all files are taken.

    Raises:
        InputError: A path does not exist, a file that is named is not DICOM, or there is no DICOM file at all.
    """
    found = []
    for path in paths:
        if path.is_dir():
            files = sorted(item for item in path.rglob("*") if item.is_file() and not item.name.startswith("."))
            found += [item for item in map(_read, files) if item is not None]
        elif path.is_file():
            item = _read(path)
            if item is None:
                raise InputError(f'"{path}" is not a DICOM file. Name DICOM files, or folders of them.')
            found.append(item)
        else:
            raise InputError(f'There is no file or folder "{path}". Check the path.')
    if not found:
        raise InputError("There are no DICOM files to send. Export the result first, with `covidseg dicom export`.")
    return found


def _read(path: Path) -> Outgoing | None:
    try:
        data = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_TAGS)
        syntax = data.file_meta.TransferSyntaxUID
        return Outgoing(path, str(data.SOPClassUID), str(data.SOPInstanceUID), str(syntax))
    except (InvalidDicomError, AttributeError, ValueError):
        return None
    except OSError as error:
        raise InputError(f'"{path}" cannot be read ({error.strerror or error}). Check the file.') from error
