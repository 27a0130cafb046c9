"""The files of a comparison of two CTs: masks for the child process, and what it writes."""

from __future__ import annotations

import gzip
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from CovidSegLib.volume import Grid

from .result_files import NIFTI_VOXELS, REPORT, SEGMENTATION, StoredSegment, read_seg_nrrd
from .volumes import write_nrrd
from .voxels import BoxArray

#: Names of the files.
FOLLOW_UP_REPORT, CHANGES, PRIOR_CT, FIT = "follow-up.json", "changes.seg.nrrd", "prior_ct.nii.gz", "fit.png"
#: Layer and value of each segment in the masks for the child process. Lungs and infection overlap.
LAYERS = {"right_lung": (0, 1), "left_lung": (0, 2), "infection": (1, 1)}
#: Start of the identifiers of the segments, for the lesions of each CT.
CURRENT, PRIOR = "current_", "prior_"


@dataclass(frozen=True)
class FollowUpFiles:
    """What the child process has written.

    Attributes:
        report: Content of follow-up.json.
        grid: Grid of the current CT, on which everything is.
        prior_ct: int16 (z, y, x): the registered earlier CT.
        segments: The segments of both CTs.
        layers: uint8, cropped: the lesions of the current CT, and those of the earlier one.
        fit: PNG of how well the lungs fit.
    """

    report: dict[str, Any]
    grid: Grid
    prior_ct: np.ndarray
    segments: tuple[StoredSegment, ...]
    layers: tuple[BoxArray, ...]
    fit: bytes


def write_masks(masks: dict[str, BoxArray | None], provenance: dict[str, Any], grid: Grid, folder: Path) -> None:
    """Write masks as a result that the child process reads. Needs no scene, so it can run in a thread.

    Args:
        masks: Masks by the ID of the segment; None for an empty one.
        provenance: Provenance of the masks.
        grid: Grid of the CT.
        folder: Folder to create.
    """
    layers = np.zeros((*grid.shape, 2), np.uint8)
    keys: dict[str, str] = {}
    for number, (name, (layer, value)) in enumerate(LAYERS.items()):
        mask = masks.get(name)
        if mask is not None:
            layers[(*mask.box, layer)][mask.array != 0] = value
        keys |= {f"Segment{number}_ID": name, f"Segment{number}_Layer": str(layer)}
        keys[f"Segment{number}_LabelValue"] = str(value)
    folder.mkdir()
    write_nrrd(layers, grid, folder / SEGMENTATION, keys)
    (folder / REPORT).write_text(json.dumps({"provenance": provenance}), encoding="utf-8")


def read_follow_up_files(folder: Path) -> FollowUpFiles:
    """Read a comparison. Needs neither a scene nor VTK, so it can run in a thread.

    Raises:
        OSError, ValueError, KeyError: A file is missing or damaged.
    """
    report = json.loads((folder / FOLLOW_UP_REPORT).read_text(encoding="utf-8"))
    grid, segments, layers = read_seg_nrrd(folder / CHANGES)
    content = gzip.decompress((folder / PRIOR_CT).read_bytes())
    voxels = np.frombuffer(content, "<i2", math.prod(grid.shape), NIFTI_VOXELS).reshape(grid.shape)
    return FollowUpFiles(report, grid, voxels, segments, layers, (folder / FIT).read_bytes())
