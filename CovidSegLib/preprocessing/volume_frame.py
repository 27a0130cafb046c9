"""A box of a scan at the voxel size at which a three-dimensional network sees it, and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from ..masks import Box, bounding_box
from ..volume import AxialSpacing


@dataclass(frozen=True)
class VolumeFrame:
    """A box of the axial slices, and the size in voxels at which a network sees it.

    Both grids fill the same box to its outer faces, so what is taken and put back has not moved, whatever the sizes.

    Attributes:
        box: The box (slices, rows, columns) of the scan.
        size: Voxels of the network's grid along the same axes.
    """

    box: Box
    size: tuple[int, int, int]

    @classmethod
    def around(
        cls,
        mask: np.ndarray,
        spacing: AxialSpacing,
        wanted_mm: tuple[float, float, float] | None,
        margin_mm: float,
    ) -> VolumeFrame:
        """The smallest frame that holds a mask, widened by a margin as far as the scan goes.

        Args:
            mask: Boolean (slices, rows, columns); all of the scan is framed if it is empty.
            spacing: mm between slices, rows, columns.
            wanted_mm: Voxel size of the network's grid, met as nearly as whole voxels allow; the scan's own if None.
            margin_mm: Added on every side.
        """
        inner = bounding_box(mask) or tuple(slice(0, length) for length in mask.shape)
        margins = [round(margin_mm / mm) for mm in spacing]
        z, y, x = (
            slice(max(part.start - margin, 0), min(part.stop + margin, length))
            for part, margin, length in zip(inner, margins, mask.shape, strict=True)
        )
        lengths = [part.stop - part.start for part in (z, y, x)]
        steps = [a / b for a, b in zip(spacing, wanted_mm or spacing, strict=True)]
        depth, height, width = (max(1, round(n * step)) for n, step in zip(lengths, steps, strict=True))
        return cls((z, y, x), (depth, height, width))

    def spacing(self, spacing: AxialSpacing) -> AxialSpacing:
        """mm between the network's voxels, from that between the scan's."""
        sizes = zip(self.box, self.size, spacing, strict=True)
        depth, height, width = ((part.stop - part.start) / size * mm for part, size, mm in sizes)
        return AxialSpacing(depth, height, width)

    def extract(self, array: np.ndarray) -> torch.Tensor:
        """An array (slices, rows, columns) as the network sees it: float32 of `size`, averaged where it is coarser."""
        return _resampled(torch.from_numpy(np.ascontiguousarray(array[self.box], dtype=np.float32)), self.size)

    def extract_labels(self, labels: np.ndarray) -> torch.Tensor:
        """Labels or a mask (slices, rows, columns) as the network sees them: uint8 of `size`, by the nearest voxel."""
        inside = torch.from_numpy(np.ascontiguousarray(labels[self.box], dtype=np.uint8))
        return functional.interpolate(inside[None, None], self.size, mode="nearest-exact")[0, 0]

    def insert(self, maps: torch.Tensor, target: np.ndarray) -> None:
        """Write maps (`size`) of values 0 to 1 into `target`, uint8 (slices, rows, columns), as 0 to 255."""
        inside = target[self.box]
        full = _resampled(maps, inside.shape)
        inside[...] = (full * 255).round_().clamp_(0, 255).to(torch.uint8).numpy()


def _resampled(maps: torch.Tensor, size: tuple[int, ...]) -> torch.Tensor:
    """Maps (depth, height, width) at another size: linear between voxels, averaged over them where it is coarser.

    torch averages in two dimensions only, so it goes over slices first and then across them.
    """
    if tuple(maps.shape) == tuple(size):
        return maps
    slices = functional.interpolate(maps[:, None], size[1:], mode="bilinear", antialias=True)[:, 0]
    if len(slices) == size[0]:
        return slices
    lines = slices.reshape(1, 1, len(slices), -1)
    lines = functional.interpolate(lines, (size[0], lines.shape[3]), mode="bilinear", antialias=True)
    return lines.reshape(tuple(size))
