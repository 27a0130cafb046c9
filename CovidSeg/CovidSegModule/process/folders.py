"""Temporary folders of runs. They hold images of patients, so none may be left behind."""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from pathlib import Path

import slicer

#: Start of the name of a run's temporary folder.
PREFIX = "CovidSeg-run-"
#: Age in seconds from which a folder is taken for one that a crashed application has left.
LEFTOVER_SECONDS = 24 * 3600


def create_folder() -> Path:
    """Create a temporary folder for a run."""
    return Path(tempfile.mkdtemp(prefix=PREFIX, dir=temporary_path()))


def temporary_path() -> str:
    """Return the folder for temporary files that is set in the application, or else the system's."""
    return getattr(getattr(slicer, "app", None), "temporaryPath", None) or tempfile.gettempdir()


def remove_folder(folder: Path) -> None:
    """Remove a folder. Try for two seconds, because Windows releases the files of a killed process with a delay."""
    for _ in range(20):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)
    logging.error("CovidSeg: cannot remove the temporary folder %s", folder)


def remove_leftovers() -> None:
    """Remove the folders of runs whose application has crashed."""
    for folder in Path(temporary_path()).glob(f"{PREFIX}*"):
        try:
            old = time.time() - folder.stat().st_mtime > LEFTOVER_SECONDS
        except OSError:  # belongs to another user, or was removed in the meantime
            continue
        if old:
            shutil.rmtree(folder, ignore_errors=True)
