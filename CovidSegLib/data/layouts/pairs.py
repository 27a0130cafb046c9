"""A plain folder: `images` and `masks` with the same names, or NAME with NAME_infection, NAME_lung or NAME_mask.

Masks hold 1 (or 255) for what they are of; plain masks are of infection, and lungs may have 1 and 2 for the sides.
Patients are `patient_of` the names, so that elsewhere every scan is taken for a patient of its own.
"""

from __future__ import annotations

from pathlib import Path

from ..entry import INFECTION, LUNGS, Entry, Labels, Layout
from ..files import images, partners
from ..patients import patient_of

#: Suffix of a mask: its labels.
LABELS: dict[str, Labels] = {
    "_infection": {1: INFECTION, 255: INFECTION},
    "_mask": {1: INFECTION, 255: INFECTION},
    "_lung": {1: LUNGS, 2: LUNGS, 255: LUNGS},
}


def find(folder: Path) -> list[Entry] | None:
    """The CTs with masks."""
    if (folder / "images").is_dir() and (folder / "masks").is_dir():
        where = {"ct": (folder / "images", ""), "_mask": (folder / "masks", "")}
        of = partners(where)
        return [Entry(name, patient_of(name), files, {"_mask": LABELS["_mask"]}) for name, files in of.items()]
    masks = {suffix: images(folder, suffix) for suffix in LABELS}
    cts = {name: path for name, path in images(folder).items() if not name.endswith(tuple(LABELS))}
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
