"""One export as DICOM: write the masks, start the child process, move what it wrote to the chosen folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import slicer

from .. import messages
from ..scene.follow_up_files import write_masks
from ..scene.volumes import grid_of, write_nrrd
from ..scene.voxels import BoxArray
from .child_run import OUTPUT
from .command import export_command
from .files_run import FilesRun
from .worker import Worker

#: Names in a run's temporary folder: masks and list of the files, of the result and of the earlier one.
NAMES = ("masks", "source.txt"), ("prior", "prior.txt")
#: Names in the folder with the masks. The child process looks for them there.
LESIONS, PDF = "lesions.nrrd", "report.pdf"


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


class ExportRun(FilesRun):
    """Export a result. Call `start` once, then `poll` from a timer until `finished` is True.

    Args:
        exported: The result.
        folder: Where to. It is created, and must not hold an earlier export.
        pdf: A PDF report to include, or None.
        prior: An earlier result of the patient, whose lesions keep their identifiers; or None.
        program: The program to run; by default CovidSegLib in Slicer's Python.
        worker: How to run it; by default as a child process.
    """

    def __init__(
        self,
        exported: Exported,
        folder: Path,
        pdf: Path | None = None,
        prior: Exported | None = None,
        program: list[str] | None = None,
        worker: Worker | None = None,
    ):
        self._results = [exported] if prior is None else [exported, prior]
        nodes = [node for item in self._results for node in (item.ct, item.result)]
        super().__init__(nodes, messages.export_removed, folder, program, worker)
        self._pdf = pdf

    def _prepare(self) -> Callable[[Path], None]:
        grids = [grid_of(item.ct) for item in self._results]

        def write(folder: Path) -> None:
            for item, grid, (masks, source) in zip(self._results, grids, NAMES, strict=False):
                write_masks(item.masks, item.provenance, grid, folder / masks)
                numbers = np.zeros(grid.shape, np.uint16)
                for number, mask in item.lesions.items():
                    numbers[mask.box][mask.array != 0] = number
                write_nrrd(numbers, grid, folder / masks / LESIONS)
                (folder / source).write_text("\n".join(item.files), encoding="utf-8")
            if self._pdf is not None:
                shutil.copyfile(self._pdf, folder / NAMES[0][0] / PDF)

        return write

    def _command(self) -> list[str]:
        return export_command(self._program, *NAMES[0], OUTPUT, NAMES[1] if len(self._results) > 1 else None)

    def _secrets(self) -> list[str]:
        texts = [text for item in self._results for text in (item.ct.GetName(), *item.files)]
        return [*texts, str(self.folder), str(self._pdf or "")]
