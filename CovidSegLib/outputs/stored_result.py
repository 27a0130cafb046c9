"""Read masks that CovidSeg has written, also after they were corrected in 3D Slicer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from ..alignment import onto_grid
from ..errors import InputError
from ..reading.image_file import check_image_file, quiet_itk
from ..reading.private_folder import portable_name
from ..segmentation import LEFT_LUNG, RIGHT_LUNG, Segmentation
from ..storage.limited import read_limited_json
from ..volume import Grid, Volume
from .names import FILES

#: Segments that a file must have. Others, such as rejected lesions, are left out.
SEGMENTS = ("right_lung", "left_lung", "infection")
ENDING = ".seg.nrrd"


@dataclass(frozen=True)
class StoredMasks:
    """The masks in a `.seg.nrrd` file.

    Attributes:
        lungs: uint8 (z, y, x): 1 right lung, 2 left lung.
        infection: bool (z, y, x).
        grid: Their grid. Slicer saves only the box that holds the segments.
        model: Name and SHA-256 of the model, as the tags of the segments state them; empty if they do not.
    """

    lungs: np.ndarray
    infection: np.ndarray
    grid: Grid
    model: dict[str, str | None]


def read_result(path: Path, volume: Volume) -> Segmentation:
    """Read the masks of a CT.

    Args:
        path: A folder that `covidseg segment` has written, or a `.seg.nrrd` file, which 3D Slicer may have saved.
        volume: The CT.

    Returns:
        The masks on the grid of the CT, without probabilities, with the provenance that the files state.

    Raises:
        InputError: There are no masks, they cannot be read, or they are not of this CT.
    """
    file = path / FILES["segmentation"] if path.is_dir() else path
    if not file.is_file() or not file.name.endswith(ENDING):
        raise InputError(
            f'There is no result in "{path.name}". Give a folder that `covidseg segment` has written, or a {ENDING} '
            "file."
        )
    masks = read_masks(file)
    has_report = path.is_dir() and (path / FILES["report"]).exists()
    provenance = read_report(path / FILES["report"]).get("provenance") if has_report else {}
    return on_grid_of(masks, volume, provenance or ({"model": masks.model} if masks.model else {}))


def read_masks(file: Path) -> StoredMasks:
    """Read the lungs and the infection in a `.seg.nrrd` file.

    Raises:
        InputError: The file cannot be read, or lacks a segment.
    """
    image = read_stored_image(file)
    layers = sitk.GetArrayViewFromImage(image)
    if image.GetNumberOfComponentsPerPixel() == 1:
        layers = layers[..., np.newaxis]
    masks = {name: layers[..., layer] == value for name, (layer, value) in _segments(image, file).items()}
    lungs = RIGHT_LUNG * masks["right_lung"].astype(np.uint8)
    lungs[masks["left_lung"]] = LEFT_LUNG
    size = image.GetSize()
    grid = Grid((size[2], size[1], size[0]), image.GetSpacing(), image.GetOrigin(), image.GetDirection())
    return StoredMasks(lungs, masks["infection"], grid, _model(image))


def on_grid_of(masks: StoredMasks, volume: Volume, provenance: dict[str, Any]) -> Segmentation:
    """Return stored masks on the grid of their CT, without probabilities.

    Raises:
        InputError: The masks are not of this CT.
    """
    lungs, infection = (onto_grid(mask, masks.grid, volume.grid) for mask in (masks.lungs, masks.infection))
    return Segmentation(lungs, infection, np.uint8(255) * infection, volume.grid, provenance)


def read_stored_image(file: Path) -> sitk.Image:
    """Read a label map that CovidSeg or Slicer has written.

    Raises:
        InputError: The file cannot be read.
    """
    try:
        with quiet_itk(), portable_name(file) as readable:
            check_image_file(file)
            return sitk.ReadImage(str(readable))
    except (OSError, RuntimeError) as error:
        raise InputError(f'"{file.name}" is damaged. Segment the CT again.') from error


def read_report(path: Path) -> dict[str, Any]:
    """Read the report of a result.

    Raises:
        InputError: It cannot be read.
    """
    try:
        report = read_limited_json(path)
    except (OSError, ValueError) as error:
        raise InputError(f'"{path.name}" cannot be read. Segment the CT again.') from error
    if not isinstance(report, dict) or not isinstance(report.get("provenance") or {}, dict):
        raise InputError(f'"{path.name}" is not a report. Segment the CT again.')
    return report


def read_probability(path: Path, volume: Volume) -> np.ndarray | None:
    """Read the probabilities of infection beside the masks of a CT.

    Args:
        path: As in `read_result`.
        volume: The CT.

    Returns:
        uint8 (z, y, x), 0 to 255 for 0 to 1; None if there are none.

    Raises:
        InputError: They cannot be read, or are not of this CT.
    """
    file = path / FILES["infection_probability"]
    if not file.is_file():
        return None
    image = read_stored_image(file)
    if image.GetDimension() != 3 or image.GetPixelID() != sitk.sitkUInt8:
        raise InputError(f'"{file.name}" does not hold probabilities. Segment the CT again.')
    return onto_grid(sitk.GetArrayFromImage(image), Grid.of_image(image), volume.grid)


def _segments(image: sitk.Image, file: Path) -> dict[str, tuple[int, int]]:
    """Return layer and label value of each segment."""
    places: dict[str, tuple[int, int]] = {}
    number = 0
    try:
        while image.HasMetaDataKey(f"Segment{number}_ID"):
            layer = image.GetMetaData(f"Segment{number}_Layer")
            value = image.GetMetaData(f"Segment{number}_LabelValue")
            places[image.GetMetaData(f"Segment{number}_ID")] = int(layer), int(value)
            number += 1
    except (RuntimeError, ValueError):
        places = {}
    count = image.GetNumberOfComponentsPerPixel()
    if any(name not in places or not 0 <= places[name][0] < count for name in SEGMENTS):
        raise InputError(f'"{file.name}" does not hold both lungs and the infection. Give a result of CovidSeg.')
    return {name: places[name] for name in SEGMENTS}


def _model(image: sitk.Image) -> dict[str, str | None]:
    """Return the model that the tags of the first segment name."""
    if not image.HasMetaDataKey("Segment0_Tags"):
        return {}
    tags = dict(tag.partition(":")[::2] for tag in image.GetMetaData("Segment0_Tags").split("|"))
    if not any(f"CovidSeg.{key}" in tags for key in ("model", "sha256")):
        return {}
    return {"name": tags.get("CovidSeg.model"), "sha256": tags.get("CovidSeg.sha256")}
