"""Distances between the surfaces of two masks: normalised surface Dice and Hausdorff distance."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.ndimage import binary_erosion
from scipy.spatial import KDTree

from ..masks import bounding_box
from ..volume import AxialSpacing


def _no_distances() -> np.ndarray:
    return np.zeros(0)


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """Distances in mm between two surfaces: from each surface voxel of one mask to the nearest one of the other.

    A voxel belongs to the surface if it is in the mask and shares a face with a voxel outside it. Every surface voxel
    has the same weight, whatever surface area it represents. MONAI does the same (`compute_surface_dice` without
    subvoxels, after Seidlitz et al. 2022); DeepMind's `surface-distance` weights by area instead.

    Surface distances can be added: the distances of several slice ranges are pooled. Each was measured to the other
    surface within its own range.

    Example:
        >>> target = np.zeros((3, 8, 8), dtype=bool)
        >>> target[1, 2:6, 2:6] = True
        >>> prediction = np.roll(target, 1, axis=2)
        >>> distances = SurfaceDistances.of(prediction, target, AxialSpacing(5.0, 0.5, 0.5))
        >>> distances.hausdorff(100)
        0.5
        >>> distances.dice(1.0), distances.dice(0.4)
        (1.0, 0.75)

    Attributes:
        prediction_to_target: From each surface voxel of the prediction; infinite where the target is empty.
        target_to_prediction: From each surface voxel of the target; infinite where the prediction is empty.
    """

    prediction_to_target: np.ndarray = field(default_factory=_no_distances)
    target_to_prediction: np.ndarray = field(default_factory=_no_distances)

    @classmethod
    def of(
        cls,
        prediction: np.ndarray,
        target: np.ndarray,
        spacing: AxialSpacing,
        *,
        open_ends: bool = False,
    ) -> SurfaceDistances:
        """Measure the distances between two masks.

        Args:
            prediction: Boolean (z, y, x).
            target: Boolean (z, y, x), of the same shape.
            spacing: Distance between slices, rows and columns in mm.
            open_ends: Whether the scan continues beyond the first and the last slice. If True, a mask that is cut off
                at these slices has no surface there. If False, everything outside the array is background, as in MONAI.

        Raises:
            ValueError: The shapes differ.
        """
        if prediction.shape != target.shape:
            raise ValueError(f"masks of shapes {prediction.shape} and {target.shape} cannot be compared")
        from_prediction, from_target = (
            _surface_voxels(mask, open_ends) * np.asarray(spacing) for mask in (prediction, target)
        )
        return cls(_nearest_distances(from_prediction, from_target), _nearest_distances(from_target, from_prediction))

    def __add__(self, other: SurfaceDistances) -> SurfaceDistances:
        return SurfaceDistances(
            np.concatenate([self.prediction_to_target, other.prediction_to_target]),
            np.concatenate([self.target_to_prediction, other.target_to_prediction]),
        )

    def dice(self, tolerance_mm: float) -> float:
        """Return the normalised surface Dice: the share of both surfaces within a tolerance of the other surface.

        Nikolov et al., "Clinically applicable segmentation of head and neck anatomy for radiotherapy", JMIR 2021;
        counted in voxels, not by area. Both masks empty: 1 (MONAI: NaN). One mask empty: 0.

        Args:
            tolerance_mm: Largest distance that still counts as agreement.
        """
        distances = np.concatenate([self.prediction_to_target, self.target_to_prediction])
        return float(np.mean(distances <= tolerance_mm)) if distances.size else 1.0

    def hausdorff(self, percentile: float = 95.0) -> float:
        """Return the Hausdorff distance in mm: a percentile of the distances in each direction, and the larger of both.

        The 95th percentile is the robust variant of Taha and Hanbury 2015, and MONAI's. Both masks empty: 0 (MONAI:
        NaN). One mask empty: NaN, because there is no distance (MONAI: infinite or NaN). A sum of several slice ranges
        is NaN if one mask is empty in so many of them that the percentile is infinite.

        Args:
            percentile: 100 gives the maximum distance.
        """
        directions = (self.prediction_to_target, self.target_to_prediction)
        if not any(distances.size for distances in directions):
            return 0.0
        if not all(distances.size for distances in directions):
            return float("nan")
        # Interpolating between a finite and an infinite distance is an invalid operation.
        with np.errstate(invalid="ignore"):
            worst = float(np.max([np.percentile(distances, percentile) for distances in directions]))
        return worst if np.isfinite(worst) else float("nan")


def _surface_voxels(mask: np.ndarray, open_ends: bool) -> np.ndarray:
    """Return the indices (n, 3) of all voxels of a mask that share a face with a voxel outside it."""
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


def _nearest_distances(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the distance of each point (n, 3) to the nearest of other points (m, 3); infinite without others."""
    if not len(points) or not len(others):
        return np.full(len(points), np.inf)
    distance: np.ndarray = KDTree(others).query(points)[0]
    return distance
