"""How much of each lung and zone is infected in both CTs.

A zone is a third of the height of a lung of the current CT. The registration carries the zones over to the earlier CT,
so that both columns are about the same part of the lung, whatever the depth of breathing and wherever the scan ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from ..quantification.numbers import RegionNumbers
from ..quantification.zones import ZONES, heights, zone_codes, zone_limits
from .time_point import TimePoint

#: Edge of the cells in which the heights are averaged.
CELL_MM = 8.0


@dataclass(frozen=True)
class Amount:
    """The infection of a region.

    Attributes:
        volume_ml: Volume of the region, including infection.
        infection_ml: Volume of the infection.
    """

    volume_ml: float
    infection_ml: float

    @property
    def involvement_percent(self) -> float | None:
        """Infected share of the region; None if the region is empty."""
        return 100 * self.infection_ml / self.volume_ml if self.volume_ml else None

    @classmethod
    def of(cls, region: RegionNumbers) -> Amount:
        """Return the amount of a region."""
        return cls(region.volume_ml, region.infection_ml)


@dataclass(frozen=True)
class RegionChange:
    """A region in both CTs.

    Attributes:
        name: "right lung", "left lung", "both lungs", "right upper zone", ...
        current: In the current CT.
        prior: In the earlier CT.
    """

    name: str
    current: Amount
    prior: Amount


def region_changes(
    current: TimePoint, prior: TimePoint, transform: sitk.DisplacementFieldTransform
) -> tuple[RegionChange, ...]:
    """Measure lungs and zones in both CTs.

    Args:
        current: The current CT.
        prior: The earlier CT.
        transform: From `registration.sampled`.
    """
    before = [Amount.of(region) for region in prior.regions[:3]] + _zones(current, prior, transform)
    return tuple(
        RegionChange(region.name, Amount.of(region), amount)
        for region, amount in zip(current.regions, before, strict=True)
    )


def _zones(current: TimePoint, prior: TimePoint, transform: sitk.DisplacementFieldTransform) -> list[Amount]:
    """Measure the six zones of the earlier CT."""
    lungs, infection = prior.segmentation.lungs, prior.segmentation.infection
    voxels = np.nonzero(lungs)
    whole = tuple(slice(0, size) for size in current.volume.grid.shape)
    limits = zone_limits(current.segmentation.lungs, heights(current.volume.grid, whole))  # type: ignore[arg-type]
    cells, steps = _carried_heights(prior, transform)
    places = [(index + 0.5) / step - 0.5 for index, step in zip(voxels, steps, strict=True)]
    height = ndimage.map_coordinates(cells, places, np.float32, order=1, mode="nearest")
    codes = zone_codes(lungs[voxels], height, limits)
    count = 1 + 2 * len(ZONES)
    voxel_ml = prior.volume.grid.voxel_ml
    counts = np.bincount(codes + np.uint8(count) * infection[voxels], minlength=2 * count).reshape(2, count) * voxel_ml
    return [Amount(float(counts[:, code].sum()), float(counts[1, code])) for code in range(1, count)]


def _carried_heights(prior: TimePoint, transform: sitk.DisplacementFieldTransform) -> tuple[np.ndarray, list[int]]:
    """Return the heights in the current CT that correspond to the cells of a coarse grid on the earlier CT.

    The transform leads from the current to the earlier CT, and has no inverse in closed form. Its sampled points are
    therefore sorted into the cells that they lead to.

    Returns:
        The mean height in mm of each cell (z, y, x), of the nearest one where no point leads; and the voxels per cell.
    """
    grid = prior.volume.grid
    field = transform.GetDisplacementField()
    shift = sitk.GetArrayViewFromImage(field)
    index = np.indices(shift.shape[:3], np.float32)[::-1]
    points = np.stack([o + s * along for o, s, along in zip(field.GetOrigin(), field.GetSpacing(), index, strict=True)])
    led = points + np.moveaxis(shift, -1, 0)
    to_voxel = np.linalg.inv(grid.affine_lps)
    x, y, z = to_voxel[:3, :3] @ led.reshape(3, -1) + to_voxel[:3, 3:]
    steps = [max(1, round(CELL_MM / mm)) for mm in reversed(grid.spacing)]
    shape = tuple(-(-size // step) for size, step in zip(grid.shape, steps, strict=True))
    cell = [np.floor(along / step + 0.5 / step).astype(int) for along, step in zip((z, y, x), steps, strict=True)]
    inside = np.all([(along >= 0) & (along < size) for along, size in zip(cell, shape, strict=True)], axis=0)
    flat = np.ravel_multi_index([along[inside] for along in cell], shape)
    number = np.bincount(flat, minlength=int(np.prod(shape)))
    total = np.bincount(flat, points[2].ravel()[inside], number.size)
    mean = (total / np.maximum(number, 1)).reshape(shape)
    nearest = ndimage.distance_transform_edt(number.reshape(shape) == 0, return_distances=False, return_indices=True)
    return mean[tuple(nearest)], steps
