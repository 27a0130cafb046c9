"""Operations on masks that several packages share: the bounding box, and 26-connected components."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

Box = tuple[slice, slice, slice]

#: Structuring element in which voxels touch by faces, edges or corners.
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
        Labels (z, y, x), 0 for the background and 1 to the number of components; that number.
    """
    labels, count = ndimage.label(mask, structure=CONNECTIVITY_26)
    return labels, count
