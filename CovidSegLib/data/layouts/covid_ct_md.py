"""COVID-CT-MD: whole DICOM scans, a folder each, and labels.json, which counts infected slices from the head.

No masks: a scan teaches what clean slices look like, and says in which slices infection is to be found. A scan is a
patient.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...preprocessing import AxialView
from ...reading import read_volume
from ..case import Case
from ..entry import Entry, Layout
from ..files import read_json, unreadable
from ..threshold_lungs import threshold_lungs

NAME, LABELS, WHAT = "covid_ct_md", "labels.json", "lists the infected slices"


def find(folder: Path) -> list[Entry] | None:
    """The whole scans, in the order of the labels."""
    labels = folder / LABELS
    if folder.name != NAME and not labels.is_file():
        return None
    try:
        names = list(read_json(labels, WHAT)["cases"])
    except (TypeError, KeyError) as error:
        raise unreadable(labels, WHAT) from error
    return [Entry(name, name, {"dicom": folder / name}) for name in names]


def clean_slices(scan: Path, beside: int = 4) -> Case:
    """A whole scan, of which only the slices without infection are used.

    Its lungs are outlined by `threshold_lungs`; that fails in consolidation, so the infected slices that labels.json
    lists, and `beside` more on either side of them, are not used.

    Args:
        scan: Its folder of DICOM files, beside labels.json.
        beside: Slices.

    Raises:
        InputError: The scan cannot be read.
    """
    volume = read_volume(scan)
    axial = AxialView.of(volume.grid).scan(volume)
    infected = np.zeros(len(axial), dtype=bool)
    for from_head in infected_slices(scan):
        at = len(axial) - 1 - from_head
        infected[max(0, at - beside) : at + beside + 1] = True
    lungs = threshold_lungs(axial)
    masks = {"lungs": lungs, "infection": np.zeros_like(lungs)}
    known = {"lungs": ~infected, "infection": ~infected & lungs.any(axis=(1, 2))}
    return Case(scan.name, scan.name, axial, masks, known)


def infected_slices(scan: Path) -> list[int]:
    """The slices of a scan that hold infection, counted from 0 at the head.

    Raises:
        InputError: The list of them cannot be read.
    """
    labels = scan.parent / LABELS
    try:
        return [int(number) for number in read_json(labels, WHAT)["cases"][scan.name]["infected_slices"]]
    except (TypeError, KeyError, ValueError) as error:
        raise unreadable(labels, WHAT) from error


LAYOUT = Layout(NAME, "labels.json; a folder of DICOM files a scan", find)
