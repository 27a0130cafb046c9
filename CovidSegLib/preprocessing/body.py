"""Where the body is."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

#: Between air outside the body (-1000 HU, with its noise) and aerated lung (about -860 HU).
NOT_AIR_HU = -940


def body_mask(axial: np.ndarray, pixel_mm: tuple[float, float]) -> np.ndarray:
    """Where the body is, seen along its length: boolean (rows, columns). The table is left out.

    Some sixteen slices, at about 4 mm, are thresholded below lung and above air, so that lungs and chest wall are one
    piece also where a cropped picture shows little of the wall; opened, so that the table's thin shells go; the largest
    piece is kept and filled. Arms that only some slices show do not count.
    """
    step = [max(1, round(4.0 / mm)) for mm in pixel_mm]
    coarse = axial[:: max(1, len(axial) // 16), :: step[0], :: step[1]] > NOT_AIR_HU
    seen = np.zeros(coarse.shape[1:], dtype=np.float32)
    for section in coarse:
        labels, found = ndimage.label(ndimage.binary_opening(section, iterations=2))
        if found:
            largest = labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
            seen += ndimage.binary_fill_holes(largest)
    mask = seen >= max(1.0, 0.25 * len(coarse))
    return np.repeat(np.repeat(mask, step[0], axis=0), step[1], axis=1)[: axial.shape[1], : axial.shape[2]]
