"""COVID-19-CT-Seg as Kaggle has it ("covid19-ct-scans"): CTs and masks of different names, told by metadata.csv.

Its columns ct_scan, lung_mask and infection_mask hold paths, of which the last parts are the files. The Radiopaedia
half comes as eight-bit pictures. Cases go by the names of their masks, and patients are `patient_of` those.
"""

from __future__ import annotations

import csv
from pathlib import Path, PureWindowsPath

from ..entry import BOTH_LUNGS, GREY_WINDOW, ONE_INFECTION, Entry, Layout
from ..files import stem, unreadable
from ..patients import patient_of

METADATA, WHAT = "metadata.csv", "says which CT and masks belong together"
#: Column of the table: folder.
FOLDERS = {"ct_scan": "ct_scans", "lung_mask": "lung_mask", "infection_mask": "infection_mask"}


def find(folder: Path) -> list[Entry] | None:
    """The rows of the table, in its order."""
    if not all((folder / name).is_dir() for name in FOLDERS.values()):
        return None
    metadata = folder / METADATA
    entries = []
    try:
        with metadata.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                # A Windows path may hold both kinds of slashes.
                of = {column: folder / FOLDERS[column] / PureWindowsPath(row[column]).name for column in FOLDERS}
                name = stem(of["lung_mask"].name) or of["lung_mask"].name
                entries.append(
                    Entry(
                        name,
                        patient_of(name),
                        {"ct": of["ct_scan"], "lungs": of["lung_mask"], "infection": of["infection_mask"]},
                        {"lungs": BOTH_LUNGS, "infection": ONE_INFECTION},
                        grey_window=GREY_WINDOW,
                    )
                )
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise unreadable(metadata, WHAT) from error
    return entries


LAYOUT = Layout("kaggle", "ct_scans, lung_mask, infection_mask; metadata.csv", find)
