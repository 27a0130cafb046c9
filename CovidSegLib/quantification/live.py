"""Numbers that follow edits of the masks within a fraction of a second.

All numbers derive from one histogram: voxels by region, infection and Hounsfield unit. After an edit, only the voxels
whose mask has changed are counted again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..masks import Box
from ..volume import Grid
from .zones import ZONE_COUNT, heights, zone_codes, zone_limits

#: Bins of the histogram: one for each Hounsfield unit from this one.
LOWEST_HU, BINS = -1100, 2048
#: Lobes, by their code in the label map: 0 is no lobe.
LOBES = ("right upper", "right middle", "right lower", "left upper", "left lower")
#: Voxels that are counted at a time, which limits the memory that is needed.
CHUNK = 500_000
_REGIONS, _LOBES = ZONE_COUNT + 1, len(LOBES) + 1


@dataclass(frozen=True)
class Counts:
    """Voxels of both lungs.

    Attributes:
        voxels: int64 (infection, lobe, zone, HU bin). Zone 0 is outside the lungs, lobe 0 outside the lobes.
        sums: float64 (infection, lobe, zone): sums of Hounsfield units.
        voxel_ml: Volume of a voxel in ml.
    """

    voxels: np.ndarray
    sums: np.ndarray
    voxel_ml: float


class LiveCounts:
    """Counts the voxels of a CT by region, and keeps the counts right while the masks change.

    Args:
        hu: Hounsfield units (z, y, x). It is read when the box changes.
        grid: Grid of the CT.

    Example:
        >>> hu = np.full((4, 4, 4), -800, np.int16)
        >>> lungs, infection = np.ones(hu.shape, np.uint8), np.zeros(hu.shape, bool)
        >>> whole = (slice(0, 4), slice(0, 4), slice(0, 4))
        >>> live = LiveCounts(hu, Grid(hu.shape))
        >>> int(live.update(whole, lungs, infection).voxels[1].sum())
        0
        >>> infection[0, 0, :2] = True
        >>> int(live.update(whole, lungs, infection).voxels[1].sum())
        2
    """

    def __init__(self, hu: np.ndarray, grid: Grid):
        self._hu, self._grid = hu, grid
        self._box: Box | None = None
        self._lungs = self._infection = np.zeros((0, 0, 0), np.uint8)
        self._lobes: np.ndarray | None = None
        self._lungs_given: np.ndarray | None = None
        self._complete = False
        self._hu_in_box = hu.ravel()[:0]
        self._height = self._limits_counted = np.zeros((1, 1, 1))
        self._counts = np.zeros(2 * _LOBES * _REGIONS * BINS, np.int64)
        self._sums = np.zeros(2 * _LOBES * _REGIONS)

    def update(self, box: Box, lungs: np.ndarray, infection: np.ndarray, lobes: np.ndarray | None = None) -> Counts:
        """Count what has changed since the last call.

        Args:
            box: Position of the arrays on the grid. Keep it as long as it holds all masks, because a new box is counted
                completely.
            lungs: uint8 in the box: 0 outside, 1 right lung, 2 left lung. The lungs include the infection. If it is the
                same array as in the last call, it is taken to be unchanged, which saves time.
            infection: Boolean in the box.
            lobes: uint8 in the box: 0 outside, 1 to 5 as in `LOBES`. None if they are not known.
        """
        for _ in self.steps(box, lungs, infection, lobes):
            pass
        return self.counts

    @property
    def counts(self) -> Counts:
        """The counts after the last `update`, or after the last of the `steps`."""
        shape = (2, _LOBES, _REGIONS)
        return Counts(self._counts.reshape(*shape, BINS), self._sums.reshape(shape), self._grid.voxel_ml)

    def steps(
        self, box: Box, lungs: np.ndarray, infection: np.ndarray, lobes: np.ndarray | None = None
    ) -> Iterator[None]:
        """Do the same as `update` in steps of some hundredths of a second. `counts` has the result.

        If the steps are not finished, the next call of `update` or `steps` starts again.
        """
        limits = self._limits(box, lungs)
        same_zones = np.array_equal(limits, self._limits_counted, equal_nan=True)
        if not self._complete or box != self._box or lobes is not self._lobes or not same_zones:
            self._complete = False
            yield from self._count_all(box, lungs, infection, lobes, limits)
            self._complete = True
        else:
            differs = infection != self._infection
            if lungs is not self._lungs_given:
                differs |= lungs != self._lungs
            changed = np.flatnonzero(differs)
            if changed.size:
                self._count(changed, -1)
                self._lungs.ravel()[changed] = lungs.ravel()[changed]
                self._infection.ravel()[changed] = infection.ravel()[changed]
                self._count(changed, 1)
        self._lungs_given = lungs

    def _limits(self, box: Box, lungs: np.ndarray) -> np.ndarray:
        if box == self._box and (lungs is self._lungs_given or np.array_equal(lungs, self._lungs)):
            return self._limits_counted
        self._height = heights(self._grid, box)
        return zone_limits(lungs, self._height)

    def _count_all(
        self, box: Box, lungs: np.ndarray, infection: np.ndarray, lobes: np.ndarray | None, limits: np.ndarray
    ) -> Iterator[None]:
        self._box, self._lobes, self._limits_counted = box, lobes, limits
        self._lungs, self._infection = lungs.copy(), infection.copy()
        yield
        self._hu_in_box = self._hu[box].ravel()
        self._counts[:], self._sums[:] = 0, 0
        yield
        voxels = np.flatnonzero((lungs > 0) | infection)
        for start in range(0, voxels.size, CHUNK):
            yield
            self._count(voxels[start : start + CHUNK], 1)

    def _count(self, voxels: np.ndarray, sign: int) -> None:
        """Add or subtract voxels, given as flat indices in the box."""
        lungs, infected = self._lungs.ravel()[voxels], self._infection.ravel()[voxels]
        counted = (lungs > 0) | infected.astype(bool)
        if not counted.all():
            voxels, lungs, infected = voxels[counted], lungs[counted], infected[counted]
        hu = self._hu_in_box[voxels]
        code = self._zones(voxels, lungs).astype(np.int32)
        if self._lobes is not None:
            code += _REGIONS * self._lobes.ravel()[voxels].astype(np.int32)
        code += _REGIONS * _LOBES * infected
        self._sums += sign * np.bincount(code, hu, minlength=self._sums.size)
        bins = np.clip(np.rint(hu).astype(np.int32) - LOWEST_HU, 0, BINS - 1)
        self._counts += sign * np.bincount(code * BINS + bins, minlength=self._counts.size)

    def _zones(self, voxels: np.ndarray, lungs: np.ndarray) -> np.ndarray:
        """Return the zone codes of voxels, given as flat indices in the box, in these lungs."""
        extended = [axis for axis, size in enumerate(self._height.shape) if size > 1]
        if len(extended) <= 1:
            # The grid is not oblique. The zones of all planes are few enough to look them up.
            along = self._height.ravel()
            table = zone_codes(
                np.repeat(np.arange(3, dtype=np.uint8)[:, None], along.size, 1), along, self._limits_counted
            )
            if not extended:
                return table[lungs, 0]
            step = int(np.prod(self._lungs.shape[extended[0] + 1 :]))
            return table[lungs, voxels // step % along.size]
        position = np.unravel_index(voxels, self._lungs.shape)
        part = tuple(along if size > 1 else 0 for along, size in zip(position, self._height.shape, strict=True))
        return zone_codes(lungs, self._height[part], self._limits_counted)
