"""Slices of MedSeg's set 1 in HU: NAME_ct, NAME_lung and NAME_classes .nii.gz, and index.json.

The classes are ground-glass opacity and consolidation, which both are infection. index.json names the patients.
"""

from __future__ import annotations

from pathlib import Path

from ..entry import INFECTION, ONE_LUNGS, Entry, Labels, Layout
from ..files import INDEX, index_with, plain_name, unreadable

NAME, PURPOSE = "medseg_slices", "lists the slices"
CLASSES: Labels = {1: (*INFECTION, "ground_glass"), 2: (*INFECTION, "consolidation")}


def find(folder: Path) -> list[Entry] | None:
    """Return the slices, in the order of the index; None if it counts no voxels of ground glass."""
    listed = index_with(folder, "ground_glass_voxels")
    if listed is None:
        return None
    try:
        return [
            Entry(
                name=plain_name(item["name"]),
                patient=str(item["patient"]),
                files={kind: folder / f"{item['name']}_{kind}.nii.gz" for kind in ("ct", "lung", "classes")},
                labels={"lung": ONE_LUNGS, "classes": CLASSES},
                slices=int(item["slices"]),
                eight_bit=True,
            )
            for item in listed
        ]
    except (TypeError, KeyError, ValueError) as error:
        raise unreadable(folder / INDEX, PURPOSE) from error


LAYOUT = Layout(NAME, "index.json; NAME_ct, NAME_lung, NAME_classes", find)
