"""One training at a time in a folder: processes of a run that was killed may live on for a while, and write."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError

try:
    import fcntl
except ImportError:  # Windows has no locks that end with their process and are not inherited
    fcntl = None  # type: ignore[assignment]

#: Of file systems that have no locks.
NONE_THERE = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS}


@contextmanager
def exclusive_lock(path: Path) -> Iterator[None]:
    """Within it no other process gets as far; the lock ends with the process, however that ends.

    Args:
        path: A file of the run, which must not be opened by this process meanwhile: closing it would end the lock.

    Raises:
        InputError: Another process is there.
    """
    if fcntl is None:
        yield
        return
    with path.open("rb+") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                raise InputError(
                    f'Another process is writing to "{path.parent.name}". Wait until it has ended or end it, or choose '
                    "another folder."
                ) from error
            if error.errno not in NONE_THERE:
                raise
        yield
