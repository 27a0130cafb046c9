"""Puts all files of a result into a folder together, or none of them.

The files are written to a temporary folder inside the folder that they are meant for, so on the same disk, and renamed
at the end. Whatever happens before that leaves the folder as it was.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import InputError
from .disk_errors import explain_disk_errors

PREFIX = ".covidseg-"
#: Temporary folders of runs that were killed are removed when they are older than this.
LEFTOVER_SECONDS = 3600.0
#: Less room than this on the disk, and a run is not started.
ROOM_MB = 50


def check_writable(out: Path, names: Collection[str], *, overwrite: bool) -> None:
    """Try whether `staged_files` would work, without leaving anything behind.

    Raises:
        InputError: `out` is a file, cannot be made or written, its disk is full, or it holds earlier results.
    """
    with explain_disk_errors(out):
        _check_names(out, names, overwrite)
        with _folder_in(out, keep=False) as folder:
            (folder / "trial").write_bytes(b"trial")
            if shutil.disk_usage(folder).free < ROOM_MB * 1_000_000:
                raise InputError(
                    f'There is less than {ROOM_MB} MB of room at "{out}". Free some space or choose another folder.'
                )


@contextmanager
def staged_files(out: Path, names: Collection[str], *, overwrite: bool) -> Iterator[Path]:
    """Gives an empty folder; what is in it at the end is moved to `out`, which is made where there is none.

    Args:
        out: The folder that the files are meant for.
        names: All names that files of a result may have.
        overwrite: Replace an earlier result, that is all files in `out` with one of the names. They stay whole until
            the new files are, and those for which there is no new one are removed. Other files are left alone.

    Raises:
        InputError: Same as in `check_writable`. After this and any other exception `out` is as it was.
    """
    with explain_disk_errors(out):
        _check_names(out, names, overwrite)
        with _folder_in(out, keep=True) as folder:
            yield folder
            _check_names(out, names, overwrite)
            _swap(folder, out, names)


def _check_names(out: Path, names: Collection[str], overwrite: bool) -> None:
    if out.exists() and not out.is_dir():
        raise InputError(f'"{out}" is a file. Choose a folder for the results.')
    there = sorted(name for name in names if (out / name).exists())
    for name in there:
        if (out / name).is_dir():
            raise InputError(f'In "{out}" there is a folder named "{name}". Choose another folder for the results.')
    if there and not overwrite:
        raise InputError(
            f'"{out}" already holds results ({", ".join(there)}). Choose another folder, or allow overwriting.'
        )


@contextmanager
def _folder_in(out: Path, *, keep: bool) -> Iterator[Path]:
    """A temporary folder in `out`; `out` and its parents are made for it, and stay if `keep` and nothing is raised."""
    missing = []
    folder = out
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    try:
        out.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(out)
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=out))
        try:
            yield folder
        finally:
            _remove(folder)
        missing = [] if keep else missing
    finally:
        for folder in missing:
            # Not empty where somebody else has put something there meanwhile.
            with suppress(OSError):
                folder.rmdir()


def _swap(folder: Path, out: Path, names: Collection[str]) -> None:
    """Move earlier results out of `out` and new ones in; on failure, everything back."""
    new = sorted(path.name for path in folder.iterdir())
    earlier = folder / "earlier"
    earlier.mkdir()
    try:
        for name in names:
            if (out / name).exists():
                (out / name).rename(earlier / name)
        for name in new:
            (folder / name).rename(out / name)
    except BaseException:
        for name in new:
            if not (folder / name).exists():
                (out / name).unlink(missing_ok=True)
        for path in earlier.iterdir():
            path.rename(out / path.name)
        raise
    shutil.rmtree(earlier, ignore_errors=True)


def _remove(folder: Path) -> None:
    """Remove a temporary folder, unless it holds earlier results that could not be moved back."""
    if not any(folder.glob("earlier/*")):
        shutil.rmtree(folder, ignore_errors=True)


def _remove_leftovers(out: Path) -> None:
    for folder in out.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > LEFTOVER_SECONDS:
                _remove(folder)
