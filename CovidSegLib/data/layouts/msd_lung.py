"""The Medical Segmentation Decathlon's Task06_Lung: lung tumours; `imagesTr`, `labelsTr` and dataset.json.

Lungs are not annotated. The CTs of `imagesTs` have no masks and are left out. Each scan is a patient.
"""

from __future__ import annotations

from pathlib import Path

from ..entry import Entry, Layout
from ..files import match_files, read_json

DESCRIPTION = "dataset.json"


def find(folder: Path) -> list[Entry] | None:
    """Return the CTs with masks."""
    if not ((folder / DESCRIPTION).is_file() and (folder / "imagesTr").is_dir()):
        return None
    description = read_json(folder / DESCRIPTION, "describes the data set")
    if not isinstance(description, dict) or str(description.get("name", "")).lower() != "lung":
        return None
    locations = {"ct": (folder / "imagesTr", ""), "tumour": (folder / "labelsTr", "")}
    files = match_files(locations)
    if files and all(name.endswith("_0000") for name, of in files.items() if of["ct"].is_file()):
        return None  # converted to nnU-Net's layout
    return [Entry(name, name, of, {"tumour": {1: ("tumour",)}}) for name, of in files.items()]


LAYOUT = Layout("msd_lung", "dataset.json with the name Lung; imagesTr, labelsTr", find)
