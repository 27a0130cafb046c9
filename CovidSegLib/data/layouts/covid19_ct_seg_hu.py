"""Runs of slices of COVID-19-CT-Seg in HU: NAME_ct, NAME_lung and NAME_infection .nii.gz, and index.json.

index.json names the patients.
"""

from __future__ import annotations

from pathlib import Path

from ..entry import ONE_INFECTION, ONE_LUNGS, Entry, Layout
from ..files import INDEX, plain_name, read_json, unreadable

NAME, PURPOSE = "covid19_ct_seg_hu", "lists the runs of slices"


def find(folder: Path) -> list[Entry] | None:
    """Return the runs of slices, in the order of the index."""
    index = folder / INDEX
    if folder.name != NAME and not index.is_file():
        return None
    try:
        return [
            Entry(
                name=plain_name(entry["name"]),
                patient=str(entry["patient"]),
                files={kind: folder / f"{entry['name']}_{kind}.nii.gz" for kind in ("ct", "lung", "infection")},
                labels={"lung": ONE_LUNGS, "infection": ONE_INFECTION},
                slices=int(entry["slices"]),
                eight_bit=True,
            )
            for entry in read_json(index, PURPOSE)
        ]
    except (TypeError, KeyError, ValueError) as error:
        raise unreadable(index, PURPOSE) from error


LAYOUT = Layout(NAME, "index.json; NAME_ct, NAME_lung, NAME_infection", find)
