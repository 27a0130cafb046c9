"""COVID-19-CT-Seg from Kaggle ("covid19-ct-scans"), where metadata.csv states which CT and masks belong together.

Its columns ct_scan, lung_mask and infection_mask have paths whose last parts are the names of the files. The
Radiopaedia half consists of eight-bit images. Cases have the names of their masks, and `patient_of` gives the patients.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path, PureWindowsPath

from ...storage.limited import read_limited_text
from ..entry import GREY_WINDOW, LEFT_AND_RIGHT, ONE_INFECTION, Entry, Layout
from ..files import image_stem, unreadable
from ..patients import patient_of

METADATA, PURPOSE = "metadata.csv", "states which CT and masks belong together"
#: Folders by column of the table.
FOLDERS = {"ct_scan": "ct_scans", "lung_mask": "lung_mask", "infection_mask": "infection_mask"}


def find(folder: Path) -> list[Entry] | None:
    """Return the rows of the table, in its order."""
    if not all((folder / name).is_dir() for name in FOLDERS.values()):
        return None
    metadata = folder / METADATA
    entries = []
    try:
        with io.StringIO(read_limited_text(metadata)) as file:
            for row in csv.DictReader(file):
                # A Windows path may have both kinds of slashes.
                of = {column: folder / FOLDERS[column] / PureWindowsPath(row[column]).name for column in FOLDERS}
                name = image_stem(of["lung_mask"].name) or of["lung_mask"].name
                entries.append(
                    Entry(
                        name,
                        patient_of(name),
                        {"ct": of["ct_scan"], "lungs": of["lung_mask"], "infection": of["infection_mask"]},
                        {"lungs": LEFT_AND_RIGHT, "infection": ONE_INFECTION},
                        grey_window=GREY_WINDOW,
                    )
                )
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise unreadable(metadata, PURPOSE) from error
    return entries


LAYOUT = Layout("kaggle", "ct_scans, lung_mask, infection_mask; metadata.csv", find)
