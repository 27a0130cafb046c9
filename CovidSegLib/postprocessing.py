"""Convert probability maps to masks of right lung, left lung and infection.

All arrays consist of axial slices (see `preprocessing.AxialView`): slices from feet to head, rows from front to back,
columns from the patient's right to left. Components of the lungs are analysed at a resolution of about 3 mm, because a
CT has about fifty million voxels at full resolution.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed

from .coarse_grid import coarse_steps, repeat_to
from .masks import Box, bounding_box
from .segmentation import LEFT_LUNG, RIGHT_LUNG
from .thresholding import level_of, remove_small_pieces
from .volume import AxialSpacing

COARSE_MM = 3.0
#: Smaller components are bowel, trachea or noise.
SMALLEST_LUNG_PIECE_ML = 40.0
#: Components with a lower median are gas without lung tissue: bowel gas, or air between arms and blankets. Gas has
#: -1000 HU, lung -860, and lung with severe emphysema -940.
MIN_LUNG_MEDIAN_HU = -955
#: Distance in coarse voxels up to which voxels belong to a component that was kept: they are next to it.
GROWN_VOXELS = 2
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
    lungs = np.zeros(probability.shape, dtype=np.uint8)
    steps = coarse_steps(spacing, COARSE_MM)
    box = _coarse_box(probability >= 128, steps)
    if box is None:
        return lungs
    mask, inside = probability[box] >= 128, lungs[box]
    kept = _lung_pieces(mask, spacing, steps, None if hu is None else hu[box])
    if not kept.any():
        return lungs
    width, left = math.ceil(probability.shape[2] / steps[2]), box[2].start // steps[2]
    sides = _sides(kept, _coarse_ml(spacing, steps), width, left)
    np.copyto(inside, repeat_to(_grown(sides), steps, mask.shape), where=mask)
    del mask, kept
    for side in (RIGHT_LUNG, LEFT_LUNG):
        for where, holes in _holes(inside == side, spacing):
            section = inside[where]
            section[holes & (section == 0)] = side
    return lungs


def lung_region(probability: np.ndarray, spacing: AxialSpacing, hu: np.ndarray) -> np.ndarray:
    """Return the lungs without telling right from left and without filling holes, which is much faster.

    It has the same slices and the same bounding box as the lungs that `lungs_from_probability` segments.

    Args:
        probability: See `lungs_from_probability`.
        spacing: Spacing of the slices.
        hu: Hounsfield units of the same shape.

    Returns:
        Boolean of the same shape.
    """
    region = np.zeros(probability.shape, dtype=bool)
    steps = coarse_steps(spacing, COARSE_MM)
    if box := _coarse_box(probability >= 128, steps):
        mask = probability[box] >= 128
        kept = _lung_pieces(mask, spacing, steps, hu[box]).astype(np.uint8)
        if kept.any():
            np.logical_and(mask, repeat_to(_grown(kept), steps, mask.shape), out=region[box])
    return region


def _lung_pieces(
    mask: np.ndarray, spacing: AxialSpacing, steps: tuple[int, int, int], hu: np.ndarray | None
) -> np.ndarray:
    """Return the components of a mask that are large enough and no gas, boolean on the coarse grid."""
    labels, _ = ndimage.label(mask[:: steps[0], :: steps[1], :: steps[2]])
    sizes = np.bincount(labels.ravel()) * _coarse_ml(spacing, steps)
    sizes[0] = 0
    kept = np.flatnonzero(sizes >= SMALLEST_LUNG_PIECE_ML)
    if hu is not None and len(kept):
        kept = kept[ndimage.median(hu[:: steps[0], :: steps[1], :: steps[2]], labels, kept) >= MIN_LUNG_MEDIAN_HU]
    wanted = np.zeros(len(sizes), dtype=bool)
    wanted[kept] = True
    return wanted[labels]


def _grown(sides: np.ndarray) -> np.ndarray:
    """Give each coarse voxel within two voxels of the lungs the side of the nearest one."""
    distance, nearest = ndimage.distance_transform_edt(sides == 0, return_indices=True)
    return np.where(distance <= GROWN_VOXELS, sides[tuple(nearest)], 0).astype(np.uint8)


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
    infection = np.zeros(lungs.shape, dtype=bool)
    steps = coarse_steps(spacing, COARSE_MM)
    box = _coarse_box(lungs > 0, steps)
    if box is None:
        return infection, lungs.copy()
    within, found = repeat_to(_closed(lungs[box], spacing, steps), steps, infection[box].shape), infection[box]
    np.copyto(within, lungs[box], where=lungs[box] > 0)
    np.greater_equal(probability[box], level_of(threshold), out=found)
    found &= within > 0
    remove_small_pieces(found, spacing.voxel_ml, smallest_ml)
    extended = lungs.copy()
    np.copyto(extended[box], within, where=found)
    return infection, extended


def _closed(lungs: np.ndarray, spacing: AxialSpacing, steps: tuple[int, int, int]) -> np.ndarray:
    """Close the indentations of each lung in each slice; uint8 on the coarse grid."""
    coarse = lungs[:: steps[0], :: steps[1], :: steps[2]]
    radius = max(1, round(CLOSING_MM / (spacing.rows * steps[1])))
    disc = np.hypot(*np.mgrid[-radius : radius + 1, -radius : radius + 1]) <= radius
    closed_lungs = np.zeros(coarse.shape, dtype=np.uint8)
    for side in (RIGHT_LUNG, LEFT_LUNG):  # separately, to exclude the mediastinum between them
        for z, section in enumerate(coarse == side):
            if section.any():
                closed = ndimage.binary_closing(np.pad(section, radius), disc)[radius:-radius, radius:-radius]
                closed_lungs[z][closed & (closed_lungs[z] == 0)] = side
    return closed_lungs


def _coarse_box(mask: np.ndarray, steps: tuple[int, int, int]) -> Box | None:
    """Return the box of a mask, with a margin, from whose start every n-th voxel is on the coarse grid."""
    box = bounding_box(mask)
    if box is None:
        return None
    margins = [(GROWN_VOXELS + 1) * step for step in steps]
    z, y, x = (
        slice(max(part.start - margin, 0) // step * step, min(part.stop + margin, length))
        for part, margin, step, length in zip(box, margins, steps, mask.shape, strict=True)
    )
    return z, y, x


def _coarse_ml(spacing: AxialSpacing, steps: tuple[int, int, int]) -> float:
    return float(np.prod(spacing)) * float(np.prod(steps)) / 1000


def _sides(lungs: np.ndarray, voxel_ml: float, width: int, left: int) -> np.ndarray:
    """Assign each voxel of a coarse mask to the right lung (1) or the left lung (2).

    The lungs often touch in front of the heart. The mask is eroded until two components remain that could each be a
    lung, and a watershed extends them again. If the mask does not separate, it is a single lung, on the side of the
    image where most of it lies.

    Args:
        lungs: The coarse mask.
        voxel_ml: Volume of its voxels.
        width: Columns of the image, of which the mask is a part.
        left: First column of the mask in the image.
    """
    cores = _two_cores(lungs, voxel_ml, width)
    if cores is None:
        middle = (width - 1) / 2 - left
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


def _two_cores(lungs: np.ndarray, voxel_ml: float, width: int) -> tuple[np.ndarray, int, int] | None:
    """Erode until the lungs separate. Return the labels, and those of right and left core; None if they do not."""
    core = lungs
    for _ in range(8):
        labels, count = ndimage.label(core)
        if count >= 2:
            sizes = np.bincount(labels.ravel()) * voxel_ml
            sizes[0] = 0
            first, second = (int(label) for label in np.argsort(sizes)[::-1][:2])
            centres = ndimage.center_of_mass(core, labels, [first, second])
            apart = abs(centres[0][2] - centres[1][2]) > 0.15 * width
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
    filled = lungs.copy()
    for where, holes in _holes(lungs, spacing):
        filled[where] |= holes
    return filled


def _holes(lungs: np.ndarray, spacing: AxialSpacing) -> Iterator[tuple[tuple[int, slice, slice], np.ndarray]]:
    """Yield the box of the lungs in each slice with holes, and the holes that `fill_holes` fills there."""
    steps = coarse_steps(spacing, COARSE_MM)
    coarse = lungs[:: steps[0], :: steps[1], :: steps[2]]
    # Dilated to the borders of the coarse voxels.
    enclosed = ndimage.binary_dilation(ndimage.binary_fill_holes(coarse) & ~coarse)
    largest = VESSEL_MM2 / (spacing.rows * spacing.columns)
    for z, section in enumerate(lungs):
        if not section.any():
            continue
        rows, columns = np.flatnonzero(section.any(1)), np.flatnonzero(section.any(0))
        box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        labels, count = ndimage.label(ndimage.binary_fill_holes(section[box]) & ~section[box])
        if count:
            sizes = np.bincount(labels.ravel())
            inside = repeat_to(enclosed[z // steps[0]], steps[1:], section.shape)[box]
            within = np.bincount(labels.ravel(), inside.ravel())
            fill = (sizes <= largest) | (within > sizes / 2)
            fill[0] = False
            yield (z, *box), fill[labels]
