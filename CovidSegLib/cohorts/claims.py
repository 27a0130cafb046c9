"""Keep a second run out of the folder of a cohort."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..storage.claim import claimed_folder
from ..storage.disk_errors import explain_disk_errors
from ..storage.lock import exclusive_lock

#: Locked while a run goes on: network drives without locks on folders have locks on files.
LOCK = ".lock"


@contextmanager
def claimed_cohort(folder: Path) -> Iterator[None]:
    """Claim the folder of a cohort until the end of the `with` block. It is created if need be.

    Raises:
        InputError: Another run writes to it, or it cannot be written.
    """
    with claimed_folder(folder):
        lock = folder / LOCK
        with explain_disk_errors(folder):
            lock.touch()
        try:
            with exclusive_lock(lock):
                yield
        finally:
            # An empty folder, of a run that has ended before it began, is removed with the claim.
            if {path.name for path in folder.iterdir()} == {LOCK}:
                lock.unlink(missing_ok=True)
