"""Shapes given by distance functions in patient millimetres, and a canvas that paints them on a part of any grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..volume import Grid
from .tissues import AIR

#: Three float32 arrays of LPS coordinates in mm that broadcast against one another.
Points = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Shape:
    """A solid: `distance(x, y, z)` is about the depth in mm below its surface, positive inside, negative outside.

    Attributes:
        low: LPS mm, the lowest corner of a box that holds the solid.
        high: LPS mm, the highest corner.
        distance: Takes broadcastable LPS coordinates in mm and returns the signed depth in mm.
    """

    low: np.ndarray
    high: np.ndarray
    distance: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def ellipsoid(
    centre: tuple[float, float, float], radii: tuple[float, float, float], turn: float = 0.0, tilt: float = 0.0
) -> Shape:
    """An ellipsoid with its centre in LPS mm and its half axes in mm along x, y, z.

    `turn` degrees about the z axis (positive takes left towards back), then `tilt` degrees about the y axis
    (positive takes left towards feet).
    """
    a, b = np.radians(turn), np.radians(tilt)
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    axes = (about_y @ about_z).T.astype(np.float32)
    half = np.sqrt(((axes.T * np.asarray(radii)) ** 2).sum(1))

    def distance(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        dx, dy, dz = x - np.float32(centre[0]), y - np.float32(centre[1]), z - np.float32(centre[2])
        first, second = np.zeros(1, np.float32) + np.float32(1e-6), np.zeros(1, np.float32) + np.float32(1e-6)
        for (ax, ay, az), radius in zip(axes, radii, strict=True):
            along = (sum_of((ax, dx), (ay, dy), (az, dz)) / np.float32(radius)) ** 2
            first, second = first + along, second + along / np.float32(radius**2)
        first = np.sqrt(first)
        return first * (1 - first) / np.sqrt(second)

    return Shape(np.asarray(centre) - half, np.asarray(centre) + half, distance)


def tube(start: np.ndarray, end: np.ndarray, radius_start: float, radius_end: float) -> Shape:
    """A tube with round ends between two LPS points in mm, of radii in mm that change evenly from end to end."""
    start, end = np.asarray(start, np.float32), np.asarray(end, np.float32)
    axis = end - start
    direction = axis / max(float(axis @ axis), 1e-6)
    widest = max(radius_start, radius_end)
    px, py, pz = (np.float32(v) for v in start)

    def distance(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        dx, dy, dz = x - px, y - py, z - pz
        along = np.clip(dx * direction[0] + dy * direction[1] + dz * direction[2], 0, 1)
        squared = (dx - along * axis[0]) ** 2 + (dy - along * axis[1]) ** 2 + (dz - along * axis[2]) ** 2
        return np.float32(radius_start) + np.float32(radius_end - radius_start) * along - np.sqrt(squared)

    return Shape(np.minimum(start, end) - widest, np.maximum(start, end) + widest, distance)


def path(*knots: tuple[float, float, float, float]) -> list[Shape]:
    """Tubes along knots (x, y, z, radius), in LPS mm."""
    return [tube(np.array(p[:3]), np.array(q[:3]), p[3], q[3]) for p, q in pairwise(knots)]


def sum_of(*terms: tuple[float, np.ndarray]) -> np.ndarray:
    """The weighted sum of broadcastable arrays; terms of weight zero cost nothing and widen nothing."""
    total: np.ndarray = np.zeros((1, 1, 1), np.float32)
    for weight, term in terms:
        if abs(weight) > 1e-9:
            total = total + np.float32(weight) * term
    return total


class Canvas:
    """Hounsfield units of the slices `first` to `last` - 1 of a grid; starts as air.

    Attributes:
        hu: float32 (last - first, y, x), in HU.
        edge: Width in mm over which an edge goes from outside to inside, the blur of scanner and voxel together.
    """

    def __init__(self, grid: Grid, first: int, last: int) -> None:
        self.hu = np.full((last - first, *grid.shape[1:]), AIR, np.float32)
        affine = grid.affine_lps
        affine[:3, 3] += first * affine[:3, 2]
        self._inverse = np.linalg.inv(affine)
        self._lines = affine[:3].tolist()
        depth, rows, columns = (np.arange(n, dtype=np.float32) for n in self.hu.shape)
        self._index = (columns[None, None], rows[None, :, None], depth[:, None, None])
        self.edge = 0.8 + 0.5 * float(np.mean(grid.spacing))

    def part(self, low: np.ndarray, high: np.ndarray) -> tuple[tuple[slice, slice, slice], Points] | None:
        """The voxels around a box given by two LPS corners in mm.

        Returns:
            Index slices (z, y, x) into `hu` and the LPS coordinates of the voxel centres in mm, or None if the box lies
            outside. On a grid along the patient's axes each coordinate varies along one axis only, which is quick.
        """
        low, high = np.asarray(low) - self.edge, np.asarray(high) + self.edge
        centre = self._inverse[:3, :3] @ ((low + high) / 2) + self._inverse[:3, 3]
        reach = np.abs(self._inverse[:3, :3]) @ ((high - low) / 2)
        start = np.maximum(np.floor(centre - reach), 0).astype(int)
        stop = np.minimum(np.ceil(centre + reach) + 1, self.hu.shape[::-1]).astype(int)
        if (stop <= start).any():
            return None
        columns, rows, slices = (slice(a, b) for a, b in zip(start.tolist(), stop.tolist(), strict=True))
        index = (self._index[0][:, :, columns], self._index[1][:, rows], self._index[2][slices])
        x, y, z = (sum_of(*zip(line[:3], index, strict=True)) + np.float32(line[3]) for line in self._lines)
        return (slices, rows, columns), (x, y, z)

    def mix(
        self,
        where: tuple[slice, slice, slice],
        depth: np.ndarray,
        hu: float | np.ndarray,
        edge: float | None = None,
        strength: float = 1.0,
    ) -> None:
        """Blend `hu` in where `depth` (mm, positive inside) says, over an edge of `edge` mm, fully at strength 1."""
        amount = np.clip(depth / np.float32(edge or self.edge) + np.float32(0.5), 0, 1) * np.float32(strength)
        target = self.hu[where]
        target += amount * (np.float32(hu) - target)

    def paint(self, shape: Shape, hu: float, edge: float | None = None, strength: float = 1.0) -> None:
        """Fill a shape with `hu`."""
        found = self.part(shape.low, shape.high)
        if found:
            where, points = found
            self.mix(where, shape.distance(*points), hu, edge, strength)
