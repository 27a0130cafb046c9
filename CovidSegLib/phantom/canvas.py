"""Shapes defined by distance functions in patient coordinates, and a canvas that draws them on part of any grid."""

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
    """A solid.

    Attributes:
        low: LPS position in mm of the lowest corner of a box that contains the solid.
        high: LPS position in mm of its highest corner.
        distance: Function of broadcastable LPS coordinates (x, y, z) in mm that returns the approximate depth below the
            surface in mm: positive inside, negative outside.
    """

    low: np.ndarray
    high: np.ndarray
    distance: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def ellipsoid(
    centre: tuple[float, float, float], radii: tuple[float, float, float], turn: float = 0.0, tilt: float = 0.0
) -> Shape:
    """Return an ellipsoid.

    Args:
        centre: LPS position in mm.
        radii: Half axes in mm along x, y and z.
        turn: Rotation in degrees about the z axis; positive values move the left side backwards.
        tilt: Subsequent rotation in degrees about the y axis; positive values move the left side towards the feet.
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
    """Return a tube with round ends.

    Args:
        start: LPS position of one end in mm.
        end: LPS position of the other end in mm.
        radius_start: Radius at the start in mm. It changes linearly along the tube.
        radius_end: Radius at the end in mm.
    """
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
    """Return tubes that connect knots (x, y, z, radius), in LPS mm."""
    return [tube(np.array(p[:3]), np.array(q[:3]), p[3], q[3]) for p, q in pairwise(knots)]


def sum_of(*terms: tuple[float, np.ndarray]) -> np.ndarray:
    """Return the weighted sum of broadcastable arrays, in which terms of weight zero do not enlarge the result."""
    total: np.ndarray = np.zeros((1, 1, 1), np.float32)
    for weight, term in terms:
        if abs(weight) > 1e-9:
            total = total + np.float32(weight) * term
    return total


class Canvas:
    """Hounsfield units of consecutive slices of a grid, initially air.

    Args:
        grid: The grid of the whole CT.
        first: The first slice.
        last: The slice after the last one.

    Attributes:
        hu: float32 HU (last - first, y, x).
        edge: Width in mm of the transition at an edge, due to the blur of the scanner and the voxel size.
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

    def region(self, low: np.ndarray, high: np.ndarray) -> tuple[tuple[slice, slice, slice], Points] | None:
        """Return the voxels in a box, given by two LPS corners in mm, and around it.

        Returns:
            Index slices (z, y, x) into `hu` and the LPS coordinates of the voxel centres in mm, or None if the box lies
            outside. On a grid along the patient's axes, each coordinate varies along one axis only, which is fast.
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
        index: tuple[slice, slice, slice],
        depth: np.ndarray,
        hu: float | np.ndarray,
        edge: float | None = None,
        strength: float = 1.0,
    ) -> None:
        """Blend a tissue into a region.

        Args:
            index: Index slices of the region.
            depth: Depth below the surface of the tissue in mm, positive inside.
            hu: Hounsfield units of the tissue.
            edge: Width of the transition at the surface in mm; that of the canvas if None.
            strength: Opacity of the tissue inside, from 0 to 1.
        """
        amount = np.clip(depth / np.float32(edge or self.edge) + np.float32(0.5), 0, 1) * np.float32(strength)
        canvas = self.hu[index]
        canvas += amount * (np.float32(hu) - canvas)

    def paint(self, shape: Shape, hu: float, edge: float | None = None, strength: float = 1.0) -> None:
        """Fill a shape with `hu`."""
        region = self.region(shape.low, shape.high)
        if region is not None:
            index, points = region
            self.mix(index, shape.distance(*points), hu, edge, strength)
