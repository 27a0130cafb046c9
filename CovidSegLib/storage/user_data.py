"""The user's own folders."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def user_data_folder(name: str) -> Path:
    """Return a folder of CovidSeg in the system's folder for application data.

    platformdirs is not used, because Slicer lists the models before any package is installed.

    Args:
        name: Name of the folder.
    """
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "CovidSeg" / name
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "CovidSeg" / name
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "covidseg" / name
