"""Crop and resample a scan to the voxel size of a three-dimensional network, and map predictions back.

torch is imported where it works: models that run without it import this module too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..masks import Box, bounding_box
from ..volume import AxialSpacing

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class VolumeFrame:
    """A box of the axial slices, and the grid to which it is resampled for a network.

    The outer faces of both grids coincide, so that nothing is shifted by extracting and inserting, whatever the sizes.

    Attributes:
        box: The box of the scan (slices, rows, columns).
        size: Number of voxels of the network's grid along the same axes.
    """

    box: Box
    size: tuple[int, int, int]

    @classmethod
    def around(
        cls,
        mask: np.ndarray,
        spacing: AxialSpacing,
        voxel_mm: tuple[float, float, float] | None,
        margin_mm: float,
    ) -> VolumeFrame:
        """Return the smallest frame that contains a mask and a margin within the scan.

        Args:
            mask: Boolean (slices, rows, columns). If it is empty, the frame contains the whole scan.
            spacing: Spacing of the scan.
            voxel_mm: Voxel size of the network's grid (slices, rows, columns) in mm, matched as closely as whole voxels
                allow; that of the scan if None.
            margin_mm: Margin on every side in mm.
        """
        inner = bounding_box(mask) or tuple(slice(0, length) for length in mask.shape)
        margins = [round(margin_mm / mm) for mm in spacing]
        z, y, x = (
            slice(max(part.start - margin, 0), min(part.stop + margin, length))
            for part, margin, length in zip(inner, margins, mask.shape, strict=True)
        )
        lengths = [part.stop - part.start for part in (z, y, x)]
        steps = [a / b for a, b in zip(spacing, voxel_mm or spacing, strict=True)]
        depth, height, width = (max(1, round(n * step)) for n, step in zip(lengths, steps, strict=True))
        return cls((z, y, x), (depth, height, width))

    def spacing(self, spacing: AxialSpacing) -> AxialSpacing:
        """Return the spacing of the network's grid, given that of the scan."""
        sizes = zip(self.box, self.size, spacing, strict=True)
        depth, height, width = ((part.stop - part.start) / size * mm for part, size, mm in sizes)
        return AxialSpacing(depth, height, width)

    def extract(self, array: np.ndarray) -> torch.Tensor:
        """Crop an array (slices, rows, columns) and resample it to float32 of `size`, averaging when downsampling."""
        import torch

        return _resampled(torch.from_numpy(np.ascontiguousarray(array[self.box], dtype=np.float32)), self.size)

    def extract_labels(self, labels: np.ndarray) -> torch.Tensor:
        """Crop labels (slices, rows, columns) and resample them to uint8 of `size` by the nearest voxel."""
        import torch
        from torch.nn import functional

        inside = torch.from_numpy(np.ascontiguousarray(labels[self.box], dtype=np.uint8))
        return functional.interpolate(inside[None, None], self.size, mode="nearest-exact")[0, 0]

    def insert(self, maps: torch.Tensor, output: np.ndarray) -> None:
        """Resample a probability map to the box and write it into a whole scan.

        Args:
            maps: Probabilities from 0 to 1, of shape `size`.
            output: uint8 (slices, rows, columns), which receives 0 to 255. Voxels outside the box are not changed.
        """
        import torch

        inside = output[self.box]
        full = _resampled(maps, inside.shape)
        inside[...] = (full * 255).round_().clamp_(0, 255).to(torch.uint8).numpy()


def _resampled(maps: torch.Tensor, size: tuple[int, ...]) -> torch.Tensor:
    """Resample maps (depth, height, width) linearly, averaging when downsampling.

    torch averages in two dimensions only, so the slices are resampled first and then the distance between them.
    """
    from torch.nn import functional

    if tuple(maps.shape) == tuple(size):
        return maps
    slices = functional.interpolate(maps[:, None], size[1:], mode="bilinear", antialias=True)[:, 0]
    if len(slices) == size[0]:
        return slices
    lines = slices.reshape(1, 1, len(slices), -1)
    lines = functional.interpolate(lines, (size[0], lines.shape[3]), mode="bilinear", antialias=True)
    return lines.reshape(tuple(size))
