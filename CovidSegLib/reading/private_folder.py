"""Files under a plain name in a folder of their own, for libraries that cannot be given any path.

The library behind ITK's NIfTI reader looks for other files beside the one that it is given: for ct.nii.gz it reads a
ct.nii in the same folder. And native code fails on names that are not valid UTF-8.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def private_folder() -> Iterator[Path]:
    """A temporary folder that only this user may open; removed at the end."""
    with tempfile.TemporaryDirectory(prefix="covidseg-") as folder:
        yield Path(folder)


def link_or_copy(original: Path, copy: Path) -> Path:
    """Make a file available under another path, without copying its content if possible.

    Args:
        original: The file.
        copy: Where it is wanted; its folder is made if need be.

    Returns:
        `copy`.

    Raises:
        OSError: The file cannot be read, or there is no room for a copy.
    """
    copy.parent.mkdir(parents=True, exist_ok=True)
    original = original.resolve(strict=True)
    for link in (os.symlink, os.link):  # Windows lets few users make symbolic links, and hard links only on one disk
        try:
            link(original, copy)
        except OSError:
            continue
        return copy
    shutil.copyfile(original, copy)
    return copy


def is_portable(path: Path) -> bool:
    """Whether native libraries can open a path: it is valid UTF-8."""
    try:
        os.fspath(path).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def portable_name(path: Path) -> Iterator[Path]:
    """A path under which native code can write a file; the file is moved to `path` at the end.

    Args:
        path: The file to write.

    Yields:
        `path` itself if native code can open it, or else a file of the same name extensions in a private folder.
    """
    if is_portable(path):
        yield path
        return
    with private_folder() as folder:
        file = folder / ("file" + "".join(path.suffixes))
        yield file
        if file.exists():
            # Copied, not moved: then its permissions follow the umask, and both may be on different disks.
            shutil.copyfile(file, path)
