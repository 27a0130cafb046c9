"""One export as DICOM: write the masks, start the child process, move what it wrote to the chosen folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import slicer

from CovidSegLib.storage.staging import staged_files

from .. import messages
from ..scene.follow_up_files import write_masks
from ..scene.volumes import grid_of, write_nrrd
from ..scene.voxels import BoxArray
from .child_run import OUTPUT, ChildRun
from .command import export_command
from .worker import Worker

#: Names in a run's temporary folder.
MASKS, SOURCE, LESIONS = "masks", "source.txt", "lesions.nrrd"


@dataclass(frozen=True)
class Exported:
    """A result as it is at the start of an export.

    Attributes:
        ct: Its CT.
        result: The result.
        files: DICOM files of the CT.
        masks: Its masks by the ID of the segment.
        lesions: Mask of each lesion that is not rejected, by its number.
        provenance: How the masks were made, and "edited": whether a person has changed them.
    """

    ct: slicer.vtkMRMLScalarVolumeNode
    result: slicer.vtkMRMLSegmentationNode
    files: list[str]
    masks: dict[str, BoxArray | None]
    lesions: dict[int, BoxArray]
    provenance: dict[str, Any] = field(default_factory=dict)


class ExportRun(ChildRun):
    """Export a result. Call `start` once, then `poll` from a timer until `finished` is True.

    Args:
        exported: The result.
        folder: Where to. It is created, and must not hold an earlier export.
        program: The program to run; by default CovidSegLib in Slicer's Python.
        worker: How to run it; by default as a child process.

    Attributes:
        folder: Where to.
        files: The files that were written; empty until the run has succeeded.
    """

    def __init__(
        self, exported: Exported, folder: Path, program: list[str] | None = None, worker: Worker | None = None
    ):
        super().__init__("", "cpu", program, worker)
        self._exported = exported
        self._ids = exported.ct.GetID(), exported.result.GetID()
        self.folder = folder
        self.files: list[Path] = []

    def _prepare(self) -> Callable[[Path], None]:
        exported, grid = self._exported, grid_of(self._exported.ct)

        def write(folder: Path) -> None:
            write_masks(exported.masks, exported.provenance, grid, folder / MASKS)
            numbers = np.zeros(grid.shape, np.uint16)
            for number, mask in exported.lesions.items():
                numbers[mask.box][mask.array != 0] = number
            write_nrrd(numbers, grid, folder / MASKS / LESIONS)
            (folder / SOURCE).write_text("\n".join(exported.files), encoding="utf-8")

        return write

    def _command(self) -> list[str]:
        return export_command(self._program, MASKS, SOURCE, OUTPUT)

    def _obstacle(self) -> str | None:
        removed = any(slicer.mrmlScene.GetNodeByID(node_id) is None for node_id in self._ids)
        return messages.export_removed() if removed else None

    def _secrets(self) -> list[str]:
        return [self._exported.ct.GetName(), *self._exported.files, str(self.folder)]

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

    def _forget(self) -> None:
        self._background = None
