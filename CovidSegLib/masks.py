"""Bounding boxes and 26-connected components of masks."""

from __future__ import annotations

import numpy as np

Box = tuple[slice, slice, slice]

#: Structuring element that connects voxels with a common face, edge or corner.
CONNECTIVITY_26 = np.ones((3, 3, 3), dtype=bool)


def bounding_box(mask: np.ndarray) -> Box | None:
    """Return the smallest box (z, y, x) that contains all voxels of a mask or label map, or None if it is empty.

    >>> mask = np.zeros((4, 5, 6), dtype=bool)
    >>> mask[1:3, 2, 3] = True
    >>> bounding_box(mask)
    (slice(1, 3, None), slice(2, 3, None), slice(3, 4, None))
    """
    along_z = np.flatnonzero(np.any(mask, axis=(1, 2)))
    if along_z.size == 0:
        return None
    plane = np.any(mask[along_z[0] : along_z[-1] + 1], axis=0)
    indices = (along_z, np.flatnonzero(np.any(plane, axis=1)), np.flatnonzero(np.any(plane, axis=0)))
    z, y, x = (slice(int(along[0]), int(along[-1]) + 1) for along in indices)
    return z, y, x


def label_components(mask: np.ndarray) -> tuple[np.ndarray, int]:
    """Label the 26-connected components of a mask.

    Args:
        mask: Boolean (z, y, x).

    Returns:
        Labels (z, y, x), 0 for the background and 1 to n for the components; and their number n.

    >>> label_components(np.array([[[1, 0, 0], [0, 1, 0]], [[0, 0, 0], [0, 0, 1]]], dtype=bool))[1]
    1
    """
    from scipy import ndimage  # slow to import, and 3D Slicer needs only the boxes

    labels, count = ndimage.label(mask, structure=CONNECTIVITY_26)
    return labels, count
