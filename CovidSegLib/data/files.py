"""Image files found by name, and files that belong to the same scan."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from ..errors import InputError
from ..reading.image_file import FILE_KINDS
from ..storage.limited import read_limited_json

#: The list of a data set, in layouts that have no list of their own.
INDEX = "index.json"


def image_stem(name: str) -> str | None:
    """Return a file's name without its image extension; None for other files and for macOS's `._` companions.

    Example:
        >>> image_stem("case.nii.gz")
        'case'
    """
    ending = next((ending for ending in FILE_KINDS if name.lower().endswith(ending)), None)
    return None if ending is None or name.startswith(".") else name[: -len(ending)]


def find_images(folder: Path, suffix: str = "") -> dict[str, Path]:
    """Return the images of a folder whose names end in `suffix`, sorted, by their names without it."""
    images = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        name = image_stem(path.name)
        if name and name.endswith(suffix) and len(name) > len(suffix):
            images[name.removesuffix(suffix)] = path
    return images


def match_files(locations: Mapping[str, tuple[Path, str]]) -> dict[str, dict[str, Path]]:
    """Match the files of each scan by name.

    Args:
        locations: Folder and suffix of the file names, by role, such as "ct".

    Returns:
        By scan, a path for each role. For a missing file it is the expected path, which reading reports.
    """
    images = {role: find_images(folder, suffix) for role, (folder, suffix) in locations.items()}
    return {
        name: {
            role: images[role].get(name, folder / f"{name}{suffix}.nii.gz")
            for role, (folder, suffix) in locations.items()
        }
        for name in sorted({name for files in images.values() for name in files})
    }


def read_json(path: Path, purpose: str) -> Any:
    """Read a JSON file of a data set.

    Args:
        path: The file.
        purpose: What the file does, for the error message, such as "lists the runs of slices".

    Raises:
        InputError: The file is missing or damaged.
    """
    try:
        return read_limited_json(path)
    except (OSError, ValueError) as error:
        raise unreadable(path, purpose) from error


def index_with(folder: Path, key: str) -> list[dict[str, Any]] | None:
    """Return the entries of a folder's index.json, which several layouts have, if each of them has a key.

    Returns:
        None for another index, an empty one, a damaged one, and a folder without one: another layout reports these.
    """
    try:
        listed = read_limited_json(folder / INDEX)
    except (OSError, ValueError):
        return None
    fits = isinstance(listed, list) and listed and all(isinstance(each, dict) and key in each for each in listed)
    return listed if fits else None


def plain_name(name: object) -> str:
    """Return a name that a list of a data set gives to a file or folder beside it.

    Raises:
        ValueError: It is a path, which could lead out of the data set.
    """
    text = str(name)
    if text in ("", ".", "..") or text != PurePosixPath(text).name or text != PureWindowsPath(text).name:
        raise ValueError(f"{text} is not the name of a file")
    return text


def unreadable(path: Path, purpose: str) -> InputError:
    """Return the error for a list of a data set that cannot be used."""
    return InputError(f'"{path}", which {purpose}, is missing or cannot be read. Copy the data set again.')
