"""How far the surface of a result lies from that of the truth: normalised surface Dice and Hausdorff distance."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.ndimage import binary_erosion
from scipy.spatial import KDTree

from ..masks import bounding_box


def _none() -> np.ndarray:
    return np.zeros(0)


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """From each voxel of one surface to the nearest of the other, in mm, both ways; infinite where there is no other.

    A voxel is of the surface if it is in the mask and shares a face with one that is not; each counts alike, whatever
    area it stands for. That is what MONAI does (`compute_surface_dice` without subvoxels, after Seidlitz et al. 2022);
    DeepMind's `surface-distance` weighs by area instead.

    Attributes:
        of_found: From the surface of the result.
        of_true: From the surface of the truth.
    """

    of_found: np.ndarray = field(default_factory=_none)
    of_true: np.ndarray = field(default_factory=_none)

    @classmethod
    def of(
        cls, found: np.ndarray, true: np.ndarray, spacing: tuple[float, float, float], *, open_ends: bool = False
    ) -> SurfaceDistances:
        """Measure two masks.

        Args:
            found, true: bool (z, y, x).
            spacing: mm along (z, y, x).
            open_ends: The scan goes on before the first slice and after the last one, so that a mask which is cut off
                there has no surface there. If False, the outside of the array is empty, as in MONAI.

        Raises:
            ValueError: The shapes differ.
        """
        if found.shape != true.shape:
            raise ValueError(f"masks of shapes {found.shape} and {true.shape} cannot be compared")
        points = [_surface(mask, open_ends) * np.asarray(spacing) for mask in (found, true)]
        return cls(_nearest(points[0], points[1]), _nearest(points[1], points[0]))

    def __add__(self, other: SurfaceDistances) -> SurfaceDistances:
        """The surfaces of two runs of slices together; each voxel looks for the other surface in its own run."""
        return SurfaceDistances(
            np.concatenate([self.of_found, other.of_found]), np.concatenate([self.of_true, other.of_true])
        )

    def dice(self, tolerance: float) -> float:
        """Normalised surface Dice: the share of both surfaces that lies within `tolerance` mm of the other.

        Nikolov et al., "Clinically applicable segmentation of head and neck anatomy for radiotherapy", JMIR 2021; by
        voxels, as the class says. Both empty: 1 (MONAI: NaN). One empty: 0.
        """
        both = np.concatenate([self.of_found, self.of_true])
        return float(np.mean(both <= tolerance)) if both.size else 1.0

    def hausdorff(self, percentile: float = 95.0) -> float:
        """Hausdorff distance in mm: the larger of the two ways' percentiles of the distance.

        95 is that of Taha and Hanbury 2015 and of MONAI; 100 gives the greatest distance. Both empty: 0 (MONAI: NaN).
        One empty: NaN, as there is no distance (MONAI: infinite or NaN); so it is where, in so many runs that the
        percentile is infinite, one is empty.
        """
        if not (self.of_found.size or self.of_true.size):
            return 0.0
        if not (self.of_found.size and self.of_true.size):
            return float("nan")
        with np.errstate(invalid="ignore"):  # between a finite and an infinite distance
            worst = float(np.max([np.percentile(way, percentile) for way in (self.of_found, self.of_true)]))
        return worst if np.isfinite(worst) else float("nan")


def _surface(mask: np.ndarray, open_ends: bool) -> np.ndarray:
    """Indices (n, 3) of the voxels of a mask that share a face with what is not in it."""
    box = bounding_box(mask)
    if box is None:
        return np.zeros((0, 3))
    padded = np.pad(mask[box], 1)
    if open_ends and box[0].start == 0:
        padded[0] = padded[1]
    if open_ends and box[0].stop == len(mask):
        padded[-1] = padded[-2]
    surface = padded & ~binary_erosion(padded)
    return np.argwhere(surface[1:-1, 1:-1, 1:-1]) + [along.start for along in box]


def _nearest(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The distance of each of some points (n, 3) to the nearest of others (m, 3)."""
    if not len(points) or not len(others):
        return np.full(len(points), np.inf)
    distance: np.ndarray = KDTree(others).query(points)[0]
    return distance
