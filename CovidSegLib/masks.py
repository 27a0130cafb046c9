"""The box around a mask: what most work on a mask can be limited to."""

from __future__ import annotations

import numpy as np

Box = tuple[slice, slice, slice]


def bounding_box(mask: np.ndarray) -> Box | None:
    """The smallest box (z, y, x) that holds all of a mask or label map, or None where it is empty."""
    along_z = np.flatnonzero(np.any(mask, axis=(1, 2)))
    if along_z.size == 0:
        return None
    plane = np.any(mask[along_z[0] : along_z[-1] + 1], axis=0)
    found = (along_z, np.flatnonzero(np.any(plane, axis=1)), np.flatnonzero(np.any(plane, axis=0)))
    z, y, x = (slice(int(along[0]), int(along[-1]) + 1) for along in found)
    return z, y, x
