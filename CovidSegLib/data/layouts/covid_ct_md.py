"""COVID-CT-MD: whole DICOM scans, one folder each, and labels.json, which lists infected slices from the head.

There are no masks. Clean slices are used for training, and the list of infected slices for evaluation. Each scan is a
patient.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...preprocessing import AxialView
from ...reading import read_volume
from ..case import Case
from ..entry import Entry, Layout
from ..files import plain_name, read_json, unreadable
from ..threshold_lungs import threshold_lungs

NAME, LABELS, PURPOSE = "covid_ct_md", "labels.json", "lists the infected slices"


def find(folder: Path) -> list[Entry] | None:
    """Return the whole scans, in the order of the labels."""
    labels = folder / LABELS
    if folder.name != NAME and not labels.is_file():
        return None
    try:
        names = [plain_name(name) for name in read_json(labels, PURPOSE)["cases"]]
    except (TypeError, KeyError, ValueError) as error:
        raise unreadable(labels, PURPOSE) from error
    return [Entry(name, name, {"dicom": folder / name}) for name in names]


def clean_slices(scan: Path, margin: int = 4) -> Case:
    """Read a whole scan as a case in which only the slices without infection are known.

    The lungs are outlined by `threshold_lungs`. As that fails in consolidation, the infected slices that labels.json
    lists, and `margin` slices on either side of them, are not used.

    Args:
        scan: Folder of DICOM files, beside labels.json.
        margin: Number of slices.

    Raises:
        InputError: The scan cannot be read.
    """
    volume = read_volume(scan)
    axial = AxialView.of(volume.grid).scan(volume)
    infected = np.zeros(len(axial), dtype=bool)
    for from_head in infected_slices(scan):
        index = len(axial) - 1 - from_head
        infected[max(0, index - margin) : index + margin + 1] = True
    lungs = threshold_lungs(axial)
    masks = {"lungs": lungs, "infection": np.zeros_like(lungs)}
    known = {"lungs": ~infected, "infection": ~infected & lungs.any(axis=(1, 2))}
    return Case(scan.name, scan.name, axial, masks, known)


def infected_slices(scan: Path) -> list[int]:
    """Return the indices of the slices with infection, counted from 0 at the head.

    Raises:
        InputError: labels.json cannot be read.
    """
    labels = scan.parent / LABELS
    try:
        return [int(number) for number in read_json(labels, PURPOSE)["cases"][scan.name]["infected_slices"]]
    except (TypeError, KeyError, ValueError) as error:
        raise unreadable(labels, PURPOSE) from error


LAYOUT = Layout(NAME, "labels.json; one folder of DICOM files per scan", find)
