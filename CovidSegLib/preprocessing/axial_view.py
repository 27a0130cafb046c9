"""View an array as axial slices, whatever its orientation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..volume import AxialScan, AxialSpacing, Grid, Volume


@dataclass(frozen=True)
class AxialView:
    """The axis permutation and flips that bring an array closest to axial slices of a supine patient.

    In the view, axis 0 runs from feet to head, axis 1 from front to back and axis 2 from the patient's right to left.
    Nothing is interpolated: an oblique grid stays oblique. `undo` is the exact inverse of `apply`.

    Attributes:
        axes: Axis of the array for each axis of the view.
        flips: Axes of the view that are reversed.

    Example:
        >>> coronal = Grid((3, 4, 5), direction=(1, 0, 0, 0, 0, -1, 0, 1, 0))
        >>> view = AxialView.of(coronal)
        >>> view.apply(np.zeros(coronal.shape)).shape
        (4, 3, 5)
    """

    axes: tuple[int, int, int]
    flips: tuple[int, ...]

    @classmethod
    def of(cls, grid: Grid) -> AxialView:
        """Return the view of arrays on a grid."""
        code = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(grid.direction)
        # Letter k states where image axis k (x, y, z) points. Array axes are in reverse order, z first.
        array_axis_of = {letter: 2 - axis for axis, letter in enumerate(code)}
        axes, flips = [], []
        for view_axis, (towards, away) in enumerate((("S", "I"), ("P", "A"), ("L", "R"))):
            axes.append(array_axis_of.get(towards, array_axis_of.get(away, -1)))
            if away in array_axis_of:
                flips.append(view_axis)
        return cls((axes[0], axes[1], axes[2]), tuple(flips))

    def apply(self, array: np.ndarray) -> np.ndarray:
        """Return an array on the grid as axial slices. The result shares its memory."""
        return np.flip(array.transpose(self.axes), self.flips)

    def undo(self, array: np.ndarray) -> np.ndarray:
        """Return axial slices on the axes of the grid. The result shares their memory."""
        return np.flip(array, self.flips).transpose(np.argsort(self.axes))

    def spacing(self, grid: Grid) -> AxialSpacing:
        """Return the spacing in mm along the axes of the view."""
        slices, rows, columns = (grid.spacing[2 - axis] for axis in self.axes)
        return AxialSpacing(slices, rows, columns)

    def scan(self, volume: Volume) -> AxialScan:
        """Return a CT as axial slices. Its array shares the memory of the volume."""
        return AxialScan(self.apply(volume.array), self.spacing(volume.grid))
