"""Read masks that CovidSeg has written, also after they were corrected in 3D Slicer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..reading.image_file import check_image_file, quiet_itk
from ..reading.private_folder import portable_name
from ..segmentation import LEFT_LUNG, RIGHT_LUNG, Segmentation
from ..storage.limited import read_limited_json
from ..volume import Grid, Volume
from .results import FILES

#: Largest distance in voxels between the grid of the masks and that of the CT.
TOLERANCE = 1e-2
#: Segments that a file must have. Others, such as rejected lesions, are left out.
SEGMENTS = ("right_lung", "left_lung", "infection")
ENDING = ".seg.nrrd"


def read_result(path: Path, volume: Volume) -> Segmentation:
    """Read the masks of a CT.

    Args:
        path: A folder that `covidseg segment` has written, or a `.seg.nrrd` file, which 3D Slicer may have saved.
        volume: The CT.

    Returns:
        The masks on the grid of the CT, without probabilities, with the provenance that the files state.

    Raises:
        InputError: There are no masks, they cannot be read, or they do not lie on the grid of the CT.
    """
    file = path / FILES["segmentation"] if path.is_dir() else path
    if not file.is_file() or not file.name.endswith(ENDING):
        raise InputError(
            f'There is no result in "{path.name}". Give a folder that `covidseg segment` has written, or a {ENDING} '
            "file."
        )
    try:
        with quiet_itk(), portable_name(file) as readable:
            check_image_file(file)
            image = sitk.ReadImage(str(readable))
    except (OSError, RuntimeError) as error:
        raise InputError(f'The masks in "{file.name}" cannot be read. Segment the CT again.') from error
    segments = _segments(image, file)
    masks = {name: _mask(image, *place, volume.grid, file) for name, place in segments.items()}
    lungs = np.zeros(volume.grid.shape, np.uint8)
    lungs[masks["right_lung"]] = RIGHT_LUNG
    lungs[masks["left_lung"]] = LEFT_LUNG
    infection = masks["infection"]
    provenance = _provenance(path) or _provenance_of_tags(image)
    return Segmentation(lungs, infection, np.uint8(255) * infection, volume.grid, provenance)


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
    missing = [name for name in SEGMENTS if name not in places]
    if missing or any(layer >= image.GetNumberOfComponentsPerPixel() for layer, _ in places.values()):
        raise InputError(f'"{file.name}" does not hold both lungs and the infection. Give a result of CovidSeg.')
    return {name: places[name] for name in SEGMENTS}


def _mask(image: sitk.Image, layer: int, value: int, grid: Grid, file: Path) -> np.ndarray:
    """Return a segment on the grid of the CT. Slicer saves only the box that holds the segments."""
    labels = sitk.GetArrayViewFromImage(image)
    part = (labels[..., layer] if labels.ndim == 4 else labels) == value
    stored = Grid.of_image(sitk.VectorIndexSelectionCast(image, 0) if labels.ndim == 4 else image)
    relative = np.linalg.inv(grid.affine_lps) @ stored.affine_lps
    start = np.round(relative[:3, 3])
    if (
        np.abs(relative[:3, :3] - np.eye(3)).max() * max(grid.shape) > TOLERANCE
        or np.abs(relative[:3, 3] - start).max() > TOLERANCE
    ):
        raise InputError(f'The masks in "{file.name}" do not lie on the grid of the CT. Give the result of this CT.')
    mask = np.zeros(grid.shape, bool)
    first = start[::-1].astype(int)
    here = tuple(slice(max(0, a), max(0, min(n, a + m))) for a, m, n in zip(first, part.shape, grid.shape, strict=True))
    there = tuple(slice(max(0, -a), max(0, -a) + s.stop - s.start) for a, s in zip(first, here, strict=True))
    if not part[there].sum() == part.sum():
        raise InputError(f'The masks in "{file.name}" reach beyond the CT. Give the result of this CT.')
    mask[here] = part[there]
    return mask


def _provenance(path: Path) -> dict[str, Any]:
    """Return the provenance in the report of a folder; empty if there is none."""
    report = path / FILES["report"]
    if not path.is_dir() or not report.exists():
        return {}
    try:
        provenance = read_limited_json(report).get("provenance")
    except (OSError, ValueError, AttributeError):
        raise InputError(f'The report in "{path.name}" cannot be read. Segment the CT again.') from None
    return provenance if isinstance(provenance, dict) else {}


def _provenance_of_tags(image: sitk.Image) -> dict[str, Any]:
    """Return the model that the tags of a segment name; empty if they name none."""
    if not image.HasMetaDataKey("Segment0_Tags"):
        return {}
    tags = dict(tag.partition(":")[::2] for tag in image.GetMetaData("Segment0_Tags").split("|"))
    model = {key: tags[f"CovidSeg.{key}"] for key in ("model", "sha256") if f"CovidSeg.{key}" in tags}
    return {"model": {"name": model.get("model"), "sha256": model.get("sha256")}} if model else {}
