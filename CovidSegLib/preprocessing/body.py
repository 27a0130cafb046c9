"""Where the body is, and where there is no image at all."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.segmentation import clear_border

from ..volume import AIR_HU, AxialScan

#: Between air outside the body (-1000 HU, with its noise) and aerated lung (about -860 HU).
NOT_AIR_HU = -940


def body_mask(scan: AxialScan) -> np.ndarray:
    """Where the body is, seen along its length: boolean (rows, columns). The table is left out.

    Some sixteen slices, at about 4 mm, are thresholded below lung and above air, so that lungs and chest wall are one
    piece also where a cropped picture shows little of the wall; opened, so that the table's thin shells go; the largest
    piece is kept and filled. Arms that only some slices show do not count.
    """
    step = [max(1, round(4.0 / mm)) for mm in scan.spacing.pixel_mm]
    coarse = scan.hu[:: max(1, len(scan) // 16), :: step[0], :: step[1]] > NOT_AIR_HU
    seen = np.zeros(coarse.shape[1:], dtype=np.float32)
    for section in coarse:
        labels, found = ndimage.label(ndimage.binary_opening(section, iterations=2))
        if found:
            largest = labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
            seen += ndimage.binary_fill_holes(largest)
    mask = seen >= max(1.0, 0.25 * len(coarse))
    return np.repeat(np.repeat(mask, step[0], axis=0), step[1], axis=1)[: scan.shape[1], : scan.shape[2]]


def outside_field_of_view(hu: np.ndarray) -> np.ndarray:
    """What fills the slices (z, rows, columns) around the field of view, or around what was cut out: boolean.

    It lies at the darkest that there is and reaches the edge of its slice. Networks that see neighbouring slices may
    take it for lung where the neighbours have lung; nothing can be found there.
    """
    beyond = hu <= AIR_HU
    for section in beyond:
        edge = section[0].any() or section[-1].any() or section[:, 0].any() or section[:, -1].any()
        section &= ~clear_border(section) if edge else False
    return beyond
