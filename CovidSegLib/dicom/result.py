"""What is exported: the masks, lesions and provenance of a result, on the grid of the DICOM series."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from ..alignment import onto_grid
from ..errors import InputError
from ..masks import label_components
from ..outputs import FILES
from ..outputs.stored_result import on_grid_of, read_masks, read_report, read_stored_image
from ..quantification import quantify
from ..segmentation import LEFT_LUNG, RIGHT_LUNG, Segmentation
from ..volume import Grid, Volume
from .source import Source

#: Optional file of a result: label map with the number of the lesion at each voxel. The panel writes it, because people
#: merge and split lesions; without it, lesions are the components of the infection.
LESION_LABELS = "lesions.nrrd"
#: Largest difference in mean HU that rounding in the report explains.
HU_TOLERANCE = 0.2
LUNGS = {"right": RIGHT_LUNG, "left": LEFT_LUNG}


@dataclass(frozen=True)
class Result:
    """A result on the grid of its DICOM series.

    Attributes:
        segmentation: Lungs and infection (z, y, x), with the provenance.
        lesions: uint16 (z, y, x): number of the lesion at each voxel, 0 outside.
        edited: Whether a person has changed the masks of the model.
    """

    segmentation: Segmentation
    lesions: np.ndarray
    edited: bool

    @property
    def provenance(self) -> dict[str, Any]:
        """How the masks were made."""
        return self.segmentation.provenance


def result_of(volume: Volume, segmentation: Segmentation) -> Result:
    """Return what is exported of a segmentation that was just computed."""
    return Result(segmentation, number_lesions(volume, segmentation), edited=False)


def read_result(folder: Path, source: Source) -> Result:
    """Read a result folder, and check that it was made from the series.

    Args:
        folder: Written by `covidseg segment`, or by the panel.
        source: The DICOM series.

    Raises:
        InputError: The folder holds no result, or the result was made from another series.
    """
    if not all((folder / FILES[name]).is_file() for name in ("report", "segmentation")):
        raise InputError(
            f'"{folder}" is not a result folder: it lacks {FILES["report"]} or {FILES["segmentation"]}. Name a folder '
            "that `covidseg segment` has written."
        )
    report = read_report(folder / FILES["report"])
    uid = (report.get("input") or {}).get("series_uid")
    if uid and uid != source.series_uid:
        raise InputError(
            f'The result in "{folder}" was made from another series (UID …{str(uid)[-12:]}) than the one named '
            f"(UID …{source.series_uid[-12:]}). Name the series that was segmented."
        )
    masks = read_masks(folder / FILES["segmentation"])
    segmentation = on_grid_of(masks, source.volume, report.get("provenance") or {})
    stated = report.get("edited", segmentation.provenance.get("edited"))
    edited = stated if isinstance(stated, bool) else _was_edited(folder, segmentation, report)
    if not uid and not edited:
        _check_densities(source.volume, segmentation, report)
    if (folder / LESION_LABELS).exists():
        lesions = _labels(folder / LESION_LABELS, source.volume.grid)
    else:
        lesions = number_lesions(source.volume, segmentation)
    return Result(segmentation, lesions, edited)


def number_lesions(volume: Volume, segmentation: Segmentation) -> np.ndarray:
    """Return the lesions as the report numbers them: components within one lung, the largest first.

    Returns:
        uint16 (z, y, x): number of the lesion, 0 outside. Components that are too small to be listed have none.
    """
    lesions = quantify(volume, segmentation)["lesions"]["list"]
    numbers = np.zeros(volume.grid.shape, np.uint16)
    to_index = np.linalg.inv(volume.grid.affine_lps)
    for side, label in LUNGS.items():
        ours = [lesion for lesion in lesions if lesion["lung"] == side]
        if not ours:
            continue
        components, count = label_components(segmentation.infection & (segmentation.lungs == label))
        table = np.zeros(count + 1, np.uint16)
        for lesion in ours:
            x, y, z = np.rint(to_index @ [*lesion["inside_lps_mm"], 1])[:3].astype(int)
            table[components[z, y, x]] = lesion["number"]
        table[0] = 0
        numbers |= table[components]
    return numbers


def _labels(path: Path, grid: Grid) -> np.ndarray:
    """Read a label map, uint16 (z, y, x) on a grid."""
    image = read_stored_image(path)
    return onto_grid(sitk.GetArrayFromImage(image).astype(np.uint16), Grid.of_image(image), grid)


def _was_edited(folder: Path, segmentation: Segmentation, report: dict[str, Any]) -> bool:
    """Whether the segments differ from the label map, or from the numbers of the report if there is no label map."""
    path = folder / FILES["labels"]
    if path.is_file():
        return not np.array_equal(_labels(path, segmentation.grid), segmentation.labels)
    both = report.get("lungs", {}).get("both", {})
    infected = int(np.count_nonzero(segmentation.infection & (segmentation.lungs > 0)))
    volumes = {"volume_ml": int(np.count_nonzero(segmentation.lungs)), "infection_ml": infected}
    voxel_ml = segmentation.grid.voxel_ml
    return any(abs(both.get(key, 0.0) - count * voxel_ml) > 0.5 * voxel_ml + 1e-3 for key, count in volumes.items())


def _check_densities(volume: Volume, segmentation: Segmentation, report: dict[str, Any]) -> None:
    """Check that the lungs have the mean HU of the report, where the report does not name the series."""
    stated = report.get("lungs", {}).get("both", {}).get("mean_hu")
    lungs = segmentation.lungs > 0
    if stated is not None and lungs.any() and abs(float(volume.array[lungs].mean(dtype=float)) - stated) > HU_TOLERANCE:
        raise InputError(
            "The lungs of the series have another density than the report states: this is another reconstruction, not "
            "the series that was segmented. Name the series that was segmented."
        )
