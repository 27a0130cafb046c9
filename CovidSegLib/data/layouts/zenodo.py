"""COVID-19-CT-Seg from Zenodo (record 3757476): a folder of CTs, with folders of masks beside it.

The masks are in two folders, lungs and infection, or in one with both. The Radiopaedia half consists of eight-bit
images of the window -1250 to 250 HU. `patient_of` gives the patients: all series of one case of Radiopaedia are one.
"""

from __future__ import annotations

from pathlib import Path

from ..entry import GREY_WINDOW, LEFT_AND_RIGHT, LUNGS_AND_INFECTION, ONE_INFECTION, Entry, Layout
from ..files import match_files
from ..patients import patient_of

CTS, LUNGS, INFECTION, BOTH = "COVID-19-CT-Seg_20cases", "Lung_Mask", "Infection_Mask", "Lung_and_Infection_Mask"


def find(folder: Path) -> list[Entry] | None:
    """Return the CTs with masks."""
    exists = {name: (folder / name).is_dir() for name in (CTS, LUNGS, INFECTION, BOTH)}
    if not (exists[CTS] and any(exists[name] for name in (LUNGS, INFECTION, BOTH))):
        return None
    labels = {LUNGS: LEFT_AND_RIGHT, INFECTION: ONE_INFECTION}
    if exists[BOTH] and not (exists[LUNGS] and exists[INFECTION]):
        labels = {BOTH: LUNGS_AND_INFECTION}
    labels = {name: of for name, of in labels.items() if exists[name]}
    locations = {"ct": (folder / CTS, ""), **{name: (folder / name, "") for name in labels}}
    return [
        Entry(name, patient_of(name), files, labels, grey_window=GREY_WINDOW)
        for name, files in match_files(locations).items()
    ]


LAYOUT = Layout("zenodo", f"{CTS}; {LUNGS} and {INFECTION}, or {BOTH}", find)
