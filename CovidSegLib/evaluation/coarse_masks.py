"""Coarse masks of a case, which an evaluation keeps for three-dimensional pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from vtkmodules.vtkCommonDataModel import vtkPolyData

from ..surfaces import closed_surface
from ..volume import AxialSpacing, Grid, GridSpacing

#: Distance of the voxels that are kept, in mm.
COARSE_MM = 2.0


@dataclass(frozen=True)
class CoarseMasks:
    """Every n-th voxel of some masks, one bit each.

    Attributes:
        packed: Bits by structure, from `numpy.packbits`.
        shape: Shape of the coarse masks (z, y, x).
        spacing: Spacing of the coarse voxels in mm along (x, y, z).
    """

    packed: dict[str, np.ndarray]
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]

    @classmethod
    def of(cls, masks: Mapping[str, np.ndarray], spacing: AxialSpacing) -> CoarseMasks:
        """Keep boolean masks (slices, rows, columns) of one shape."""
        steps = [max(1, round(COARSE_MM / mm)) for mm in spacing]
        coarse = {name: mask[:: steps[0], :: steps[1], :: steps[2]] for name, mask in masks.items()}
        shape = next(iter(coarse.values())).shape
        z, y, x = (step * mm for step, mm in zip(steps, spacing, strict=True))
        packed = {name: np.packbits(mask) for name, mask in coarse.items()}
        return cls(packed, (shape[0], shape[1], shape[2]), (x, y, z))

    def surfaces(self) -> dict[str, vtkPolyData]:
        """Return closed surfaces in LPS mm by structure. Those of empty masks are left out."""
        grid = Grid(self.shape, GridSpacing(*self.spacing))
        found = {}
        for name, bits in self.packed.items():
            mask = np.unpackbits(bits, count=int(np.prod(self.shape))).reshape(self.shape).astype(bool)
            if (surface := closed_surface(mask, grid)) is not None:
                found[name] = surface
        return found
