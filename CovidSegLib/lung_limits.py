"""Remove predicted lung where there is none: outside the body, at its surface, and far from the lungs.

Networks mistake foam, blankets and the air between patient and table for lung, above all around the head. The second
network sees only a crop around the lungs. It makes such mistakes where the first one, which sees the whole slice, does
not.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.morphology import convex_hull_image

from .coarse_grid import coarse_steps, repeat_to
from .volume import AIR_HU, AxialScan, AxialSpacing

#: Resolution of the limits.
COARSE_MM = 4.0
#: Skin, muscle and ribs over a lung are thicker than this.
SURFACE_MM = 8.0
#: A component with a larger share of its voxels at the surface, or beyond it, is not lung.
LARGEST_OUTER_SHARE = 0.5
#: Lungs of slices within this distance count, as consolidation may hide the lung of a slice from the first network.
REACH_MM = 30.0
#: Both lungs lie in one range of slices. A wider gap separates them from bowel gas and the air spaces of the head.
GAP_MM = 30.0
#: Skin and muscle are denser; foam, blankets and lung are not.
TISSUE_HU = -400
#: Distance from the convex hull of the lungs up to which there may be more lung.
MARGIN_MM = 20.0


def limit_to_body(probability: np.ndarray, scan: AxialScan, outside: np.ndarray) -> None:
    """Set the probability of lung to zero outside the body, and in pieces that lie at its surface or beyond it.

    Args:
        probability: uint8 (slices, rows, columns): probability of lung, 0 to 255 for 0 to 1. Changed in place.
        scan: The CT as axial slices.
        outside: Boolean of the same shape: outside the body, from `preprocessing.outside_body`.
    """
    np.copyto(probability, 0, where=outside)
    steps = coarse_steps(scan.spacing, COARSE_MM)
    coarse = tuple(slice(None, None, step) for step in steps)
    labels, count = ndimage.label(probability[coarse] >= 128)
    if not count:
        return
    # Padding around the field of view, or around a cropped region, is not the surface of the body.
    air = outside[coarse] & (scan.hu[coarse] > AIR_HU)
    radius = round(SURFACE_MM / (scan.spacing.rows * steps[1]))
    surface = np.stack([_near(section, radius) for section in air])
    share = ndimage.mean(surface | _beyond_skin(scan.hu[coarse]), labels, np.arange(count + 1))
    wrong = (share > LARGEST_OUTER_SHARE)[labels] & (labels > 0)
    if wrong.any():
        np.copyto(probability, 0, where=repeat_to(ndimage.binary_dilation(wrong), steps, probability.shape))


def _beyond_skin(hu: np.ndarray) -> np.ndarray:
    """Return what has no body in front of it, or none behind it, such as the foam of a table.

    Args:
        hu: HU of (slices, rows, columns) on a coarse grid.

    Returns:
        Boolean of the same shape. Where the image cuts off the front of the body, nothing counts as in front of it; the
        same holds for the back.
    """
    beyond = np.zeros(hu.shape, dtype=bool)
    for section, found in zip(hu, beyond, strict=True):
        parts, count = ndimage.label(section > TISSUE_HU)
        if not count:
            continue
        body = parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])
        for order in (slice(None), slice(None, None, -1)):  # from the front, and from the back
            if not _is_cut(body[order], section[order] > AIR_HU):
                found[order] |= ~np.logical_or.accumulate(body[order])
    return beyond


def _is_cut(body: np.ndarray, in_view: np.ndarray) -> bool:
    """Return whether a body reaches the first row of the field of view, in the middle half of its columns."""
    columns = np.flatnonzero(in_view.any(axis=0))
    quarter = len(columns) // 4
    middle = columns[quarter : len(columns) - quarter]
    return bool(body[in_view.argmax(axis=0)[middle], middle].any())


def limit_to_one_range(lungs: np.ndarray, spacing: AxialSpacing) -> float:
    """Remove lungs in slices that are separated from the largest part of the lungs by slices without any.

    Args:
        lungs: Lungs (slices, rows, columns), boolean or labels. Changed in place.
        spacing: Spacing of the slices.

    Returns:
        The volume in ml that was removed.
    """
    voxels = np.count_nonzero(lungs, axis=(1, 2))
    shown = np.flatnonzero(voxels)
    if not len(shown):
        return 0.0
    ends = np.flatnonzero(np.diff(shown) * spacing.slices > GAP_MM) + 1
    ranges = [(int(part[0]), int(part[-1]) + 1) for part in np.split(shown, ends)]
    first, last = max(ranges, key=lambda each: int(voxels[slice(*each)].sum()))
    removed = int(voxels[:first].sum() + voxels[last:].sum())
    lungs[:first] = 0
    lungs[last:] = 0
    return removed * spacing.voxel_ml


def limit_to_chest(probability: np.ndarray, lungs: np.ndarray, scan: AxialScan) -> float:
    """Set the probability of lung to zero far from the lungs that were found before.

    Lung is possible within 20 mm of the convex hull of the known lungs in the slices within 30 mm. The hull contains
    the mediastinum and the consolidation between and beside the known parts.

    Args:
        probability: uint8 (slices, rows, columns): probability of lung, 0 to 255 for 0 to 1. Changed in place.
        lungs: Boolean of the same shape: the known lungs.
        scan: The CT as axial slices.

    Returns:
        The volume in ml that was removed within the skin, on a coarse grid. What was removed around the patient, such
        as the foam of a table, is certainly no lung, and nothing that a reader must check.
    """
    spacing = scan.spacing
    slab, rows, columns = coarse_steps(spacing, COARSE_MM)
    coarse = lungs[:, ::rows, ::columns]
    reach, margin = round(REACH_MM / spacing.slices), round(MARGIN_MM / (spacing.rows * rows))
    removed = 0
    for start in range(0, len(lungs), slab):
        part = probability[start : start + slab]
        if not part.any():
            continue
        near = coarse[max(0, start - reach) : start + slab + reach].any(axis=0)
        allowed = _near(np.asarray(convex_hull_image(near)), margin) if near.any() else np.asarray(near)
        far = repeat_to(~allowed, (rows, columns), lungs.shape[1:])
        for section, hu in zip(part, scan.hu[start : start + slab], strict=True):
            left_out = ~allowed & (section[::rows, ::columns] >= 128)
            if left_out.any():
                removed += int(np.count_nonzero(left_out & _within_skin(hu[::rows, ::columns])))
            np.copyto(section, 0, where=far)
    return removed * rows * columns * spacing.voxel_ml


def _within_skin(hu: np.ndarray) -> np.ndarray:
    """Return the largest part of a section that soft tissue encloses; a table is another part."""
    parts, count = ndimage.label(ndimage.binary_fill_holes(hu > TISSUE_HU))
    if not count:
        return parts > 0
    return np.asarray(parts == 1 + np.argmax(np.bincount(parts.ravel())[1:]))


def _near(section: np.ndarray, pixels: int) -> np.ndarray:
    """Return what is within a number of pixels of a mask; empty if the mask is empty."""
    if not section.any():
        return section
    return np.asarray(ndimage.distance_transform_edt(~section) <= pixels)
