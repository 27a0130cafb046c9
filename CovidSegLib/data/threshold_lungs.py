"""Lung masks by thresholds and morphology, for scans without annotations. They are good except in consolidation.

From them the lung network learns apices, bases and whole slices. Only slices without infection are used, and a person
has inspected them.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..postprocessing import fill_holes
from ..preprocessing import body_mask
from ..volume import AxialScan, AxialSpacing

#: Half-way between aerated lung (-850 HU) and soft tissue (40 HU), which is right for voxels that contain both.
LUNG_BELOW_HU = -400


def threshold_lungs(scan: AxialScan) -> np.ndarray:
    """Segment both lungs, with their vessels and without trachea and main bronchi.

    Args:
        scan: The CT as axial slices.

    Returns:
        Boolean mask of the same shape.
    """
    inside = _not_touching_edge(scan.hu < LUNG_BELOW_HU)
    inside &= body_mask(scan)  # a table may contain air that touches no edge
    inside &= ~_airways(scan, inside)
    labels, _ = ndimage.label(ndimage.binary_opening(inside, iterations=1))
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    largest = sizes.argsort()[::-1][:2]
    # A second component of the same order of size is the other lung; a smaller one is bowel.
    lungs = np.isin(labels, [component for component in largest if sizes[component] > 0.2 * sizes.max()])
    lungs = ndimage.binary_dilation(lungs, iterations=1) & inside
    return _fill(lungs, scan.spacing)


def _not_touching_edge(air: np.ndarray) -> np.ndarray:
    """Return air that is not connected to the edges of its slice: lungs, airways, bowel."""
    inside = np.empty_like(air)
    for z, section in enumerate(air):
        labels, _ = ndimage.label(section)
        edge = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
        inside[z] = section & ~np.isin(labels, edge)
    return inside


def _airways(scan: AxialScan, inside: np.ndarray) -> np.ndarray:
    """Segment trachea and main bronchi by following compact, dark air downwards from the topmost slice."""
    pixel_mm2 = scan.spacing.rows * scan.spacing.columns
    dark = inside & (scan.hu < -920)
    airways = np.zeros_like(inside)
    above: np.ndarray | None = None
    for z in range(len(scan) - 1, -1, -1):
        labels, count = ndimage.label(dark[z])
        keep = np.zeros_like(inside[z])
        for label in range(1, count + 1):
            component = labels == label
            area = component.sum() * pixel_mm2
            if above is None and not 30 < area < 700:
                continue
            if above is not None and not (10 < area < 900 and (component & above).any()):
                continue
            keep |= component
        if keep.any():
            above = airways[z] = keep
        elif above is not None:
            break
    walls = max(1, round(1.5 / scan.spacing.rows))
    return ndimage.binary_dilation(airways, np.ones((1, 3, 3)), iterations=walls)


def _fill(lungs: np.ndarray, spacing: AxialSpacing) -> np.ndarray:
    """Close over vessels and small lesions with discs of 6 mm in each slice, and fill holes, except the diaphragm's."""
    radius = max(1, round(6.0 / spacing.rows))
    disc = np.hypot(*np.mgrid[-radius : radius + 1, -radius : radius + 1]) <= radius
    closed = np.empty_like(lungs)
    for z, section in enumerate(lungs):
        padded = np.pad(section, radius)
        closed[z] = ndimage.binary_closing(padded, disc)[radius:-radius, radius:-radius]
    return fill_holes(closed, spacing)
