"""From a probability map to an infection mask: threshold, then remove small pieces. Also for many thresholds at once.

The rule stands here once, for `postprocessing` and for interactive tools such as a threshold slider. It needs numpy and
scipy only.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator

import numpy as np

from .masks import SLAB_SLICES, bounding_box, components_in_steps, label_components

#: Smaller pieces of infection are noise more often than lesions, and are removed: a sphere of 4 mm in diameter has this
#: volume. (Lesions are listed from 0.1 ml.)
SMALLEST_INFECTION_ML = 0.035


def level_of(threshold: float) -> int:
    """Return the lowest uint8 probability that counts as infected at a threshold from 0 to 1.

    >>> level_of(0.5), level_of(0.0)
    (128, 1)
    """
    return max(1, round(threshold * 255))


def without_small_pieces(mask: np.ndarray, voxel_ml: float, smallest_ml: float) -> np.ndarray:
    """Return a mask (z, y, x) without its 26-connected components that are smaller than a volume in ml.

    >>> mask = np.array([[[1, 1, 1, 0, 1]]], dtype=bool)
    >>> without_small_pieces(mask, voxel_ml=0.01, smallest_ml=0.02).astype(int)
    array([[[1, 1, 1, 0, 0]]])
    """
    kept = mask.copy()
    remove_small_pieces(kept, voxel_ml, smallest_ml)
    return kept


def remove_small_pieces(mask: np.ndarray, voxel_ml: float, smallest_ml: float) -> None:
    """Remove the 26-connected components of a mask (z, y, x) that are smaller than a volume in ml, in place."""
    box = bounding_box(mask)
    if box is None:
        return
    inside = mask[box]
    labels, _ = label_components(inside)
    component = labels[inside]
    large = np.bincount(component) * voxel_ml >= smallest_ml
    inside[inside] = large[component]


class ThresholdStack:
    """Infection masks at any of many thresholds, each as fast as one comparison.

    For each voxel, the highest level is computed at which its component is large enough: the area opening of the
    probability map. This is done once, from the highest level to the lowest. Each level needs only the voxels that
    are new and those of components that are still small. The masks are exactly those of `without_small_pieces`.

    Args:
        probability: uint8 (z, y, x): probability of infection, 0 to 255 for 0 to 1, zero outside the lungs.
        levels: The uint8 levels at which masks will be needed, see `level_of`.
        voxel_ml: Volume of a voxel in ml.
        smallest_ml: Smaller components are removed.

    Example:
        >>> probability = np.uint8([[[0, 90, 200, 200, 0, 200]]])
        >>> stack = ThresholdStack(probability, levels=(50, 128), voxel_ml=0.01, smallest_ml=0.02)
        >>> stack.mask(128).astype(int)
        array([[[0, 0, 1, 1, 0, 0]]])
        >>> stack.mask(50).astype(int)
        array([[[0, 1, 1, 1, 0, 0]]])
    """

    def __init__(
        self,
        probability: np.ndarray,
        levels: Collection[int],
        voxel_ml: float,
        smallest_ml: float = SMALLEST_INFECTION_ML,
    ):
        self.levels = tuple(sorted({int(level) for level in levels}, reverse=True))
        self._shape = probability.shape
        self._smallest = _fewest_voxels(voxel_ml, smallest_ml)
        # One voxel of border on each side, so that neighbours need no checks.
        self._probability = np.pad(probability, 1)
        self._opened = np.zeros(self._probability.shape, np.uint8)
        self._work = self._compute()
        self._finished_level = 256

    @property
    def finished(self) -> bool:
        """True if the masks of all levels are ready."""
        return self._finished_level <= self.levels[-1]

    def advance(self) -> bool:
        """Do the next piece of work, which takes some hundredths of a second. Return False if there is none left."""
        return next(self._work, None) is not None

    def mask(self, level: int) -> np.ndarray:
        """Return the infection (z, y, x) at one of the levels. Finishes the work for it first if necessary."""
        if level not in self.levels:
            raise ValueError(f"{level} is not one of the levels")
        while self._finished_level > level:
            self.advance()
        return self._opened[1:-1, 1:-1, 1:-1] >= level

    def _compute(self) -> Iterator[bool]:
        """Compute level by level. Yields after each piece of work."""
        top = self.levels[0]
        yield from self._open_highest(top)
        self._finished_level = top
        probability, opened = self._probability.ravel(), self._opened.ravel()
        candidates = np.flatnonzero((probability < top) & (probability >= self.levels[-1]))
        yield True
        order = np.argsort(probability[candidates], kind="stable")[::-1]
        candidates = candidates[order]
        ends = np.cumsum(np.bincount(probability[candidates], minlength=256)[::-1])[::-1]  # voxels at or above a level
        yield True
        small = np.flatnonzero((probability >= top) & (opened == 0))
        yield True
        position = np.zeros(probability.size, np.int32)
        start = 0
        for level in self.levels[1:]:
            voxels = np.concatenate([small, candidates[start : ends[level]]])
            start = ends[level]
            large = self._are_large(voxels, position) if voxels.size else np.zeros(0, bool)
            opened[voxels[large]] = level
            small = voxels[~large]
            self._finished_level = level
            yield True
        del self._probability

    def _open_highest(self, level: int) -> Iterator[bool]:
        """Remove the small components of the highest level."""
        inner, opened = (array[1:-1, 1:-1, 1:-1] for array in (self._probability, self._opened))
        labels, component, voxels = yield from components_in_steps(inner >= level)
        kept = (voxels >= self._smallest)[component]
        kept[0] = False
        for start in range(0, len(inner), SLAB_SLICES):
            slab = slice(start, start + SLAB_SLICES)
            opened[slab][kept[labels[slab]]] = level
            yield True

    def _are_large(self, voxels: np.ndarray, position: np.ndarray) -> np.ndarray:
        """Return which voxels belong to components that are large, or that touch one that was large before.

        Args:
            voxels: Flat indices.
            position: Zeros for all voxels, used as working memory.
        """
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        opened = self._opened.ravel()
        position[voxels] = np.arange(1, voxels.size + 1)
        starts, ends = [], []
        touches = np.zeros(voxels.size, bool)
        for offset in self._offsets():
            neighbour = voxels + offset
            touches |= opened[neighbour] > 0
            touches |= opened[voxels - offset] > 0
            other = position[neighbour]
            start = np.flatnonzero(other)
            starts.append(start)
            ends.append(other[start] - 1)
        position[voxels] = 0
        first, second = np.concatenate(starts), np.concatenate(ends)
        graph = coo_array((np.ones(first.size, bool), (first, second)), shape=(voxels.size, voxels.size))
        count, component = connected_components(graph, directed=False)
        large = np.bincount(component, minlength=count) >= self._smallest
        large[component[touches]] = True
        return large[component]

    def _offsets(self) -> list[int]:
        """Return the flat offsets to 13 of the 26 neighbours. The others are their negatives."""
        _, height, width = self._probability.shape
        flat = [
            (z * height + y) * width + x
            for z in (-1, 0, 1)
            for y in (-1, 0, 1)
            for x in (-1, 0, 1)
            if (z, y, x) > (0, 0, 0)
        ]
        return flat


def _fewest_voxels(voxel_ml: float, smallest_ml: float) -> int:
    """Return the number of voxels of the smallest component that is kept."""
    fewest = max(1, math.ceil(smallest_ml / voxel_ml) - 1)
    while fewest * voxel_ml < smallest_ml:
        fewest += 1
    return fewest
