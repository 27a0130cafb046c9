"""From probabilities to lungs and infection: pieces that are lungs, right and left, holes, infection within them.

All arrays are axial (`preprocessing.AxialView`): slices from feet to head, rows from front to back, columns from the
patient's right to left. Pieces are found at about 3 mm, since a CT at full resolution holds fifty million voxels.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed

from .masks import label_components
from .segmentation import LEFT_LUNG, RIGHT_LUNG
from .volume import AxialSpacing

COARSE_MM = 3.0
#: A piece of lung smaller than this is bowel, trachea or noise.
SMALLEST_LUNG_PIECE_ML = 40.0
#: A piece whose median is lower is gas without any lung in it: bowel, or air between arms and blankets. Gas is at -1000
#: HU, lung at -860, and at -940 where emphysema is severe.
GAS_HU = -955
#: A larger hole of a slice is no vessel: 16 mm across.
VESSEL_MM2 = 200.0
#: Consolidation, which looks like the chest wall, is bridged by closing the lungs by this radius.
BRIDGE_MM = 9.0


def lungs_from_probability(probability: np.ndarray, spacing: AxialSpacing, hu: np.ndarray | None = None) -> np.ndarray:
    """Right and left lung.

    Args:
        probability: uint8, 0 to 255 for 0 to 1.
        spacing: mm between slices, rows, columns.
        hu: The CT, by which pieces of gas are told from lung; none are if None.

    Returns:
        uint8: 0 outside, 1 right lung, 2 left lung.
    """
    mask = probability >= 128
    steps = _coarse_steps(spacing)
    coarse = mask[:: steps[0], :: steps[1], :: steps[2]]
    coarse_ml = float(np.prod(spacing)) * float(np.prod(steps)) / 1000
    labels, _ = ndimage.label(coarse)
    sizes = np.bincount(labels.ravel()) * coarse_ml
    sizes[0] = 0
    kept = np.flatnonzero(sizes >= SMALLEST_LUNG_PIECE_ML)
    if hu is not None and len(kept):
        kept = kept[ndimage.median(hu[:: steps[0], :: steps[1], :: steps[2]], labels, kept) >= GAS_HU]
    if not len(kept):
        return np.zeros(mask.shape, dtype=np.uint8)
    sides = _sides(np.isin(labels, kept), coarse_ml)
    # Every coarse cell gets the side of the nearest lung, and only cells beside the kept pieces let the mask through.
    distance, nearest = ndimage.distance_transform_edt(sides == 0, return_indices=True)
    sides = np.where(distance <= 2, sides[tuple(nearest)], 0).astype(np.uint8)
    lungs = np.where(mask, _refine(sides, steps, mask.shape), 0).astype(np.uint8)
    for side in (RIGHT_LUNG, LEFT_LUNG):
        lungs[fill_holes(lungs == side, spacing) & (lungs == 0)] = side
    return lungs


def infection_in_lungs(
    probability: np.ndarray,
    lungs: np.ndarray,
    threshold: float,
    spacing: AxialSpacing,
    smallest_ml: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Infection, and the lungs with the infection that lay in their dents.

    Args:
        probability: uint8, 0 to 255 for 0 to 1.
        lungs: uint8, 0 outside, 1 right, 2 left.
        threshold: Probability from which a voxel is infection.
        spacing: mm between slices, rows, columns.
        smallest_ml: Smaller pieces are dropped.

    Returns:
        infection, boolean; lungs, uint8, now including it.
    """
    steps = _coarse_steps(spacing)
    coarse = lungs[:: steps[0], :: steps[1], :: steps[2]]
    radius = max(1, round(BRIDGE_MM / (spacing.rows * steps[1])))
    disc = np.hypot(*np.mgrid[-radius : radius + 1, -radius : radius + 1]) <= radius
    bridged = np.zeros(coarse.shape, dtype=np.uint8)
    for side in (RIGHT_LUNG, LEFT_LUNG):  # each by itself, so that the mediastinum between them stays out
        for z, section in enumerate(coarse == side):
            if section.any():
                closed = ndimage.binary_closing(np.pad(section, radius), disc)[radius:-radius, radius:-radius]
                bridged[z][closed & (bridged[z] == 0)] = side
    within = np.where(lungs > 0, lungs, _refine(bridged, steps, lungs.shape))
    infection = (probability >= max(1, round(threshold * 255))) & (within > 0)
    labels, count = label_components(infection)
    if count:
        small = np.bincount(labels.ravel()) * float(np.prod(spacing)) / 1000 < smallest_ml
        infection &= ~small[labels]
    return infection, np.where(infection, within, lungs).astype(np.uint8)


def _coarse_steps(spacing: AxialSpacing) -> tuple[int, int, int]:
    """Every how many voxels along each axis makes about COARSE_MM."""
    between, rows, columns = (max(1, round(COARSE_MM / mm)) for mm in spacing)
    return between, rows, columns


def _refine(coarse: np.ndarray, steps: tuple[int, int, int], shape: tuple[int, ...]) -> np.ndarray:
    """A coarse array repeated back to the full shape."""
    for axis, step in enumerate(steps):
        coarse = np.repeat(coarse, step, axis=axis)
    return coarse[: shape[0], : shape[1], : shape[2]]


def _sides(lungs: np.ndarray, voxel_ml: float) -> np.ndarray:
    """Which lung each voxel of a coarse mask belongs to: 1 right, 2 left.

    The lungs often touch in front of the heart. They are worn away until two pieces are left that could each be a lung,
    and these grow back. If they never fall apart, there is one lung, on the side of the picture where most of it lies.
    """
    cores = _two_cores(lungs, voxel_ml)
    if cores is None:
        middle = (lungs.shape[2] - 1) / 2
        side = RIGHT_LUNG if np.argwhere(lungs)[:, 2].mean() < middle else LEFT_LUNG
        return np.where(lungs, side, 0).astype(np.uint8)
    labels, right, left = cores
    markers = np.zeros(lungs.shape, dtype=np.int32)
    markers[labels == right], markers[labels == left] = RIGHT_LUNG, LEFT_LUNG
    depth = ndimage.distance_transform_edt(lungs)
    sides = watershed(-depth, markers, mask=lungs).astype(np.uint8)
    # Pieces that touch neither (a lobe cut off by consolidation) go with the nearer lung.
    apart = lungs & (sides == 0)
    if apart.any():
        nearest = ndimage.distance_transform_edt(sides == 0, return_distances=False, return_indices=True)
        sides[apart] = sides[tuple(nearest)][apart]
    return sides


def _two_cores(lungs: np.ndarray, voxel_ml: float) -> tuple[np.ndarray, int, int] | None:
    """What is left of two lungs that have fallen apart: labels, and which of them are right and left; None if never."""
    core = lungs
    for _ in range(8):
        labels, count = ndimage.label(core)
        if count >= 2:
            sizes = np.bincount(labels.ravel()) * voxel_ml
            sizes[0] = 0
            first, second = (int(label) for label in np.argsort(sizes)[::-1][:2])
            centres = ndimage.center_of_mass(core, labels, [first, second])
            apart = abs(centres[0][2] - centres[1][2]) > 0.15 * lungs.shape[2]
            if apart and sizes[second] > max(100.0, 0.12 * sizes[first]):
                return (labels, first, second) if centres[0][2] < centres[1][2] else (labels, second, first)
        core = ndimage.binary_erosion(core)
    return None


def fill_holes(lungs: np.ndarray, spacing: AxialSpacing) -> np.ndarray:
    """Lungs with the vessels and the consolidation that they enclose.

    A hole of a slice is filled if it is no wider than a vessel, or lies for the most part in a hole in three
    dimensions. The dome of the diaphragm, around which the base of a lung lies like a ring, stays out but for its top.

    Args:
        lungs: Boolean (slices, rows, columns).
        spacing: mm between slices, rows, columns.
    """
    steps = _coarse_steps(spacing)
    coarse = lungs[:: steps[0], :: steps[1], :: steps[2]]
    holes = ndimage.binary_dilation(ndimage.binary_fill_holes(coarse) & ~coarse)  # to where coarse cells begin and end
    enclosed = _refine(holes, steps, lungs.shape)
    filled = lungs.copy()
    largest = VESSEL_MM2 / (spacing.rows * spacing.columns)
    for z, section in enumerate(lungs):
        if not section.any():
            continue
        rows, columns = np.flatnonzero(section.any(1)), np.flatnonzero(section.any(0))
        box = (z, slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        labels, count = ndimage.label(ndimage.binary_fill_holes(lungs[box]) & ~lungs[box])
        if count:
            sizes = np.bincount(labels.ravel())
            within = np.bincount(labels.ravel(), enclosed[box].ravel())
            fill = (sizes <= largest) | (within > sizes / 2)
            fill[0] = False
            filled[box] |= fill[labels]
    return filled
