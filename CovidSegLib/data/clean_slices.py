"""Whole scans without masks of infection, read for training: only their slices without infection are known."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..postprocessing import MIN_LUNG_MEDIAN_HU
from ..preprocessing import AxialView
from ..reading import read_volume
from ..volume import AxialScan
from .case import Case
from .entry import Entry
from .entry_reader import read_entry
from .threshold_lungs import LUNG_BELOW_HU, threshold_lungs

#: Slices beside an infected one that are not used either.
MARGIN = 4
#: Area of lung at the edge of a slice from which the lung counts as cut off.
CUT_OFF_MM2 = 1000.0
#: Lowest median of such a piece of lung. Foam of tables has about -890 HU, blankets -870.
CUT_OFF_MEDIAN_HU = -850
#: Distance above and below the lungs up to which slices are used for the infection, because the networks see them.
BEYOND_MM = 15.0


def clean_slices(entry: Entry) -> Case:
    """Read a whole scan as a case in which only the slices without infection are known.

    Infected slices and `MARGIN` slices on either side of them are not used. The lungs are those of the entry's mask, or
    else outlined by `threshold_lungs`. That fails where the edge of the image cuts off a lung, so such slices are not
    used either. The infection is known in slices with lungs, and up to `BEYOND_MM` above and below them.

    Args:
        entry: An entry with `slice_labels`.

    Returns:
        The case, with an empty mask of the infection.

    Raises:
        InputError: The scan cannot be read.
    """
    assert entry.slice_labels is not None
    if entry.labels:
        given = read_entry(entry)
        scan, lungs = given.scan, _without_gas(given.lungs, given.scan.hu)
        known = np.ones(len(scan), dtype=bool)
    else:
        volume = read_volume(entry.files["ct"])
        scan = AxialView.of(volume.grid).scan(volume)
        lungs, known = threshold_lungs(scan), ~cuts_lungs_off(scan)
    for from_head in entry.slice_labels.infected:
        index = len(scan) - 1 - from_head
        known[max(0, index - MARGIN) : index + MARGIN + 1] = False
    masks = {"lungs": lungs, "infection": np.zeros_like(lungs)}
    return Case(entry.name, entry.patient, scan, masks, {"lungs": known, "infection": known & _near_lungs(lungs, scan)})


def cuts_lungs_off(scan: AxialScan) -> np.ndarray:
    """Return which slices have a lung at the edge of the image, where it looks like the air around the patient.

    Returns:
        Boolean (slices).
    """
    pixel_mm2 = scan.spacing.rows * scan.spacing.columns
    cut = np.zeros(len(scan), dtype=bool)
    for z, section in enumerate(scan.hu):
        labels, _ = ndimage.label(section < LUNG_BELOW_HU)
        edge = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
        for label in edge[edge > 0]:
            values = section[labels == label]
            cut[z] |= values.size * pixel_mm2 >= CUT_OFF_MM2 and np.median(values) > CUT_OFF_MEDIAN_HU
    return cut


def _without_gas(lungs: np.ndarray, hu: np.ndarray) -> np.ndarray:
    """Remove pieces of a slice that are gas without lung, such as the colon, which contours may include."""
    kept = np.zeros_like(lungs)
    for z, section in enumerate(lungs):
        labels, count = ndimage.label(section)
        if count:
            medians = ndimage.median(hu[z], labels, np.arange(1, count + 1))
            kept[z] = np.isin(labels, 1 + np.flatnonzero(medians >= MIN_LUNG_MEDIAN_HU))
    return kept


def _near_lungs(lungs: np.ndarray, scan: AxialScan) -> np.ndarray:
    """Return which slices show lungs, or lie within `BEYOND_MM` of one that does; boolean (slices)."""
    shown = np.asarray(lungs.any(axis=(1, 2)))
    beyond = round(BEYOND_MM / scan.spacing.slices)
    return np.asarray(ndimage.binary_dilation(shown, np.ones(2 * beyond + 1)))
