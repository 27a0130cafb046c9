"""Lobes of the lungs that another tool has segmented, such as TotalSegmentator or Lung CT Segmenter."""

from __future__ import annotations

import re

import numpy as np
import slicer
import vtk

from CovidSegLib.masks import Box
from CovidSegLib.quantification.live import LOBES

from .voxels import segment_voxels

#: SNOMED CT codes of the lobes. Three say nothing about the side, which is then a modifier.
_CODES = {
    "42400003": "right upper",
    "72481006": "right middle",
    "266005": "right lower",
    "44714003": "left upper",
    "41224006": "left lower",
}
_CODES_WITHOUT_SIDE = {"45653009": "upper", "90572001": "lower"}
_SIDES = {"24028007": "right", "7771000": "left"}
_WORDS = {"superior": "upper", "inferior": "lower"}


def find_lobes() -> tuple[slicer.vtkMRMLSegmentationNode, dict[str, str]] | None:
    """Return the first segmentation in the scene that has all five lobes, and the segment ID of each lobe by name."""
    for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        found: dict[str, str] = {}
        contents = node.GetSegmentation()
        for index in range(contents.GetNumberOfSegments()):
            segment_id = contents.GetNthSegmentID(index)
            lobe = _lobe_of(segment_id, contents.GetSegment(segment_id))
            if lobe:
                found.setdefault(lobe, segment_id)
        if len(found) == len(LOBES):
            return node, found
    return None


def lobe_labels(ct: slicer.vtkMRMLScalarVolumeNode, box: Box) -> np.ndarray | None:
    """Return the lobes in a box of the CT's grid, uint8: 0 outside, 1 to 5 in the order of `LOBES`. None if unknown."""
    found = find_lobes()
    if found is None:
        return None
    node, segments = found
    labels = np.zeros([part.stop - part.start for part in box], np.uint8)
    for value, name in enumerate(LOBES, start=1):
        mask = segment_voxels(node, segments[name], ct)
        if mask is not None:
            labels[mask.crop(box)] = value
    return labels if labels.any() else None


def lobes_key() -> tuple[int, ...]:
    """Return what changes whenever the lobes in the scene change."""
    found = find_lobes()
    if found is None:
        return ()
    contents = found[0].GetSegmentation()
    labelmaps = [contents.GetSegment(name).GetRepresentation("Binary labelmap") for name in found[1].values()]
    return tuple(labelmap.GetMTime() if labelmap else 0 for labelmap in labelmaps)


def _lobe_of(segment_id: str, segment: slicer.vtkSegment) -> str | None:
    """Return the name of a lobe by the terminology of a segment, otherwise by its name or ID."""
    tag = vtk.reference("")
    fields = str(tag).split("~") if segment.GetTag("TerminologyEntry", tag) else []
    if len(fields) > 3:
        code, modifier = (field.split("^")[1] if field.count("^") else "" for field in fields[2:4])
        if code in _CODES:
            return _CODES[code]
        if code in _CODES_WITHOUT_SIDE and modifier in _SIDES:
            return f"{_SIDES[modifier]} {_CODES_WITHOUT_SIDE[code]}"
    for text in (segment.GetName(), segment_id):
        words = {_WORDS.get(word, word) for word in re.split(r"[^a-z]+", (text or "").lower())}
        for lobe in LOBES:
            if {"lobe", *lobe.split()} <= words:
                return lobe
    return None
