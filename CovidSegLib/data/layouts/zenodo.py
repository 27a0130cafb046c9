"""COVID-19-CT-Seg as its authors put it on Zenodo (record 3757476): a folder of CTs, and folders of masks beside it.

The masks are two folders, of lungs and of infection, or one of both. The Radiopaedia half comes as eight-bit pictures
of the window -1250 to 250 HU. Patients are `patient_of` the names: the series of one case of Radiopaedia are one.
"""

from __future__ import annotations

from pathlib import Path

from ..entry import BOTH_LUNGS, GREY_WINDOW, LUNGS_AND_INFECTION, ONE_INFECTION, Entry, Layout
from ..files import partners
from ..patients import patient_of

CTS, LUNGS, INFECTION, BOTH = "COVID-19-CT-Seg_20cases", "Lung_Mask", "Infection_Mask", "Lung_and_Infection_Mask"


def find(folder: Path) -> list[Entry] | None:
    """The CTs with masks."""
    there = {name: (folder / name).is_dir() for name in (CTS, LUNGS, INFECTION, BOTH)}
    if not (there[CTS] and any(there[name] for name in (LUNGS, INFECTION, BOTH))):
        return None
    labels = {LUNGS: BOTH_LUNGS, INFECTION: ONE_INFECTION}
    if there[BOTH] and not (there[LUNGS] and there[INFECTION]):
        labels = {BOTH: LUNGS_AND_INFECTION}
    labels = {name: of for name, of in labels.items() if there[name]}
    where = {"ct": (folder / CTS, ""), **{name: (folder / name, "") for name in labels}}
    return [
        Entry(name, patient_of(name), files, labels, grey_window=GREY_WINDOW) for name, files in partners(where).items()
    ]


LAYOUT = Layout("zenodo", f"{CTS}; {LUNGS} and {INFECTION}, or {BOTH}", find)
