"""The COVID-19-20 challenge (and TCIA's CT Images in COVID-19): `NAME_ct.nii.gz` and `NAME_seg.nii.gz` in one folder.

Lungs are not annotated. Each scan is a patient.
"""

from __future__ import annotations

from pathlib import Path

from ..entry import ONE_INFECTION, Entry, Layout
from ..files import find_images, match_files


def find(folder: Path) -> list[Entry] | None:
    """Return the CTs with masks."""
    if not (find_images(folder, "_ct") and find_images(folder, "_seg")):
        return None
    locations = {"ct": (folder, "_ct"), "infection": (folder, "_seg")}
    return [Entry(name, name, files, {"infection": ONE_INFECTION}) for name, files in match_files(locations).items()]


LAYOUT = Layout("covid_19_20", "NAME_ct, NAME_seg", find)
