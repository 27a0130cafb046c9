"""Sentences for what a disk refuses."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import DiskFullError, InputError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
NOT_A_FOLDER = frozenset({errno.EEXIST, errno.ENOTDIR})


@contextmanager
def explain_disk_errors(
    path: Path,
    *,
    remedy: str = "Choose another folder.",
    if_full: str = "Free some space or choose another folder.",
    only_known: bool = False,
) -> Iterator[None]:
    """Turn an `OSError` that is raised inside the `with` block into an `InputError` with its cause and a remedy.

    Args:
        path: The file or folder that is written. An error that names a file of its own is reported with that name.
        remedy: Sentence that tells the user what to do.
        if_full: The same if the disk is full.
        only_known: Leave errors alone unless the disk is full or refuses access, or a folder is needed where a file is.
            For long blocks that do more than write files.

    Raises:
        DiskFullError: The disk is full; an `InputError`.
        InputError: The cause, then the remedy.
        BrokenPipeError: Unchanged: the reader of the standard output has gone, no file is affected.

    Example:
        >>> with explain_disk_errors(Path("results"), if_full="Free some space."):
        ...     raise OSError(errno.ENOSPC, "No space left on device")
        Traceback (most recent call last):
        ...
        CovidSegLib.errors.DiskFullError: The disk is full: "results" was not written. Free some space.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        name = error.filename or path
        if error.errno in FULL:
            raise DiskFullError(f'The disk is full: "{path}" was not written. {if_full}') from error
        if error.errno in DENIED:
            sentence = f'No permission to write to "{name}", or another program has it open. {remedy}'
        elif error.errno in NOT_A_FOLDER:
            sentence = f'"{name}" cannot be written, because it or a folder above it is a file. {remedy}'
        elif only_known:
            raise
        else:
            sentence = f'"{path}" cannot be written ({error.strerror or error}). {remedy}'
        raise InputError(sentence) from error
