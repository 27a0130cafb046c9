"""Lung masks by classical means, for scans that nobody has outlined: good in clean lungs, not in consolidation.

They teach the lung network what apices, bases and whole slices look like; only slices without infection are used, and
a person has looked at them.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..postprocessing import fill_holes
from ..preprocessing import body_mask
from ..volume import AxialScan, AxialSpacing

#: Between aerated lung (-850 HU) and soft tissue (40 HU); half-way also where a voxel holds both.
LUNG_BELOW_HU = -400


def threshold_lungs(scan: AxialScan) -> np.ndarray:
    """Both lungs, vessels in them included, trachea and main bronchi not.

    Args:
        scan: The CT as axial slices.

    Returns:
        Boolean mask of the same shape.
    """
    inside = _not_touching_edge(scan.hu < LUNG_BELOW_HU)
    inside &= body_mask(scan)  # a table may hold air that touches no edge
    inside &= ~_airways(scan, inside)
    labels, _ = ndimage.label(ndimage.binary_opening(inside, iterations=1))
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    largest = sizes.argsort()[::-1][:2]
    # A second piece is the other lung and not bowel if it is of the same order of size.
    lungs = np.isin(labels, [piece for piece in largest if sizes[piece] > 0.2 * sizes.max()])
    lungs = ndimage.binary_dilation(lungs, iterations=1) & inside
    return _fill(lungs, scan.spacing)


def _not_touching_edge(air: np.ndarray) -> np.ndarray:
    """Air that is not connected to the four sides of its slice: lungs, airways, bowel."""
    inside = np.empty_like(air)
    for z, section in enumerate(air):
        labels, _ = ndimage.label(section)
        edge = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
        inside[z] = section & ~np.isin(labels, edge)
    return inside


def _airways(scan: AxialScan, inside: np.ndarray) -> np.ndarray:
    """Trachea and main bronchi: followed downwards from the topmost slices while the air stays compact and dark."""
    pixel_mm2 = scan.spacing.rows * scan.spacing.columns
    dark = inside & (scan.hu < -920)
    airways = np.zeros_like(inside)
    above: np.ndarray | None = None
    for z in range(len(scan) - 1, -1, -1):
        labels, count = ndimage.label(dark[z])
        keep = np.zeros_like(inside[z])
        for label in range(1, count + 1):
            piece = labels == label
            area = piece.sum() * pixel_mm2
            if above is None and not 30 < area < 700:
                continue
            if above is not None and not (10 < area < 900 and (piece & above).any()):
                continue
            keep |= piece
        if keep.any():
            above = airways[z] = keep
        elif above is not None:
            break
    walls = max(1, round(1.5 / scan.spacing.rows))
    return ndimage.binary_dilation(airways, np.ones((1, 3, 3)), iterations=walls)


def _fill(lungs: np.ndarray, spacing: AxialSpacing) -> np.ndarray:
    """Vessels and small lesions closed over, in each slice, by discs of 6 mm; holes filled, but for the diaphragm's."""
    radius = max(1, round(6.0 / spacing.rows))
    disc = np.hypot(*np.mgrid[-radius : radius + 1, -radius : radius + 1]) <= radius
    closed = np.empty_like(lungs)
    for z, section in enumerate(lungs):
        padded = np.pad(section, radius)
        closed[z] = ndimage.binary_closing(padded, disc)[radius:-radius, radius:-radius]
    return fill_holes(closed, spacing)
