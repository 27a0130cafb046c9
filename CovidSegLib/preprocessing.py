"""From a CT to what a two-dimensional network takes, and back: axes, region, size, HU window; exactly undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
import torch
from scipy import ndimage
from torch.nn import functional

from .volume import Grid

#: Beyond the edge of an image there is air.
AIR_HU = -1024
#: Between air outside the body (-1000 HU, with its noise) and aerated lung (about -860 HU).
NOT_AIR_HU = -940


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

    def spacing(self, grid: Grid) -> tuple[float, float, float]:
        """Voxel distance in mm along the axes of the view: between slices, rows and columns."""
        between, rows, columns = (grid.spacing[2 - axis] for axis in self.axes)
        return between, rows, columns


@dataclass(frozen=True)
class SliceFrame:
    """A rectangle of the axial slices, and the size at which a network sees it.

    Attributes:
        top, left, height, width: The rectangle in pixels of the slice; it may reach beyond it, where there is air.
        size: Rows and columns of the network's input.
    """

    top: int
    left: int
    height: int
    width: int
    size: tuple[int, int]

    @classmethod
    def around(
        cls, mask: np.ndarray, pixel_mm: tuple[float, float], size: tuple[int, int], margin_mm: float
    ) -> SliceFrame:
        """The smallest frame that holds a mask (rows, columns), widened by a margin and to the proportions of `size`.

        Args:
            mask: Boolean (rows, columns); all of the slice is framed if it is empty.
            pixel_mm: Row and column spacing.
            size: Rows and columns of the network's input.
            margin_mm: Added on every side.
        """
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not len(rows):
            rows, columns = np.arange(mask.shape[0]), np.arange(mask.shape[1])
        height_mm = (rows[-1] - rows[0] + 1) * pixel_mm[0] + 2 * margin_mm
        width_mm = (columns[-1] - columns[0] + 1) * pixel_mm[1] + 2 * margin_mm
        scale = max(height_mm / size[0], width_mm / size[1])
        height, width = round(scale * size[0] / pixel_mm[0]), round(scale * size[1] / pixel_mm[1])
        top, left = (int(rows[0] + rows[-1]) + 1 - height) // 2, (int(columns[0] + columns[-1]) + 1 - width) // 2
        return cls(top, left, height, width, size)

    def pixel_mm(self, row_mm: float) -> float:
        """Row spacing of the network's input, from that of the slice."""
        return row_mm * self.height / self.size[0]

    def take(self, slices: np.ndarray, fill: float = AIR_HU, interpolation: str = "area") -> torch.Tensor:
        """Slices (n, rows, columns) as the network sees them: float32 (n, *size).

        Downsampling averages over what becomes one pixel; `interpolation="nearest"` is for labels.
        """
        rows, columns = slices.shape[1:]
        inside = slices[:, max(self.top, 0) : self.top + self.height, max(self.left, 0) : self.left + self.width]
        pixels = torch.from_numpy(np.ascontiguousarray(inside, dtype=np.float32))
        after = (self.left + self.width - columns, self.top + self.height - rows)
        pad = (max(-self.left, 0), max(after[0], 0), max(-self.top, 0), max(after[1], 0))
        pixels = functional.pad(pixels, pad, value=fill)[:, None]
        if interpolation == "nearest":
            return functional.interpolate(pixels, self.size, mode="nearest-exact")[:, 0]
        return functional.interpolate(pixels, self.size, mode="bilinear", antialias=True)[:, 0]

    def put_back(self, maps: torch.Tensor, target: np.ndarray) -> None:
        """Write maps (n, *size) of values 0 to 1 into `target`, uint8 (n, rows, columns), as 0 to 255."""
        full = functional.interpolate(maps[:, None].float(), (self.height, self.width), mode="bilinear")[:, 0]
        rows, columns = target.shape[1:]
        top, left = max(self.top, 0), max(self.left, 0)
        bottom, right = min(self.top + self.height, rows), min(self.left + self.width, columns)
        inside = full[:, top - self.top : bottom - self.top, left - self.left : right - self.left]
        target[:, top:bottom, left:right] = (inside * 255).round_().clamp_(0, 255).to(torch.uint8).numpy()


def scale_window(pixels: torch.Tensor, window_hu: Sequence[float]) -> torch.Tensor:
    """HU to [0, 1] over a window (low, high); values beyond it are cut off."""
    low, high = window_hu
    return ((pixels - low) / (high - low)).clamp_(0.0, 1.0)


def keep_near(pixels: torch.Tensor, mask: torch.Tensor, margin: int) -> torch.Tensor:
    """HU pixels (n, rows, columns) where a mask of the same shape is within `margin` pixels; air elsewhere."""
    near = mask[:, None].float()
    if margin > 0:
        near = functional.max_pool2d(near, 2 * margin + 1, stride=1, padding=margin)
    return torch.where(near[:, 0] > 0.5, pixels, torch.tensor(float(AIR_HU)))


def neighbours(index: int, count: int, slices: int, between_mm: float, step_mm: float) -> list[int]:
    """Indices of the `slices` (odd) slices around `index`, about `step_mm` apart; the ends of the scan repeat.

    Args:
        index: The slice in the middle.
        count: Slices in the scan.
        slices: How many to take.
        between_mm: Distance of neighbouring slices of the scan.
        step_mm: Distance wanted; never less than one slice.
    """
    step = max(1, round(step_mm / between_mm))
    return [min(max(index + k * step, 0), count - 1) for k in range(-(slices // 2), slices // 2 + 1)]


def body_mask(axial: np.ndarray, pixel_mm: tuple[float, float]) -> np.ndarray:
    """Where the body is, seen along its length: boolean (rows, columns). The table is left out.

    Some sixteen slices, at about 4 mm, are thresholded below lung and above air, so that lungs and chest wall are one
    piece also where a cropped picture shows little of the wall; opened, so that the table's thin shells go; the largest
    piece is kept and filled. Arms that only some slices show do not count.
    """
    step = [max(1, round(4.0 / mm)) for mm in pixel_mm]
    coarse = axial[:: max(1, len(axial) // 16), :: step[0], :: step[1]] > NOT_AIR_HU
    seen = np.zeros(coarse.shape[1:], dtype=np.float32)
    for section in coarse:
        labels, found = ndimage.label(ndimage.binary_opening(section, iterations=2))
        if found:
            largest = labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
            seen += ndimage.binary_fill_holes(largest)
    mask = seen >= max(1.0, 0.25 * len(coarse))
    return np.repeat(np.repeat(mask, step[0], axis=0), step[1], axis=1)[: axial.shape[1], : axial.shape[2]]
