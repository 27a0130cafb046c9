"""Objects that wait to be sent: a folder on disk, of which nothing is lost if the process or the computer stops.

An entry is a folder with the files and `entry.json`. It is written under a temporary name and renamed. A file is
removed once the destination has stored it, and the entry with its last file.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..storage.atomic import write_json_atomically
from ..storage.disk_errors import explain_disk_errors
from ..storage.limited import read_limited_json
from ..storage.lock import exclusive_lock
from ..storage.user_data import user_data_folder
from .destination import Destination, as_record, from_record
from .files import Outgoing, list_outgoing

ENTRY = "entry.json"
NEW = ".new-"
LOCK = ".lock"
#: Seconds before an entry is tried again: doubled after each attempt, up to the last value.
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 600.0


def user_outbox() -> Path:
    """Return the folder of objects that `covidseg dicom send` could not send; COVIDSEG_OUTBOX names another one."""
    if folder := os.environ.get("COVIDSEG_OUTBOX"):
        return Path(folder)
    return user_data_folder("outbox")


@dataclass(frozen=True)
class Entry:
    """Objects for one destination.

    Attributes:
        folder: Its folder.
        destination: Where to.
        attempts: How often it was tried.
        due: Seconds since the epoch at which to try next.
    """

    folder: Path
    destination: Destination
    attempts: int
    due: float

    def files(self) -> list[Outgoing]:
        """Return the files that are not sent yet."""
        paths = sorted(path for path in self.folder.iterdir() if path.suffix == ".dcm")
        return list_outgoing(paths) if paths else []


class Outbox:
    """A folder of entries.

    Args:
        folder: Created with the first entry, readable by this user only.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def add(self, files: Sequence[Path], destination: Destination) -> Path:
        """Copy files into a new entry.

        Returns:
            Its folder.

        Raises:
            InputError: The disk is full, or the folder cannot be written. Then there is no new entry.
        """
        with explain_disk_errors(self.folder):
            self._make_folder()
            folder = self.folder / f"{NEW}{uuid.uuid4().hex}"
            try:
                folder.mkdir(mode=0o700)
                for number, file in enumerate(files):
                    copy = folder / f"{number:06d}.dcm"
                    shutil.copyfile(file, copy)
                    with copy.open("rb+") as handle:
                        os.fsync(handle.fileno())
                return self.adopt(folder, destination)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise

    def adopt(self, folder: Path, destination: Destination, name: str | None = None) -> Path:
        """Make a folder of DICOM files on the same disk an entry, by renaming it.

        Args:
            folder: The folder.
            destination: Where to.
            name: Name of the entry; by default one that sorts by time.
        """
        with explain_disk_errors(self.folder):
            self._make_folder()
            write_json_atomically(folder / ENTRY, {"destination": as_record(destination), "attempts": 0, "due": 0.0})
            entry = self.folder / (name or f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}")
            folder.rename(entry)
            return entry

    def entries(self) -> list[Entry]:
        """Return the entries, the oldest first, without those that cannot be read: see `damaged`."""
        found = (_read_entry(folder) for folder in self._folders())
        return [entry for entry in found if entry is not None]

    def damaged(self) -> list[Path]:
        """Return the folders of entries that cannot be read."""
        return [folder for folder in self._folders() if _read_entry(folder) is None]

    def _folders(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return sorted(path for path in self.folder.iterdir() if not path.name.startswith(".") and path.is_dir())

    def deliver(self, entry: Entry, now: Callable[[], float] = time.time) -> int:
        """Send an entry.

        Returns:
            How many objects were sent.

        Raises:
            InputError: Not all could be sent, because the destination does not take them or a file is damaged. They
                stay, and the entry is due later.
        """
        count = 0

        def sent(file: Outgoing) -> None:
            nonlocal count
            file.path.unlink(missing_ok=True)
            count += 1

        try:
            files = entry.files()
            if files:
                entry.destination.send(files, sent)
        except InputError:
            pause = min(FIRST_PAUSE * 2**entry.attempts, LONGEST_PAUSE)
            record = {
                "destination": as_record(entry.destination),
                "attempts": entry.attempts + 1,
                "due": now() + pause,
            }
            write_json_atomically(entry.folder / ENTRY, record)
            raise
        shutil.rmtree(entry.folder, ignore_errors=True)
        return count

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from sending the same entries.

        Raises:
            InputError: Another process does.
        """
        with explain_disk_errors(self.folder, only_known=True):
            self._make_folder()
            lock = self.folder / LOCK
            lock.touch(mode=0o600)
            with exclusive_lock(lock):
                self._remove_leftovers()
                yield

    def _make_folder(self) -> None:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self.folder.mkdir(mode=0o700, exist_ok=True)

    def _remove_leftovers(self) -> None:
        """Remove entries that a killed process has not completed. Their files still exist elsewhere."""
        for folder in self.folder.glob(f"{NEW}*"):
            if time.time() - folder.stat().st_mtime > 3600:
                shutil.rmtree(folder, ignore_errors=True)


def _read_entry(folder: Path) -> Entry | None:
    """Return an entry, or None if it cannot be read."""
    try:
        record: Any = read_limited_json(folder / ENTRY)
        return Entry(folder, from_record(record["destination"]), int(record["attempts"]), float(record["due"]))
    except (InputError, OSError, ValueError, KeyError, TypeError):
        logging.getLogger(__name__).debug("an entry of the queue cannot be read", exc_info=True)
        return None
