"""Find the body, and the part of the slices that lies outside the field of view."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.segmentation import clear_border

from ..coarse_grid import repeat_to
from ..volume import AIR_HU, AxialScan

#: Between air outside the body (-1000 HU plus noise) and aerated lung (about -860 HU).
NOT_AIR_HU = -940
#: The body is found at about this resolution.
BODY_MM = 4.0
#: Least share of the body in the field of view of a scan that is cropped around the lungs. Whole scans show up to 0.88,
#: such crops 0.98 and more.
CROPPED_SHARE = 0.93


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
    step = [max(1, round(BODY_MM / mm)) for mm in scan.spacing.pixel_mm]
    coarse = scan.hu[:: max(1, len(scan) // 16), :: step[0], :: step[1]] > NOT_AIR_HU
    slices_with_body = np.zeros(coarse.shape[1:], dtype=np.float32)
    for section in coarse:
        slices_with_body += _largest_filled(section)
    mask = slices_with_body >= max(1.0, 0.25 * len(coarse))
    return repeat_to(mask, step, scan.shape[1:])


def outside_body(scan: AxialScan) -> np.ndarray:
    """Return what lies outside the body in each slice: air, table, blankets, head holder, and padding.

    Unlike `body_mask`, which is one region for all slices, it follows the body from slice to slice. Each slice is
    averaged over squares of about 4 mm. What is denser than air, lung included, is opened, which removes sheets of up
    to about 16 mm such as the shells of a table. The body is the largest component that remains, without holes.

    If half of the slices show little but body, the scan is cropped around the lungs. Then only the padding is outside:
    opening would remove the thin wall that the crop leaves, and with it lung as dark as air.

    Args:
        scan: The CT as axial slices.

    Returns:
        Boolean (slices, rows, columns).
    """
    outside = outside_field_of_view(scan.hu)
    rows, columns = (max(1, round(BODY_MM / mm)) for mm in scan.spacing.pixel_mm)
    shares, bodies = [], []
    for section in scan.hu:
        squares = _mean_of_squares(section, rows, columns)
        dense = squares > NOT_AIR_HU
        in_view = max(1, int(np.count_nonzero(squares > AIR_HU)))
        shares.append(int(np.count_nonzero(ndimage.binary_fill_holes(dense))) / in_view)
        bodies.append(_body(dense, max(1, round(2 * BODY_MM / (scan.spacing.rows * rows)))))
    if np.median(shares) < CROPPED_SHARE:
        for section, body in zip(outside, bodies, strict=True):
            section |= ~repeat_to(body, (rows, columns), section.shape)
    return outside


def _mean_of_squares(section: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Return the means of rectangles of pixels. The last ones are completed by repeating the edge."""
    height, width = section.shape
    padded = np.pad(section, ((0, -height % rows), (0, -width % columns)), mode="edge")
    return padded.reshape(padded.shape[0] // rows, rows, -1, columns).mean(axis=(1, 3), dtype=np.float32)


def _body(dense: np.ndarray, iterations: int) -> np.ndarray:
    """Return the largest component of an opened section, without its holes."""
    # Opening would round off a body that the image cuts through.
    continued = np.pad(dense, 2 * iterations, mode="edge")
    inner = slice(2 * iterations, -2 * iterations)
    return _largest_filled(continued, iterations)[inner, inner]


def _largest_filled(section: np.ndarray, iterations: int = 2) -> np.ndarray:
    """Return the largest component of an opened section without its holes; empty if there is none."""
    labels, count = ndimage.label(ndimage.binary_opening(section, iterations=iterations))
    if not count:
        return np.zeros(section.shape, dtype=bool)
    return np.asarray(ndimage.binary_fill_holes(labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])))


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
