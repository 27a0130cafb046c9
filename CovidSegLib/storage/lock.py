"""A lock against two processes that write to one folder. Processes of a killed training may live on for a while."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InUseError

try:
    import fcntl
except ImportError:  # Windows has no locks that end with their process and are not inherited by others
    fcntl = None  # type: ignore[assignment]

#: Errors of file systems without locks.
UNSUPPORTED = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS}


@contextmanager
def exclusive_lock(path: Path) -> Iterator[None]:
    """Keep other processes out of the `with` block. The lock ends with the process, however that ends.

    Args:
        path: The file to lock. This process must not open it in the meantime, because closing it would end the lock.

    Raises:
        InUseError: Another process holds the lock; an `InputError`.
    """
    if fcntl is None:
        yield
        return
    with path.open("rb+") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                raise InUseError(
                    f'Another process is writing to "{path.parent.name}". Wait until it has ended or end it, or choose '
                    "another folder."
                ) from error
            if error.errno not in UNSUPPORTED:
                raise
        yield
