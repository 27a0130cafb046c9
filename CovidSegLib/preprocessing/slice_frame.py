"""A rectangle of axial slices at the size that a two-dimensional network takes, and back; the slices around a slice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from ..volume import AIR_HU


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

    def extract(self, slices: np.ndarray, fill: float = AIR_HU, interpolation: str = "area") -> torch.Tensor:
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

    def insert(self, maps: torch.Tensor, target: np.ndarray) -> None:
        """Write maps (n, *size) of values 0 to 1 into `target`, uint8 (n, rows, columns), as 0 to 255."""
        full = functional.interpolate(maps[:, None].float(), (self.height, self.width), mode="bilinear")[:, 0]
        rows, columns = target.shape[1:]
        top, left = max(self.top, 0), max(self.left, 0)
        bottom, right = min(self.top + self.height, rows), min(self.left + self.width, columns)
        inside = full[:, top - self.top : bottom - self.top, left - self.left : right - self.left]
        target[:, top:bottom, left:right] = (inside * 255).round_().clamp_(0, 255).to(torch.uint8).numpy()


def neighbouring_slices(index: int, count: int, slices: int, slice_mm: float, step_mm: float) -> list[int]:
    """Indices of the `slices` (odd) slices around `index`, about `step_mm` apart; the ends of the scan repeat.

    Args:
        index: The slice in the middle.
        count: Slices in the scan.
        slices: How many to take.
        slice_mm: Distance of neighbouring slices of the scan.
        step_mm: Distance wanted; never less than one slice.
    """
    step = max(1, round(step_mm / slice_mm))
    return [min(max(index + k * step, 0), count - 1) for k in range(-(slices // 2), slices // 2 + 1)]
