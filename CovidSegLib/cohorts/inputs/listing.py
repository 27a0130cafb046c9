"""From the inputs of a command to the scans of a cohort, each once."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import InputError
from ...progress import Progress, silent
from ...reading.dicom_file import read_header
from ...reading.dicom_series import choose_series, list_series
from ...reading.image_file import image_extension
from .scan import Scan, file_scan, path_identity, series_identity
from .tables import ENDINGS, Row, read_rows
from .tree import scans_in

#: Ids are names of folders on every system.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}(?<!\.)", re.ASCII)
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Listing:
    """The scans of the inputs.

    Attributes:
        scans: Each scan once, in the order of the inputs.
        repeated: How many more were found that are the same as one of them.
    """

    scans: list[Scan]
    repeated: int


def list_scans(inputs: Sequence[Path], skip: Path, progress: Progress = silent) -> Listing:
    """List the scans of folders, image files, DICOM files and lists.

    Args:
        inputs: Their paths. A folder is searched completely; see `tree.scans_in`. Of a list, see `tables.read_rows`.
        skip: The folder of the cohort.
        progress: Receives how many files were looked at. It may raise `Cancelled`.

    Raises:
        InputError: An input does not exist, holds no scan, or a list cannot be used.
    """
    found: list[Scan] = []
    for path in inputs:

        def looked_at(files: int, path: Path = path) -> None:
            progress(f'Listing "{path.name}": {files} files', 0.0)

        if not path.exists():
            raise InputError(f'There is no file or folder "{path}". Check the path.')
        if path.suffix.lower() in ENDINGS and path.is_file():
            scans = [scan for row in read_rows(path) for scan in _scans_of_row(row, skip, looked_at)]
        else:
            scans = _scans_at(path, skip, looked_at)
        if not scans:
            raise InputError(f'There is no CT in "{path}". Give a folder with DICOM or image files, or a list.')
        found += scans
    unique: dict[str, Scan] = {}
    for scan in found:
        unique.setdefault(scan.identity, scan)
    _check_ids(list(unique.values()))
    return Listing(list(unique.values()), len(found) - len(unique))


def _scans_of_row(row: Row, skip: Path, looked_at: Callable[[int], None]) -> list[Scan]:
    if row.id is not None and not is_id(row.id):
        raise InputError(
            f'The id "{row.id}" in {row.where} cannot be the name of a folder. Use letters without accents, digits, '
            '".", "_" and "-", at most 64.'
        )
    if not row.path.exists():  # the case fails, and says so
        scans = [Scan(row.path, path_identity(row.path), row.series)]
    elif row.series is not None:
        scans = [_certain_series(row)]
    else:
        scans = _scans_at(row.path, skip, looked_at)
    if not scans:
        scans = [Scan(row.path, path_identity(row.path))]
    if len(scans) > 1 and row.id is not None:
        raise InputError(
            f"{len(scans)} scans are in the folder of {row.where}, which has one id. Name the folder of one scan, or "
            'its series in a column "series", or leave the id empty.'
        )
    return [replace(scan, id=row.id, extra=row.extra) for scan in scans]


def _scans_at(path: Path, skip: Path, looked_at: Callable[[int], None]) -> list[Scan]:
    if path.is_dir():
        return scans_in(path, skip, looked_at)
    if image_extension(path) is not None:
        return [file_scan(path)]
    try:
        header = read_header(path) if path.is_file() else None
    except InputError:
        header = None
    # One DICOM file stands for its series, as in `read_volume`. Of anything else, reading says what it is.
    if header is None:
        return [Scan(path, path_identity(path))]
    return [Scan(path, series_identity(header[0].series_uid))]


def _certain_series(row: Row) -> Scan:
    """Return the series that a row names. If there is none, the case fails and says so."""
    try:
        uid = choose_series(list_series(row.path), row.series).header.series_uid
        return Scan(row.path, series_identity(uid), uid, "named in the list")
    except (InputError, OSError):
        return Scan(row.path, path_identity(row.path / str(row.series)), row.series, "named in the list")


def is_id(text: str) -> bool:
    """Return whether a text can be the id of a case, and the name of its folder on every system.

    >>> [is_id(text) for text in ("patient-001", "a/b", "..", "Größe", "nul", "")]
    [True, False, False, False, False, False]
    """
    return bool(_ID.fullmatch(text)) and not _RESERVED.fullmatch(text)


def _check_ids(scans: Sequence[Scan]) -> None:
    """Check that no two scans have one id. Some systems take capital and small letters for the same."""
    seen: dict[str, Scan] = {}
    for scan in scans:
        other = seen.setdefault(scan.case_id.lower(), scan)
        if other is not scan:
            raise InputError(
                f'The id "{scan.case_id}" is given to two scans, "{other.path.name}" and "{scan.path.name}". Give each '
                "scan an id of its own."
            )
