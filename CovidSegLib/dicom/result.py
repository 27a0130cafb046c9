"""What is exported: the masks, lesions and provenance of a result, on the grid of the DICOM series."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..masks import label_components
from ..outputs import FILES
from ..quantification import quantify
from ..segmentation import LEFT_LUNG, RIGHT_LUNG, Segmentation
from ..storage.limited import read_limited_json
from ..volume import Grid, Volume
from .alignment import onto_grid
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
    report = _read_report(folder)
    masks, grid = _read_masks(folder / FILES["segmentation"])
    uid = (report.get("input") or {}).get("series_uid")
    if uid and uid != source.series_uid:
        raise InputError(
            f'The result in "{folder}" was made from another series (UID …{str(uid)[-12:]}) than the one named '
            f"(UID …{source.series_uid[-12:]}). Name the series that was segmented."
        )
    target = source.volume.grid
    lungs, infection = (onto_grid(masks[name], grid, target) for name in ("lungs", "infection"))
    segmentation = Segmentation(
        lungs, infection.astype(bool), np.zeros((1, 1, 1), np.uint8), target, report.get("provenance") or {}
    )
    edited = bool(report.get("edited")) or _was_edited(folder, segmentation, report)
    if not uid and not edited:
        _check_densities(source.volume, segmentation, report)
    if (folder / LESION_LABELS).exists():
        image = _read_image(folder / LESION_LABELS)
        lesions = onto_grid(sitk.GetArrayFromImage(image).astype(np.uint16), Grid.of_image(image), target)
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


def _read_report(folder: Path) -> dict[str, Any]:
    path = folder / FILES["report"]
    if not folder.is_dir() or not path.is_file() or not (folder / FILES["segmentation"]).is_file():
        raise InputError(
            f'"{folder}" is not a result folder: it lacks {FILES["report"]} or {FILES["segmentation"]}. Name a folder '
            "that `covidseg segment` has written."
        )
    try:
        report = read_limited_json(path)
    except (OSError, ValueError) as error:
        raise InputError(f'"{path}" cannot be read ({error}). Segment the CT again.') from error
    if not isinstance(report, dict):
        raise InputError(f'"{path}" is not a report. Segment the CT again.')
    return report


def _read_masks(path: Path) -> tuple[dict[str, np.ndarray], Grid]:
    """Read lungs (1 right, 2 left) and infection from a `.seg.nrrd` file."""
    image = _read_image(path)
    layers = sitk.GetArrayFromImage(image)
    layers = layers.reshape(*layers.shape[:3], -1)
    found: dict[str, np.ndarray] = {}
    for number in range(len(image.GetMetaDataKeys())):
        key = f"Segment{number}_"
        if not image.HasMetaDataKey(f"{key}ID"):
            break
        layer = int(image.GetMetaData(f"{key}Layer")) if image.HasMetaDataKey(f"{key}Layer") else 0
        value = int(image.GetMetaData(f"{key}LabelValue")) if image.HasMetaDataKey(f"{key}LabelValue") else 1
        found[image.GetMetaData(f"{key}ID")] = layers[..., layer] == value
    if missing := {"right_lung", "left_lung", "infection"} - found.keys():
        raise InputError(f'"{path}" lacks the segments {", ".join(sorted(missing))}. Segment the CT again.')
    lungs = RIGHT_LUNG * found["right_lung"].astype(np.uint8)
    lungs[found["left_lung"]] = LEFT_LUNG
    size = image.GetSize()
    grid = Grid((size[2], size[1], size[0]), image.GetSpacing(), image.GetOrigin(), image.GetDirection())
    return {"lungs": lungs, "infection": found["infection"].astype(np.uint8)}, grid


def _read_image(path: Path) -> sitk.Image:
    try:
        return sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise InputError(f'"{path}" is damaged. Segment the CT again.') from error


def _was_edited(folder: Path, segmentation: Segmentation, report: dict[str, Any]) -> bool:
    """Whether the segments differ from the label map, or from the numbers of the report if there is no label map."""
    path = folder / FILES["labels"]
    if path.is_file():
        image = _read_image(path)
        labels = onto_grid(sitk.GetArrayFromImage(image), Grid.of_image(image), segmentation.grid)
        return not np.array_equal(labels, segmentation.labels)
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
