"""Find the programs and modules that child processes run, never in the working directory.

The working directory may be a folder of images that somebody else has filled. Python and Windows look there first for
modules and programs. Use these functions, and start Python with `-P` or PYTHONSAFEPATH.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path


def absolute_folders(search_path: str) -> list[str]:
    """Return the folders of a search path, such as PATH, without those that depend on the working directory.

    Example:
        >>> absolute_folders(os.pathsep.join([os.path.abspath("bin"), ".", ""])) == [os.path.abspath("bin")]
        True
    """
    return [folder for folder in search_path.split(os.pathsep) if Path(folder).is_absolute()]


def find_program(name: str, folders: Iterable[Path] = ()) -> str | None:
    """Find a program.

    `shutil.which` is not used, because on Windows it looks into the working directory first.

    Args:
        name: Its name, without `.exe`.
        folders: Where to look before the folders of PATH.

    Returns:
        Its path, or None if there is no such program.
    """
    file = f"{name}.exe" if sys.platform == "win32" else name
    for folder in (*folders, *map(Path, absolute_folders(os.environ.get("PATH", "")))):
        if (folder / file).is_file() and os.access(folder / file, os.X_OK):
            return str(folder / file)
    return None
