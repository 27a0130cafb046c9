"""Bounding boxes and 26-connected components of masks."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

Box = tuple[slice, slice, slice]

#: Structuring element that connects voxels with a common face, edge or corner.
CONNECTIVITY_26 = np.ones((3, 3, 3), dtype=bool)

#: Slices that one step of `components_in_steps` labels.
SLAB_SLICES = 16


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


def components_in_steps(mask: np.ndarray) -> Generator[bool, None, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Label the 26-connected components of a mask in short steps, slab by slab, for programs that must stay responsive.

    Args:
        mask: Boolean (z, y, x).

    Yields:
        True after each step.

    Returns:
        Labels (z, y, x), in which a component has another label in each slab; the component of each label, 0 for 0; and
        the number of voxels of each component, 0 for component 0.

    >>> mask = np.zeros((40, 1, 3), dtype=bool)
    >>> mask[:, 0, 0] = mask[5, 0, 2] = True
    >>> steps = components_in_steps(mask)
    >>> while True:
    ...     try:
    ...         _ = next(steps)
    ...     except StopIteration as end:
    ...         labels, component, voxels = end.value
    ...         break
    >>> sorted(voxels.tolist())
    [0, 1, 40]
    """
    from scipy import ndimage
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    labels = np.zeros(mask.shape, np.int32)
    count = 0
    pairs = [np.zeros((2, 0), np.int32)]
    for start in range(0, len(mask), SLAB_SLICES):
        slab = slice(start, start + SLAB_SLICES)
        found = ndimage.label(mask[slab], CONNECTIVITY_26, output=labels[slab])
        labels[slab][labels[slab] > 0] += count
        count += found
        if start:
            pairs.append(_touching(labels[start - 1], labels[start]))
        yield True
    first, second = np.concatenate(pairs, axis=1)
    graph = coo_array((np.ones(first.size, bool), (first, second)), shape=(count + 1, count + 1))
    _, component = connected_components(graph, directed=False)
    voxels = np.zeros(component.max() + 1, np.int64)
    for start in range(0, len(mask), SLAB_SLICES):
        part = labels[start : start + SLAB_SLICES]
        voxels += np.bincount(component[part[part > 0]], minlength=voxels.size)
        yield True
    return labels, component, voxels


def _touching(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Return the pairs (2, n) of labels that touch between two neighbouring slices."""
    height, width = lower.shape
    pairs = []
    for y in (-1, 0, 1):
        for x in (-1, 0, 1):
            a = lower[max(0, y) : height + min(0, y), max(0, x) : width + min(0, x)]
            b = upper[max(0, -y) : height + min(0, -y), max(0, -x) : width + min(0, -x)]
            both = (a > 0) & (b > 0)
            pairs.append(np.unique(np.stack([a[both], b[both]]), axis=1))
    return np.unique(np.concatenate(pairs, axis=1), axis=1)
