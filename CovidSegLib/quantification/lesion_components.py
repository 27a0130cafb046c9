"""Components of an array of codes, pairs of labels, and boxes: what `lesion_labels` computes with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..masks import Box, bounding_box, label_components
from .lesion_division import Point

#: Tables of pairs with more cells than this are counted by sorting.
_MOST_CELLS = 20_000_000


def changed_box(before: np.ndarray, after: np.ndarray) -> Box | None:
    """Return the smallest box that contains all differences of two uint8 or boolean arrays, or None.

    >>> before, after = np.zeros((2, 4, 4, 6), np.uint8)
    >>> after[1:3, 2, 5] = 1
    >>> changed_box(before, after)
    (slice(1, 3, None), slice(2, 3, None), slice(5, 6, None))
    """
    # Slices that are equal are found by comparing their bytes, which needs no temporary array.
    slices = [z for z in range(len(before)) if not np.array_equal(before[z], after[z])]
    if not slices:
        return None
    first, last = slices[0], slices[-1] + 1
    box = bounding_box(before[first:last] != after[first:last])
    return moved_box(box, (first, 0, 0))


def label_codes(code: np.ndarray) -> tuple[np.ndarray, int]:
    """Label the 26-connected components of voxels with the same code, 0 for the background; and count them."""
    labels, count = np.zeros(code.shape, np.int32), 0
    for value in range(1, int(code.max(initial=0)) + 1):
        mask = code == value
        box = bounding_box(mask)
        if box is not None:
            mask = mask[box]
            found, number = label_components(mask)
            if count:
                np.add(found, count, out=found, where=mask)
            labels[box] += found
            count += number
    return labels, count


def count_pairs(
    parts: np.ndarray, numbers: np.ndarray, count: int, highest: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the pairs of component and lesion that occur at the same voxel: components, lesions, numbers of voxels."""
    both = (parts > 0) & (numbers > 0)
    key = parts[both].astype(np.int64) * highest + numbers[both]
    if (count + 1) * highest < _MOST_CELLS:
        voxels = np.bincount(key)
        key = np.flatnonzero(voxels)
        voxels = voxels[key]
    else:
        key, voxels = np.unique(key, return_counts=True)
    return key // highest, key % highest, voxels


def values(array: np.ndarray) -> set[int]:
    """Return the values in an array other than zero."""
    return set(np.unique(array[array > 0]).tolist())


def grown_box(box: Box, shape: Sequence[int]) -> Box:
    """Return a box with a margin of one voxel, within an array."""
    z, y, x = (slice(max(part.start - 1, 0), min(part.stop + 1, size)) for part, size in zip(box, shape, strict=True))
    return z, y, x


def union_of(boxes: Sequence[Box]) -> Box:
    z, y, x = (
        slice(min(part.start for part in along), max(part.stop for part in along)) for along in zip(*boxes, strict=True)
    )
    return z, y, x


def whole_box(shape: Sequence[int]) -> Box:
    """Return the box of a whole array."""
    z, y, x = (slice(0, size) for size in shape)
    return z, y, x


def parts_around(array: np.ndarray, box: Box) -> list[np.ndarray]:
    """Return the parts of an array outside a box."""
    z, y, x = box
    return [
        array[: z.start],
        array[z.stop :],
        array[z, : y.start],
        array[z, y.stop :],
        array[z, y, : x.start],
        array[z, y, x.stop :],
    ]


def moved_box(box: Box | None, corner: Sequence[int]) -> Box | None:
    if box is None:
        return None
    z, y, x = (slice(part.start + start, part.stop + start) for part, start in zip(box, corner, strict=True))
    return z, y, x


def moved_point(point: Point, corner: Sequence[int], sign: int) -> Point:
    z, y, x = (along + sign * start for along, start in zip(point[:3], corner, strict=True))
    return z, y, x, point[3]
