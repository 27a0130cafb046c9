"""A plain folder: `images` and `masks` with the same names, or NAME with NAME_infection, NAME_lung or NAME_mask.

The label is 1 or 255; plain masks show infection, and lung masks may have 1 and 2 for the two sides. `patient_of` gives
the patients, so that scans from other data sets each count as a patient.
"""

from __future__ import annotations

from pathlib import Path

from ..entry import INFECTION, LUNGS, Entry, Labels, Layout
from ..files import find_images, match_files
from ..patients import patient_of

#: Labels by suffix of a mask's name.
LABELS: dict[str, Labels] = {
    "_infection": {1: INFECTION, 255: INFECTION},
    "_mask": {1: INFECTION, 255: INFECTION},
    "_lung": {1: LUNGS, 2: LUNGS, 255: LUNGS},
}


def find(folder: Path) -> list[Entry] | None:
    """Return the CTs with masks."""
    if (folder / "images").is_dir() and (folder / "masks").is_dir():
        locations = {"ct": (folder / "images", ""), "_mask": (folder / "masks", "")}
        matched = match_files(locations)
        return [Entry(name, patient_of(name), files, {"_mask": LABELS["_mask"]}) for name, files in matched.items()]
    masks = {suffix: find_images(folder, suffix) for suffix in LABELS}
    cts = {name: path for name, path in find_images(folder).items() if not name.endswith(tuple(LABELS))}
    if not any(masks.values()):
        return None
    entries = []
    for name in sorted({*cts, *(name for found in masks.values() for name in found)}):
        mine = {suffix: found[name] for suffix, found in masks.items() if name in found}
        mine = mine or {"_infection": folder / f"{name}_infection.nii.gz"}
        files = {"ct": cts.get(name, folder / f"{name}.nii.gz"), **mine}
        entries.append(Entry(name, patient_of(name), files, {suffix: LABELS[suffix] for suffix in mine}))
    return entries


LAYOUT = Layout("pairs", "images and masks; or NAME with NAME_infection, NAME_lung, NAME_mask", find)
