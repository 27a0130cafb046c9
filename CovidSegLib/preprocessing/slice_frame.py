"""Crop and resample axial slices to the input size of a two-dimensional network, and map predictions back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from ..volume import AIR_HU


@dataclass(frozen=True)
class SliceFrame:
    """A rectangle of the axial slices, and the size to which it is resampled for a network.

    Attributes:
        top: First row of the rectangle. The rectangle may extend beyond the slice, where it is padded with air.
        left: First column of the rectangle.
        height: Rows of the rectangle.
        width: Columns of the rectangle.
        size: Rows and columns of the network's input.
    """

    top: int
    left: int
    height: int
    width: int
    size: tuple[int, int]

    @classmethod
    def around(
        cls,
        mask: np.ndarray,
        pixel_mm: tuple[float, float],
        size: tuple[int, int],
        margin_mm: float,
        *,
        stretch: bool = False,
    ) -> SliceFrame:
        """Return the smallest frame that contains a mask and a margin, with the aspect ratio of `size`.

        Args:
            mask: Boolean (rows, columns). If it is empty, the frame contains the whole slice.
            pixel_mm: Row and column spacing in mm.
            size: Rows and columns of the network's input.
            margin_mm: Margin on every side in mm.
            stretch: Do not extend the frame to the aspect ratio of `size`; the image is stretched instead.
        """
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not len(rows):
            rows, columns = np.arange(mask.shape[0]), np.arange(mask.shape[1])
        height_mm = (rows[-1] - rows[0] + 1) * pixel_mm[0] + 2 * margin_mm
        width_mm = (columns[-1] - columns[0] + 1) * pixel_mm[1] + 2 * margin_mm
        scale = max(height_mm / size[0], width_mm / size[1])
        if not stretch:
            height_mm, width_mm = scale * size[0], scale * size[1]
        height, width = round(height_mm / pixel_mm[0]), round(width_mm / pixel_mm[1])
        top, left = (int(rows[0] + rows[-1]) + 1 - height) // 2, (int(columns[0] + columns[-1]) + 1 - width) // 2
        return cls(top, left, height, width, size)

    def pixel_mm(self, row_mm: float) -> float:
        """Return the row spacing of the network's input in mm.

        Args:
            row_mm: Row spacing of the slice in mm.
        """
        return row_mm * self.height / self.size[0]

    def extract(self, slices: np.ndarray, fill: float = AIR_HU, interpolation: str = "area") -> torch.Tensor:
        """Crop slices to the frame and resample them to the size of the network's input.

        Args:
            slices: Array (n, rows, columns).
            fill: Value beyond the edge of the slices.
            interpolation: "area" averages when downsampling; "nearest" is for labels.

        Returns:
            float32 (n, *size).
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

    def insert(self, maps: torch.Tensor, output: np.ndarray) -> None:
        """Resample probability maps to the frame and write them into whole slices.

        Args:
            maps: Probabilities from 0 to 1, (n, *size).
            output: uint8 (n, rows, columns), which receives 0 to 255. Pixels outside the frame are not changed.
        """
        full = functional.interpolate(maps[:, None].float(), (self.height, self.width), mode="bilinear")[:, 0]
        rows, columns = output.shape[1:]
        top, left = max(self.top, 0), max(self.left, 0)
        bottom, right = min(self.top + self.height, rows), min(self.left + self.width, columns)
        inside = full[:, top - self.top : bottom - self.top, left - self.left : right - self.left]
        output[:, top:bottom, left:right] = (inside * 255).round_().clamp_(0, 255).to(torch.uint8).numpy()


def neighbouring_slices(index: int, count: int, slices: int, slice_mm: float, step_mm: float) -> list[int]:
    """Return the indices of slices around a slice. The first and last slice of the scan are repeated beyond its ends.

    Args:
        index: The slice in the middle.
        count: Number of slices of the scan.
        slices: Number of slices to return; odd.
        slice_mm: Distance between slices of the scan in mm.
        step_mm: Distance between the returned slices in mm, rounded to a whole number of slices, at least one.

    >>> neighbouring_slices(10, 100, 3, slice_mm=1.0, step_mm=2.5)
    [8, 10, 12]
    """
    step = max(1, round(step_mm / slice_mm))
    return [min(max(index + k * step, 0), count - 1) for k in range(-(slices // 2), slices // 2 + 1)]
