"""Places where a model hesitates: neither a low nor a high probability of infection."""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple

import numpy as np

from ..masks import SLAB_SLICES, bounding_box, components_in_steps

#: Probabilities from 0 to 1 between which a model hesitates.
LOWEST_DOUBT, HIGHEST_DOUBT = 0.2, 0.8
#: Smaller places are not worth a look.
SMALLEST_PLACE_ML = 0.02


class Place(NamedTuple):
    """A connected doubtful place.

    Attributes:
        volume_ml: Its volume.
        voxel: A voxel (z, y, x) in the slice that holds most of it.
    """

    volume_ml: float
    voxel: tuple[int, int, int]


def doubtful(probability: np.ndarray) -> np.ndarray:
    """Return where the probability, uint8 for 0 to 1, is between `LOWEST_DOUBT` and `HIGHEST_DOUBT`.

    >>> doubtful(np.uint8([50, 51, 204, 205]))
    array([False,  True,  True, False])
    """
    low, high = round(LOWEST_DOUBT * 255), round(HIGHEST_DOUBT * 255)
    # Subtracting wraps around below `low`, so that one comparison is enough.
    return (probability - np.uint8(low)) <= high - low


def doubtful_places(probability: np.ndarray, voxel_ml: float) -> list[Place]:
    """Return the 26-connected doubtful places, the largest first.

    Args:
        probability: uint8 (z, y, x).
        voxel_ml: Volume of a voxel in ml.
    """
    steps = doubtful_places_in_steps(probability, voxel_ml)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def doubtful_places_in_steps(probability: np.ndarray, voxel_ml: float) -> Generator[bool, None, list[Place]]:
    """Find the doubtful places in short steps, for programs that must stay responsive.

    Args:
        probability: As in `doubtful_places`.
        voxel_ml: As in `doubtful_places`.

    Yields:
        True after each step.

    Returns:
        What `doubtful_places` returns.
    """
    from scipy import ndimage  # slow to import, and 3D Slicer needs it only when a place is asked for

    mask = doubtful(probability)
    box = bounding_box(mask)
    if box is None:
        return []
    yield True
    labels, component, voxels = yield from components_in_steps(mask[box])
    for start in range(0, len(labels), SLAB_SLICES):
        slab = slice(start, start + SLAB_SLICES)
        labels[slab] = component[labels[slab]]
        yield True
    objects = ndimage.find_objects(labels)
    yield True
    volumes = voxels * voxel_ml
    places = []
    for label in np.argsort(-volumes, kind="stable"):
        if volumes[label] < SMALLEST_PLACE_ML:
            break
        part = objects[label - 1]
        inside = labels[part] == label
        z = int(np.argmax(inside.sum((1, 2))))
        pixels = np.argwhere(inside[z])
        y, x = pixels[np.argmin(((pixels - pixels.mean(0)) ** 2).sum(1))]
        corner = [a.start + b.start for a, b in zip(box, part, strict=True)]
        places.append(Place(float(volumes[label]), (corner[0] + z, corner[1] + int(y), corner[2] + int(x))))
        yield True
    return places
