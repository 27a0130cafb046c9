"""Worklists of tiny CTs, and a reader who plays them by clicks and keys."""

from pathlib import Path

import harness
import numpy as np
import SimpleITK as sitk
from support.cohorts import cohort_of, finish

from CovidSegLib.cohorts.cases import fail_case, start_case
from CovidSegLib.outputs import write_results
from CovidSegLib.segmentation import Segmentation
from CovidSegLib.volume import Grid, Volume
from CovidSegModule.scene.voxels import BoxArray

FLIPPED = (0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, -1.0)


def painted_case(number: int) -> tuple[Volume, Segmentation]:
    """Return a CT like `harness.painted` on a grid of its own, and its masks. The lesion grows with the number."""
    z, y, x = np.ogrid[:30, :48, :64]
    array = harness.painted()
    array[array == -500] = -850
    lesion = ((x - 17) / 5) ** 2 + ((y - 30) / 5) ** 2 + ((z - 14) / (3 + number)) ** 2 < 1
    array[lesion] = -500
    directions = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0), FLIPPED
    grid = Grid(array.shape, (2.9, 3.1, 5.3), (-90.0 + number, -70.0, -300.0), directions[number % 2])
    lungs = np.select([(array == -850) | lesion, array == -851], [1, 2], 0).astype(np.uint8)
    provenance = {"versions": {"covidseg": "1"}, "model": {"name": "demo", "sha256": "ab" * 32}}
    return Volume(array, grid), Segmentation(lungs, lesion, np.uint8(220) * lesion, grid, provenance)


def write_ct(path: Path, volume: Volume) -> Path:
    """Write a CT, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(volume.to_image(), str(path))
    return path


def make_cohort(folder: Path, names: str = "abc") -> Path:
    """Make a cohort of segmented cases, named by letters, and a last case "failed". Return its `cohort.sqlite`."""
    cohort = cohort_of(folder, *names, "failed")
    for number, name in enumerate(names):
        volume, segmentation = painted_case(number)
        write_ct(folder / f"{name}.nii.gz", volume)
        write_results(folder / "cases" / name, volume, segmentation, skip=["labels", "surfaces", "overview"])
        finish(cohort, name, 2.5 * (number + 1))
    start_case(cohort, "failed")
    fail_case(cohort, "failed", "No lungs were found in this image.")
    return cohort.file


class Reader:
    """Reads a worklist in a panel by clicks and keys.

    Args:
        panel: The panel.
        name: Name of the reader.
    """

    def __init__(self, panel, name="Anna"):
        self.panel, self.ui, self.name = panel, panel.ui, name
        self.section = panel.sections["worklist"]
        self.logic = self.section.logic

    def open(self, path):
        """Open a worklist, and give the name if it is asked for."""
        self.section.open(path)
        if harness.shown(self.ui.readerPanel):
            self.ui.readerEdit.text = self.name
            harness.click(self.ui.readerButton)
        assert not self.ui.worklistStatusLabel.text, self.ui.worklistStatusLabel.text

    def wait(self):
        """Wait until the case is open and the next is read."""
        harness.wait_until(lambda: self.section._steps is None)
        harness.settle(0.05)

    def double_click(self, case):
        """Open a case by a double click on its row."""
        row = next(at for at, row in enumerate(self.section.table.shown) if row.case == case)
        self.section.table.on_double_click(row)
        self.wait()

    def press(self, key):
        """Press a key, and wait until the case is open."""
        harness.press(self.panel, key)
        self.wait()

    def is_open(self, case):
        """Return True if a case is open, and shown."""
        return self.logic.case is not None and self.logic.case.entry.case_id == case

    @property
    def review(self):
        """The masks of the open case."""
        return self.logic._reviews.of(self.panel.parameters.result)

    def paint(self, shift=1):
        """Move the infection, as a stroke of a tool changes it."""
        mask = self.review.mask("infection")
        z, y, x = mask.box
        moved = BoxArray(mask.array, (z, slice(y.start - shift, y.stop - shift), x))
        self.review.write_infection(moved)

    def infection(self):
        """Return the infection of the open case on the whole CT."""
        return self.review.mask("infection").full(self.review.hu().shape)

    def save(self):
        """Let the second pass after which changes are saved, and wait until they are."""
        self.section.on_look()
        harness.wait_until(lambda: not self.logic.is_saving)
        self.section.on_look()

    def column(self, index):
        """Return the texts in a column of the table."""
        table = self.ui.worklistTable
        return [table.item(row, index).text() for row in range(table.rowCount)]
