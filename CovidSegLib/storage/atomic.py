"""Files that are whole or not there: whoever is killed while writing one keeps the earlier one."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import InputError


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file beside the earlier one, on the disk to the last byte, and put it in its place.

    Args:
        path: The file.
        write: Writes it to the path that it is given.

    Raises:
        InputError: The disk is full, or may not be written; the earlier file is as it was.
    """
    new = path.with_name(f"{path.name}.new")
    with disk_told(path):
        try:
            write(new)
            with new.open("rb+") as file:
                os.fsync(file.fileno())
            new.replace(path)
        finally:
            with suppress(OSError):
                new.unlink(missing_ok=True)
        _sync_folder(path.parent)


@contextmanager
def disk_told(path: Path) -> Iterator[None]:
    """What the disk says while files of a run are written, in the user's words.

    Args:
        path: The file, or the folder, that is written.

    Raises:
        InputError: The disk is full, or may not be written.
    """
    try:
        yield
    except BrokenPipeError:
        raise  # of whoever reads what is said, not of a file
    except OSError as error:
        name = Path(error.filename).name if isinstance(error.filename, str) else path.name
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            message = (
                f"“{path.name}” of the run could not be written, as the disk is full; make room and go on with "
                "--resume from the last whole epoch, which is kept."
            )
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            message = f"No permission to write “{name}” of the run; choose another folder."
        elif error.errno in (errno.EEXIST, errno.ENOTDIR):
            message = f"“{name}” cannot be a folder, as it is a file or lies in one; choose another folder."
        else:
            raise
        raise InputError(message) from error


def _sync_folder(folder: Path) -> None:
    """Make a renaming last should the power fail; Windows neither needs nor allows it."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
