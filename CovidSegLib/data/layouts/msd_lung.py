"""The Medical Segmentation Decathlon's Task06_Lung: lung tumours; `imagesTr`, `labelsTr` and dataset.json.

Lungs are not outlined. The CTs of `imagesTs` have no masks and are left out. A scan is a patient.
"""

from __future__ import annotations

from pathlib import Path

from ..entry import Entry, Layout
from ..files import partners, read_json

DESCRIPTION = "dataset.json"


def find(folder: Path) -> list[Entry] | None:
    """The CTs with masks."""
    if not ((folder / DESCRIPTION).is_file() and (folder / "imagesTr").is_dir()):
        return None
    description = read_json(folder / DESCRIPTION, "describes the data set")
    if not isinstance(description, dict) or str(description.get("name", "")).lower() != "lung":
        return None
    where = {"ct": (folder / "imagesTr", ""), "tumour": (folder / "labelsTr", "")}
    files = partners(where)
    if files and all(name.endswith("_0000") for name, of in files.items() if of["ct"].is_file()):
        return None  # turned into nnU-Net's layout
    return [Entry(name, name, of, {"tumour": {1: ("tumour",)}}) for name, of in files.items()]


LAYOUT = Layout("msd_lung", "dataset.json with the name Lung; imagesTr, labelsTr", find)
