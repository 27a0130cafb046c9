"""Interpolation along the axes of slices as sparse matrices: what PyTorch's `interpolate` computes, without PyTorch."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import sparse


@lru_cache(maxsize=16)
def averaging_weights(length: int, size: int) -> sparse.csr_array:
    """Return the weights that resample a line of pixels, averaging when downsampling.

    They are those of PyTorch's bilinear interpolation with `antialias=True`, and of Pillow: a triangle whose half-width
    is the distance between the new pixels, at least one pixel.

    Args:
        length: Number of pixels of the line.
        size: Number of new pixels. The outer edges of both lines coincide.

    Returns:
        float32 (size, length). Every row adds up to 1.

    >>> averaging_weights(4, 2).toarray().round(2)
    array([[0.43, 0.43, 0.14, 0.  ],
           [0.  , 0.14, 0.43, 0.43]], dtype=float32)
    """
    scale = length / size
    support = max(scale, 1.0)
    centres = (np.arange(size)[:, None] + 0.5) * scale
    distance = np.abs(np.arange(length)[None] + 0.5 - centres) / support
    weights = np.maximum(1.0 - distance, 0.0)
    return sparse.csr_array((weights / weights.sum(axis=1, keepdims=True)).astype(np.float32))


@lru_cache(maxsize=16)
def linear_weights(length: int, size: int) -> sparse.csr_array:
    """Return the weights that interpolate a line of pixels linearly between the two nearest ones.

    They are those of PyTorch's bilinear interpolation with `align_corners=False`. See `averaging_weights` for the
    arguments.

    >>> linear_weights(2, 4).toarray()
    array([[1.  , 0.  ],
           [0.75, 0.25],
           [0.25, 0.75],
           [0.  , 1.  ]], dtype=float32)
    """
    positions = np.maximum((np.arange(size) + 0.5) * length / size - 0.5, 0.0)
    lower = np.minimum(positions.astype(np.int64), length - 1)
    upper = np.minimum(lower + 1, length - 1)
    fraction = positions - lower
    rows = np.arange(size)
    weights = np.zeros((size, length), np.float32)
    np.add.at(weights, (rows, lower), 1.0 - fraction)
    np.add.at(weights, (rows, upper), fraction)
    return sparse.csr_array(weights)


def nearest_indices(length: int, size: int) -> np.ndarray:
    """Return the index of the pixel in which the centre of each new pixel lies, like PyTorch's "nearest-exact".

    >>> nearest_indices(9, 3)
    array([1, 4, 7])
    """
    return np.minimum(((np.arange(size) + 0.5) * length / size).astype(np.int64), length - 1)
