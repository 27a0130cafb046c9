"""A run of the child process whose files are moved to a folder that the user has chosen."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import slicer

from CovidSegLib.storage.staging import staged_files

from .child_run import ChildRun
from .worker import Worker


class FilesRun(ChildRun):
    """Write files of nodes. Call `start` once, then `poll` from a timer until `finished` is True.

    Args:
        nodes: The nodes. The run ends if one of them is removed.
        removed: Returns what to tell the user then.
        folder: Where to. It is created, and must not hold these files yet.
        program: The program to run; by default CovidSegLib in Slicer's Python.
        worker: How to run it; by default as a child process.

    Attributes:
        folder: Where to.
        files: The files that were written; empty until the run has succeeded.
    """

    def __init__(
        self,
        nodes: Iterable[slicer.vtkMRMLNode],
        removed: Callable[[], str],
        folder: Path,
        program: list[str] | None,
        worker: Worker | None,
    ):
        super().__init__("", "cpu", program, worker)
        self._ids = [node.GetID() for node in nodes]
        self._removed = removed
        self.folder = folder
        self.files: list[Path] = []

    def _obstacle(self) -> str | None:
        removed = any(slicer.mrmlScene.GetNodeByID(node_id) is None for node_id in self._ids)
        return self._removed() if removed else None

    def _read_output(self, output: Path) -> list[Path]:
        """Move the files to the chosen folder: all of them, or none. Runs in a thread."""
        names = sorted(path.name for path in output.iterdir())
        with staged_files(self.folder, names, overwrite=False) as folder:
            for name in names:
                shutil.copyfile(output / name, folder / name)
        return [self.folder / name for name in names]

    def _loaded(self, files: list[Path]) -> bool:
        self.files = files
        return True
