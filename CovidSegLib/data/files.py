"""Image files by their names, and the files that belong together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..reading.image_file import FILE_KINDS


def stem(name: str) -> str | None:
    """A file's name without the ending of an image; None for other files and for macOS's `._` companions."""
    ending = next((ending for ending in FILE_KINDS if name.lower().endswith(ending)), None)
    return None if ending is None or name.startswith(".") else name[: -len(ending)]


def images(folder: Path, suffix: str = "") -> dict[str, Path]:
    """The images of a folder whose names end in `suffix`, by their names without it, in order."""
    found = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        name = stem(path.name)
        if name and name.endswith(suffix) and len(name) > len(suffix):
            found[name.removesuffix(suffix)] = path
    return found


def partners(where: Mapping[str, tuple[Path, str]]) -> dict[str, dict[str, Path]]:
    """Files that belong together by their names.

    Args:
        where: By what the files are, their folder and the suffix of their names.

    Returns:
        By scan, a path for each; one that is missing is where it should be, for the reading to tell.
    """
    found = {role: images(folder, suffix) for role, (folder, suffix) in where.items()}
    return {
        name: {
            role: found[role].get(name, folder / f"{name}{suffix}.nii.gz") for role, (folder, suffix) in where.items()
        }
        for name in sorted({name for files in found.values() for name in files})
    }


def read_json(path: Path, what: str) -> Any:
    """What a JSON file holds.

    Args:
        path: The file.
        what: What it does, for the error: "lists the runs of slices".

    Raises:
        InputError: Missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise unreadable(path, what) from error


def unreadable(path: Path, what: str) -> InputError:
    """That a list of a data set is no use."""
    return InputError(f'"{path}", which {what}, is missing or cannot be read: copy the data set again.')
