"""A small valid CT, as the files that it is stored in."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from support.grids import grid_of

#: The contents of files by their names relative to a folder. Names are bytes, because they may not be valid UTF-8.
Files = dict[bytes, bytes]

SHAPE = (6, 18, 22)
GRID = grid_of(SHAPE, (1.5, 1.25, 4.0), (-20.0, 31.5, -300.0))
OBLIQUE = grid_of(SHAPE, (1.5, 1.25, 4.0), (-20.0, 31.5, -300.0), (9, -14, 23))
SERIES_UID = "1.2.826.0.1.3680043.8.498.1"


@dataclass(frozen=True)
class Original:
    """A valid input.

    Attributes:
        name: Its name in reports.
        kind: "dicom", "nifti", "nrrd" or "metaimage".
        files: All its files.
        target: The file that a user would name; empty for the folder.
        specials: What is there besides regular files, by name: "link" and its target, "pipe" or "folder".
    """

    name: str
    kind: str
    files: Files
    target: bytes = b""
    specials: dict[bytes, tuple[str, bytes]] = field(default_factory=dict)

    def write(self, folder: Path) -> Path:
        """Write all files into a folder, and return the path that a user would give."""
        for name, content in self.files.items():
            path = folder / os.fsdecode(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        for name, (kind, target) in self.specials.items():
            path = folder / os.fsdecode(name)
            if kind == "link":
                path.symlink_to(os.fsdecode(target))
            elif kind == "pipe":
                os.mkfifo(path)
            else:
                path.mkdir()
        return folder / os.fsdecode(self.target) if self.target else folder

    def with_file(self, name: bytes, content: bytes) -> Original:
        """Return the input with one file added or replaced."""
        return replace(self, files={**self.files, name: content})


def chest_hu() -> np.ndarray:
    """Whole HU (z, y, x): noise of soft tissue with two lungs in it, so that no two voxel orders look alike."""
    rng = np.random.default_rng(1)
    hu = rng.integers(-60, 90, SHAPE)
    hu[1:-1, 4:14, 3:9] = rng.integers(-950, -700, (SHAPE[0] - 2, 10, 6))
    hu[:, 4:14, 13:19] = rng.integers(-950, -700, (SHAPE[0], 10, 6))
    return hu


def stored(folder: Path) -> Files:
    """Return all files in a folder."""
    return {os.fsencode(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
