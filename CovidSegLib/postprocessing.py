"""Convert probability maps to masks of right lung, left lung and infection.

All arrays consist of axial slices (see `preprocessing.AxialView`): slices from feet to head, rows from front to back,
columns from the patient's right to left. Components of the lungs are analysed at a resolution of about 3 mm, because a
CT has about fifty million voxels at full resolution.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed

from .segmentation import LEFT_LUNG, RIGHT_LUNG
from .thresholding import level_of, without_small_pieces
from .volume import AxialSpacing

COARSE_MM = 3.0
#: Smaller components are bowel, trachea or noise.
SMALLEST_LUNG_PIECE_ML = 40.0
#: Components with a lower median are gas without lung tissue: bowel gas, or air between arms and blankets. Gas has
#: -1000 HU, lung -860, and lung with severe emphysema -940.
MIN_LUNG_MEDIAN_HU = -955
#: A larger hole in a slice is not a vessel: a disc of 16 mm.
VESSEL_MM2 = 200.0
#: Radius of the closing that adds consolidation, which looks like the chest wall, to the lungs.
CLOSING_MM = 9.0


def lungs_from_probability(probability: np.ndarray, spacing: AxialSpacing, hu: np.ndarray | None = None) -> np.ndarray:
    """Segment right and left lung, given their common probability map.

    Small components and gas are removed, holes are filled, and both lungs are separated if they touch.

    Args:
        probability: uint8 (slices, rows, columns): probability of lung, 0 to 255 for 0 to 1.
        spacing: Spacing of the slices.
        hu: Hounsfield units of the same shape, which distinguish gas from lung. If None, gas is not removed.

    Returns:
        uint8 of the same shape: 0 outside, 1 right lung, 2 left lung.
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
        kept = kept[ndimage.median(hu[:: steps[0], :: steps[1], :: steps[2]], labels, kept) >= MIN_LUNG_MEDIAN_HU]
    if not len(kept):
        return np.zeros(mask.shape, dtype=np.uint8)
    sides = _sides(np.isin(labels, kept), coarse_ml)
    # Each coarse voxel takes the side of the nearest lung. Only those next to the components that were kept are used.
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
    """Segment the infection within the lungs, and add to the lungs the infection that lies in their indentations.

    Args:
        probability: uint8 (slices, rows, columns): probability of infection, 0 to 255 for 0 to 1.
        lungs: uint8 of the same shape: 0 outside, 1 right lung, 2 left lung.
        threshold: Lowest probability, from 0 to 1, at which a voxel counts as infected.
        spacing: Spacing of the slices.
        smallest_ml: Smaller components are removed.

    Returns:
        The infection, boolean; and the lungs including it, uint8.
    """
    steps = _coarse_steps(spacing)
    coarse = lungs[:: steps[0], :: steps[1], :: steps[2]]
    radius = max(1, round(CLOSING_MM / (spacing.rows * steps[1])))
    disc = np.hypot(*np.mgrid[-radius : radius + 1, -radius : radius + 1]) <= radius
    closed_lungs = np.zeros(coarse.shape, dtype=np.uint8)
    for side in (RIGHT_LUNG, LEFT_LUNG):  # separately, to exclude the mediastinum between them
        for z, section in enumerate(coarse == side):
            if section.any():
                closed = ndimage.binary_closing(np.pad(section, radius), disc)[radius:-radius, radius:-radius]
                closed_lungs[z][closed & (closed_lungs[z] == 0)] = side
    within = np.where(lungs > 0, lungs, _refine(closed_lungs, steps, lungs.shape))
    infection = (probability >= level_of(threshold)) & (within > 0)
    infection = without_small_pieces(infection, spacing.voxel_ml, smallest_ml)
    return infection, np.where(infection, within, lungs).astype(np.uint8)


def _coarse_steps(spacing: AxialSpacing) -> tuple[int, int, int]:
    """Return the steps in voxels along each axis that correspond to about COARSE_MM."""
    slices, rows, columns = (max(1, round(COARSE_MM / mm)) for mm in spacing)
    return slices, rows, columns


def _refine(coarse: np.ndarray, steps: tuple[int, int, int], shape: tuple[int, ...]) -> np.ndarray:
    """Repeat the voxels of a coarse array to obtain the full shape."""
    for axis, step in enumerate(steps):
        coarse = np.repeat(coarse, step, axis=axis)
    return coarse[: shape[0], : shape[1], : shape[2]]


def _sides(lungs: np.ndarray, voxel_ml: float) -> np.ndarray:
    """Assign each voxel of a coarse mask to the right lung (1) or the left lung (2).

    The lungs often touch in front of the heart. The mask is eroded until two components remain that could each be a
    lung, and a watershed extends them again. If the mask does not separate, it is a single lung, on the side of the
    image where most of it lies.
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
    # Components that touch neither core (a lobe cut off by consolidation) belong to the nearer lung.
    apart = lungs & (sides == 0)
    if apart.any():
        nearest = ndimage.distance_transform_edt(sides == 0, return_distances=False, return_indices=True)
        sides[apart] = sides[tuple(nearest)][apart]
    return sides


def _two_cores(lungs: np.ndarray, voxel_ml: float) -> tuple[np.ndarray, int, int] | None:
    """Erode until the lungs separate. Return the labels, and those of right and left core; None if they do not."""
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
    """Fill the vessels and the consolidation that the lungs enclose.

    A hole in a slice is filled if it is not larger than a vessel, or if more than half of it lies within a
    three-dimensional hole. The dome of the diaphragm, around which the base of a lung forms a ring, is not filled
    except at its top.

    Args:
        lungs: Boolean (slices, rows, columns).
        spacing: Spacing of the slices.

    Returns:
        Boolean of the same shape.
    """
    steps = _coarse_steps(spacing)
    coarse = lungs[:: steps[0], :: steps[1], :: steps[2]]
    holes = ndimage.binary_dilation(ndimage.binary_fill_holes(coarse) & ~coarse)  # to the borders of the coarse voxels
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
