"""Divide a lesion: between points in it, or where it has a narrow neck."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

#: A point of a lesion: voxel index (z, y, x), and the radius in mm of the ball around it that fits into the lesion.
#: The radius is zero if it is not known.
Point = tuple[int, int, int, float]

#: A neck is at most this fraction as wide as the smaller of the parts on both sides of it.
_NECK = 0.8
#: Larger lesions are sampled before distances are computed.
_MOST_VOXELS = 2_000_000
#: A place that a reader has chosen may be this far away from the lesion, in mm.
NEAR_MM = 10.0
#: Number of places that are tried as the middle of the second part.
_CANDIDATES = 20


def divide(mask: np.ndarray, points: Sequence[Point], spacing: Sequence[float]) -> np.ndarray:
    """Assign each voxel of a mask to one of several points.

    The boundary between two points is where the distances to the balls around them are equal, measured as power
    distance: squared distance to the point minus squared radius. Two balls that overlap are separated exactly where
    their surfaces meet.

    Args:
        mask: Boolean (z, y, x).
        points: Points, with indices in this mask.
        spacing: Spacing in mm along (z, y, x).

    Returns:
        int32 (n): for each voxel of the mask, in array order, the position in `points`.

    >>> divide(np.ones((1, 1, 5), bool), [(0, 0, 0, 0.0), (0, 0, 4, 2.0)], (1, 1, 1)).tolist()
    [0, 0, 1, 1, 1]
    """
    index = np.nonzero(mask)
    nearest = np.zeros(index[0].size, np.int32)
    shortest = np.full(index[0].size, np.inf, np.float32)
    for number, (*middle, radius) in enumerate(points):
        distance = np.full(index[0].size, -(radius**2), np.float32)
        for along, start, step in zip(index, middle, spacing, strict=True):
            distance += ((along - np.float32(start)) * np.float32(step)) ** 2
        closer = distance < shortest
        nearest[closer], shortest[closer] = number, distance[closer]
    return nearest


def find_neck(mask: np.ndarray, spacing: Sequence[float]) -> tuple[Point, Point] | None:
    """Return two points that divide a lesion at its neck, or None if it has no neck.

    The first point is the middle of the largest ball that fits into the lesion. The second is the middle of the
    largest ball outside the first for which the lesion is narrower in between.

    Args:
        mask: Boolean (z, y, x), a lesion.
        spacing: Spacing in mm along (z, y, x).
    """
    from scipy import ndimage  # takes long to load, and Slicer imports this file when it starts

    step = max(1, math.ceil((mask.size / _MOST_VOXELS) ** (1 / 3)))
    sampled = np.pad(mask[::step, ::step, ::step], 1)
    steps = [step * along for along in spacing]
    depth = ndimage.distance_transform_edt(sampled, sampling=steps).astype(np.float32)
    first = _point(depth, np.unravel_index(int(depth.argmax()), depth.shape))
    peaks = np.argwhere((depth == ndimage.maximum_filter(depth, size=3)) & (depth > 1.5 * min(steps)))
    away = np.linalg.norm((peaks - first[:3]) * steps, axis=1) > first[3]
    peaks = peaks[away]
    order = np.argsort(-depth[tuple(peaks.T)], kind="stable")[:_CANDIDATES]
    for peak in peaks[order]:
        second = _point(depth, peak)
        part = np.zeros(sampled.shape, np.int8)
        part[sampled] = 1 + divide(sampled, [first, second], steps)
        border = (part == 2) & ndimage.binary_dilation(part == 1, np.ones((3, 3, 3), bool))
        # The inscribed ball at the neck is compared with that of the smaller part.
        if not border.any() or depth[border].max() <= _NECK * second[3]:
            return tuple((*(step * (along - 1) for along in point[:3]), point[3]) for point in (first, second))  # type: ignore[return-value]
    return None


def points_to_split_off(mask: np.ndarray, spacing: Sequence[float], voxel: Sequence[int]) -> tuple[Point, Point] | None:
    """Return two points that divide a lesion into its main part and the part around a place that a reader has chosen.

    Args:
        mask: Boolean (z, y, x), a lesion.
        spacing: Spacing in mm along (z, y, x).
        voxel: The place (z, y, x). The nearest voxel of the lesion is taken.

    Returns:
        The middle of the largest ball that fits into the lesion, and the place; None if both are the same voxel, or if
        the place is more than `NEAR_MM` away from the lesion.
    """
    from scipy import ndimage

    voxels = np.argwhere(mask)
    distances = np.linalg.norm((voxels - np.asarray(voxel)) * spacing, axis=1)
    if distances.min() > NEAR_MM:
        return None
    depth = ndimage.distance_transform_edt(np.pad(mask, 1), sampling=spacing)[1:-1, 1:-1, 1:-1]
    first = _point(depth, np.unravel_index(int(depth.argmax()), depth.shape))
    second = _point(depth, voxels[int(distances.argmin())])
    away = float(np.linalg.norm((np.subtract(first[:3], second[:3])) * spacing))
    if not away:
        return None
    # Without a neck between the places, the balls around them overlap. The boundary is then half-way.
    if away <= first[3] + second[3]:
        first, second = (*first[:3], 0.0), (*second[:3], 0.0)
    return first, second


def _point(depth: np.ndarray, index: Sequence[np.integer] | np.ndarray) -> Point:
    z, y, x = (int(along) for along in index)
    return z, y, x, round(float(depth[z, y, x]), 2)
