"""The axes of an array, turned so that it is axial slices; exactly undone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..volume import AxialScan, AxialSpacing, Grid, Volume


@dataclass(frozen=True)
class AxialView:
    """The axis permutation and flips that bring an array nearest to axial slices of a patient lying on the back.

    In the view, axis 0 runs from feet to head, axis 1 from front to back and axis 2 from right to left (LPS). Nothing
    is interpolated: an oblique grid stays as oblique as it was.
    """

    axes: tuple[int, int, int]
    flips: tuple[int, ...]

    @classmethod
    def of(cls, grid: Grid) -> AxialView:
        """The view of arrays on `grid`."""
        code = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(grid.direction)
        # Letter k names where image axis k (x, y, z) points; array axes run the other way, z first.
        array_axis_of = {letter: 2 - axis for axis, letter in enumerate(code)}
        axes, flips = [], []
        for view_axis, (towards, away) in enumerate((("S", "I"), ("P", "A"), ("L", "R"))):
            axes.append(array_axis_of.get(towards, array_axis_of.get(away, -1)))
            if away in array_axis_of:
                flips.append(view_axis)
        return cls((axes[0], axes[1], axes[2]), tuple(flips))

    def apply(self, array: np.ndarray) -> np.ndarray:
        """The array as axial slices; a view of the same memory."""
        return np.flip(array.transpose(self.axes), self.flips)

    def undo(self, array: np.ndarray) -> np.ndarray:
        """An array in the view, back on the axes of the grid; a view of the same memory."""
        return np.flip(array, self.flips).transpose(np.argsort(self.axes))

    def spacing(self, grid: Grid) -> AxialSpacing:
        """Voxel distance in mm along the axes of the view: between slices, rows and columns."""
        between, rows, columns = (grid.spacing[2 - axis] for axis in self.axes)
        return AxialSpacing(between, rows, columns)

    def scan(self, volume: Volume) -> AxialScan:
        """A CT as axial slices; its array is a view of the same memory."""
        return AxialScan(self.apply(volume.array), self.spacing(volume.grid))
