"""Find the scans in a folder tree: image files, and the chest CT of each DICOM study."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from ...errors import InputError
from ...outputs.names import FILES
from ...reading.dicom_series import list_series_of_files
from ...reading.image_file import image_extension
from .scan import Scan, file_scan, path_identity
from .studies import SeriesSummary, chest_scans, join_parts, summary_of

#: Files that CovidSeg and 3D Slicer write, which are not scans.
_RESULT_ENDING = ".seg.nrrd"


def scans_in(folder: Path, skip: Path, looked_at: Callable[[int], None] = lambda files: None) -> list[Scan]:
    """Return the scans below a folder: the DICOM studies, then the image files.

    Args:
        folder: The folder.
        skip: The folder of the cohort, which may lie below it.
        looked_at: Receives the number of files so far. It may raise `Cancelled`.

    Raises:
        InputError: A folder cannot be opened.
    """
    parts: list[SeriesSummary] = []
    images: list[Path] = []
    damaged: list[Path] = []
    count = 0
    for directory, files in _directories(folder, skip):
        pictures = [path for path in files if image_extension(path) is not None]
        images += [path for path in pictures if not path.name.endswith(_RESULT_ENDING)]
        known = set(pictures)
        readable, failed = _series_of([path for path in files if path not in known], directory)
        parts += readable
        damaged += [directory] if failed else []
        count += len(files)
        looked_at(count)
    scans = chest_scans(join_parts(parts))
    # A damaged file ends the reading of each series in its folder, which says so. Only without any, nothing would.
    told = {scan.path for scan in scans}
    for directory in damaged:
        if told.isdisjoint({directory, *directory.parents}):
            scans.append(Scan(directory, path_identity(directory)))
    for path in images:
        scans.append(file_scan(path))
        looked_at(count)
    return scans


def _series_of(files: list[Path], directory: Path) -> tuple[list[SeriesSummary], bool]:
    """Return the series of files in a directory, and whether a file is damaged."""
    try:
        return [summary_of(series, directory) for series in list_series_of_files(files)], False
    except InputError:
        readable = []
        for path in files:
            try:
                readable += list_series_of_files([path])
            except InputError:
                continue
        return join_parts(summary_of(series, directory) for series in readable), True


def _directories(folder: Path, skip: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Yield each directory that is not hidden with its files that are not hidden. Results of CovidSeg are left out."""

    def fail(error: OSError) -> None:
        raise InputError(
            f'"{error.filename}" cannot be opened ({error.strerror}). Ask for permission, or leave it out.'
        ) from error

    skip = skip.resolve()
    for root, folders, names in os.walk(folder, onerror=fail):
        directory = Path(root)
        if directory.resolve() == skip or {FILES["report"], FILES["segmentation"]} <= set(names):
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths = (directory / name for name in sorted(names) if not name.startswith("."))
        yield directory, [path for path in paths if path.is_file()]
