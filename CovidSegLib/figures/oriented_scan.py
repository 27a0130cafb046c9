"""A CT and its masks on the patient's axes, as figures and reports show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from skimage.measure import label, regionprops

from ..preprocessing import AxialView
from ..segmentation import LEFT_LUNG, RIGHT_LUNG, Segmentation
from ..volume import Grid, Volume

#: Voxels above belong to the patient or the table.
BODY_HU = -500
#: Labels of the lungs by the name of their mask.
LUNGS = {"right": RIGHT_LUNG, "left": LEFT_LUNG}
#: Letters of the patient's sides at low and high LPS coordinates, along x, y and z.
SIDES = (("R", "L"), ("A", "P"), ("I", "S"))


@dataclass(frozen=True)
class OrientedScan:
    """A CT and its masks with z towards the head, y towards the back and x towards the patient's left.

    The arrays share the memory of the CT and its segmentation. On an oblique grid the axes are the nearest ones of the
    patient.

    Attributes:
        hu: HU (z, y, x).
        lungs: uint8 (z, y, x): 0 outside, 1 right lung, 2 left lung.
        infection: Boolean (z, y, x).
        spacing: Voxel spacing in mm along (z, y, x).
        grid: The grid of the CT.
        view: How its arrays are reoriented.
        rows: Range of y that contains the body.
        columns: Range of x that contains the body.
    """

    hu: np.ndarray
    lungs: np.ndarray
    infection: np.ndarray
    spacing: tuple[float, float, float]
    grid: Grid
    view: AxialView
    rows: slice
    columns: slice

    @classmethod
    def of(cls, volume: Volume, segmentation: Segmentation) -> OrientedScan:
        """Reorient a CT and its segmentation."""
        view = AxialView.of(volume.grid)
        hu, lungs, infection = (view.apply(a) for a in (volume.array, segmentation.lungs, segmentation.infection))
        rows, columns = _body_box(hu, np.logical_or(lungs.any(axis=0), infection.any(axis=0)))
        return cls(hu, lungs, infection, view.spacing(volume.grid), volume.grid, view, rows, columns)

    def mask(self, name: str, where: tuple[Any, ...]) -> np.ndarray:
        """Return a part of a mask: boolean, of "right", "left" or "infection"."""
        return self.infection[where] if name == "infection" else self.lungs[where] == LUNGS[name]

    def best_index(self, axis: int) -> int:
        """Return the index along an array axis with the most infection, else with the most lung, else in the middle."""
        others = tuple(a for a in range(3) if a != axis)
        infection = np.count_nonzero(self.infection, axis=others)
        if infection.any():
            return int(infection.argmax())
        lungs = np.count_nonzero(self.lungs, axis=others)
        return int(lungs.argmax()) if lungs.any() else self.hu.shape[axis] // 2

    def spread_indices(self, count: int) -> list[int]:
        """Return `count` indices along z, evenly spread from apex to base of the lungs; of the scan without lungs."""
        lungs = np.flatnonzero(self.lungs.any((1, 2)))
        top, base = (lungs[-1], lungs[0]) if len(lungs) else (self.hu.shape[0] - 1, 0)
        fractions = (np.arange(count) + 0.5) / count
        return [round(float(top - fraction * (top - base))) for fraction in fractions]

    def position(self, axis: int, index: int) -> str:
        """Return the position of a slice as Slicer displays it: side of the patient, distance to the origin in mm."""
        index_of_view = [n / 2 for n in self.hu.shape]
        index_of_view[axis] = float(index)
        for flipped in self.view.flips:
            index_of_view[flipped] = self.hu.shape[flipped] - 1 - index_of_view[flipped]
        zyx = np.zeros(3)
        zyx[list(self.view.axes)] = index_of_view
        lps = (self.grid.affine_lps @ (*zyx[::-1], 1.0))[2 - axis]
        return f"{SIDES[2 - axis][int(lps > 0)]} {abs(lps):.0f} mm"


def _body_box(hu: np.ndarray, found: np.ndarray) -> tuple[slice, slice]:
    """Return the rows and columns that contain the body and what was found, with a margin, but not the table.

    Args:
        hu: HU (z, y, x).
        found: Boolean (y, x): where masks are in any slice.
    """
    step = max(1, hu.shape[1] // 128)
    silhouette = (hu[:: max(1, len(hu) // 32), ::step, ::step] > BODY_HU).mean(0) > 0.3
    parts = regionprops(label(silhouette))
    if not parts:
        return slice(0, hu.shape[1]), slice(0, hu.shape[2])
    boxes = [tuple(step * b for b in max(parts, key=lambda part: part.area).bbox)]
    rows, columns = np.nonzero(found)
    if len(rows):
        boxes.append((rows.min(), columns.min(), rows.max() + 1, columns.max() + 1))
    low, high = np.min(boxes, axis=0)[:2] - 2 * step, np.max(boxes, axis=0)[2:] + 2 * step
    return slice(max(low[0], 0), min(high[0], hu.shape[1])), slice(max(low[1], 0), min(high[1], hu.shape[2]))
