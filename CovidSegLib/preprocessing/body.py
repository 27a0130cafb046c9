"""Find the body, and the part of the slices that lies outside the field of view."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.segmentation import clear_border

from ..volume import AIR_HU, AxialScan

#: Between air outside the body (-1000 HU plus noise) and aerated lung (about -860 HU).
NOT_AIR_HU = -940


def body_mask(scan: AxialScan) -> np.ndarray:
    """Return the projection of the body along its length, without the patient table.

    About sixteen slices, subsampled to about 4 mm, are thresholded above air and below lung. The threshold makes lungs
    and chest wall one component, even if a cropped image shows little of the wall. Opening removes the thin shells of
    the table. The largest component of each slice is filled. Pixels that belong to the body in less than a quarter of
    the slices, such as arms, are left out.

    Args:
        scan: The CT as axial slices.

    Returns:
        Boolean (rows, columns).
    """
    step = [max(1, round(4.0 / mm)) for mm in scan.spacing.pixel_mm]
    coarse = scan.hu[:: max(1, len(scan) // 16), :: step[0], :: step[1]] > NOT_AIR_HU
    slices_with_body = np.zeros(coarse.shape[1:], dtype=np.float32)
    for section in coarse:
        labels, count = ndimage.label(ndimage.binary_opening(section, iterations=2))
        if count:
            largest = labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
            slices_with_body += ndimage.binary_fill_holes(largest)
    mask = slices_with_body >= max(1.0, 0.25 * len(coarse))
    return np.repeat(np.repeat(mask, step[0], axis=0), step[1], axis=1)[: scan.shape[1], : scan.shape[2]]


def outside_field_of_view(hu: np.ndarray) -> np.ndarray:
    """Return the padding around the field of view, or around a cropped region, in each slice.

    Padding has the lowest possible value and touches the edge of its slice. Networks that see neighbouring slices may
    take it for lung if the neighbours contain lung.

    Args:
        hu: Hounsfield units (slices, rows, columns).

    Returns:
        Boolean (slices, rows, columns).
    """
    outside = hu <= AIR_HU
    for section in outside:
        edge = section[0].any() or section[-1].any() or section[:, 0].any() or section[:, -1].any()
        section &= ~clear_border(section) if edge else False
    return outside
