"""Whole CTs that show no infection: NAME_ct.nii.gz, and index.json with what each scan shows.

Some have NAME_lungs.nii.gz. The index states who made it: "mask.nii.gz" is the output of TotalSegmentator 2,
"lungs_rtstruct.nii.gz" the contours for radiotherapy of NSCLC-Radiomics. Each scan is a patient.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..entry import LUNGS, Entry, Labels, Layout, SliceLabels
from ..files import INDEX, index_with, plain_name, unreadable

NAME, PURPOSE = "whole_scans", "states what the scans show"
#: TotalSegmentator 2 has more than a hundred structures; 10 to 14 are the lobes of the lungs.
TOTAL_SEGMENTATOR: Labels = {label: LUNGS if 10 <= label <= 14 else () for label in range(1, 128)}
#: Left lung, right lung, and tumour outside of both, such as nodes in the neck.
CONTOURS: Labels = {1: LUNGS, 2: LUNGS, 3: ()}
LUNG_LABELS = {"mask.nii.gz": TOTAL_SEGMENTATOR, "lungs_rtstruct.nii.gz": CONTOURS}


def find(folder: Path) -> list[Entry] | None:
    """Return the scans, in the order of the index; None if it does not describe contents."""
    listed = index_with(folder, "content")
    try:
        return None if listed is None else [_entry(folder, item) for item in listed]
    except (TypeError, KeyError, ValueError) as error:
        raise unreadable(folder / INDEX, PURPOSE) from error


def _entry(folder: Path, item: Mapping[str, Any]) -> Entry:
    name = plain_name(item["name"])
    files, labels = {"ct": folder / f"{name}_ct.nii.gz"}, {}
    if item.get("lungs"):
        files["lungs"], labels["lungs"] = folder / f"{name}_lungs.nii.gz", LUNG_LABELS[item["lungs"]]
    return Entry(name, name, files, labels, slice_labels=SliceLabels(str(item["content"]), (), folder / INDEX))


LAYOUT = Layout(NAME, "index.json with contents; NAME_ct", find)
