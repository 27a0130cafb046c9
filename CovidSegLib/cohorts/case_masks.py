"""Read the masks of a case, as CovidSeg or another tool has written them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..alignment import onto_grid
from ..errors import InputError
from ..outputs.names import FILES
from ..outputs.stored_result import ENDING, StoredMasks, on_grid_of, read_masks, read_report, read_result
from ..reading.image_file import image_extension, read_image_file
from ..segmentation import INFECTION, LEFT_LUNG, RIGHT_LUNG, Segmentation
from ..volume import Grid, Volume


@dataclass(frozen=True)
class MaskFiles:
    """Where the masks of a case are.

    Attributes:
        masks: A folder that `covidseg segment` has written, a `.seg.nrrd` file, or a label map: 1 and 2 for the lungs
            and 3 for infection, or 1 for infection.
        infection: An image in which everything that is not zero is infection.
        lungs: An image of the lungs: 1 and 2, or 1 for both.
    """

    masks: Path | None = None
    infection: Path | None = None
    lungs: Path | None = None

    def __bool__(self) -> bool:
        return any((self.masks, self.infection, self.lungs))


def read_case_masks(files: MaskFiles, volume: Volume) -> Segmentation:
    """Read the masks of a case on the grid of its CT.

    Args:
        files: Where they are. Lungs that no file holds are empty.
        volume: The CT.

    Raises:
        InputError: A file is missing or damaged, or is not of this CT.
    """
    if files.masks is not None and not files.infection and not files.lungs and _is_result(files.masks):
        return read_result(files.masks, volume)
    masks = read_stored_masks(files)
    return on_grid_of(masks, volume, {"model": masks.model} if masks.model else {})


def read_stored_masks(files: MaskFiles) -> StoredMasks:
    """Read the masks of a case on their own grid, without its CT.

    Raises:
        InputError: A file is missing or damaged, or they do not lie on the same voxels.
    """
    for path in (files.masks, files.infection, files.lungs):
        if path is not None and not path.exists():
            raise InputError(f'There is no mask "{path.name}". It was moved or deleted, or its disk is not connected.')
    lungs: np.ndarray | None
    infection: np.ndarray | None
    grid: Grid | None
    if files.masks is not None and _is_result(files.masks):
        stored = read_masks(files.masks / FILES["segmentation"] if files.masks.is_dir() else files.masks)
        lungs, infection, grid, model = stored.lungs, stored.infection, stored.grid, stored.model
    else:
        lungs, infection, grid, model = *_read_labels(files), {}
    if files.infection is not None:
        other, other_grid = _read_image(files.infection)
        grid = grid or other_grid
        infection = onto_grid(other != 0, other_grid, grid)
    if files.lungs is not None:
        other, other_grid = _read_image(files.lungs)
        grid = grid or other_grid
        lungs = onto_grid(_sides(other, other_grid, files.lungs), other_grid, grid)
    assert grid is not None, "there are no masks"
    lungs = np.zeros(grid.shape, np.uint8) if lungs is None else lungs
    infection = np.zeros(grid.shape, bool) if infection is None else infection
    return StoredMasks(lungs, infection, grid, model)


def read_provenance(files: MaskFiles) -> dict[str, object]:
    """Return what the report beside the masks states about the model and the versions; empty without a report."""
    report = files.masks / FILES["report"] if files.masks is not None and files.masks.is_dir() else None
    return read_report(report).get("provenance") or {} if report is not None and report.is_file() else {}


def _is_result(path: Path) -> bool:
    return path.is_dir() or path.name.endswith(ENDING)


def _read_labels(files: MaskFiles) -> tuple[np.ndarray | None, np.ndarray | None, Grid | None]:
    """Return the lungs and the infection in a label map, and its grid; None for each that there is not."""
    if files.masks is None:
        return None, None, None
    labels, grid = _read_image(files.masks)
    highest = int(labels.max())
    if highest <= 1:
        return None, labels != 0, grid
    if highest > INFECTION:
        raise InputError(
            f'"{files.masks.name}" holds the label {highest}. Give a label map with 1 and 2 for the lungs and 3 for '
            'infection, or name the column "infection" if everything in it is infection.'
        )
    # The infection lies within a lung, but the label map does not say in which: in the nearer one.
    lungs = _sides(np.where(labels == INFECTION, 0, labels), grid, files.masks)
    infection = labels == INFECTION
    if infection.any():
        lungs = np.where(infection, _nearer_side(lungs, grid), lungs)
    return lungs, infection, grid


def _read_image(path: Path) -> tuple[np.ndarray, Grid]:
    if not path.is_file() or image_extension(path) is None:
        raise InputError(f'"{path.name}" is not an image of masks. Give a .seg.nrrd, .nii.gz, .nrrd or .mha file.')
    volume = read_image_file(path)
    values = volume.array
    labels = values.astype(np.uint8)
    if not np.array_equal(labels, values):
        raise InputError(f'"{path.name}" does not hold labels, but other numbers. Give the masks, not the CT.')
    return labels, volume.grid


def _sides(labels: np.ndarray, grid: Grid, path: Path) -> np.ndarray:
    """Return 1 for the right lung and 2 for the left, whichever of the labels 1 and 2 is on which side.

    A single label for both lungs is divided in the middle between its right and its left end.
    """
    present = [value for value in range(1, int(labels.max()) + 1) if (labels == value).any()]
    if not present:
        return np.zeros(labels.shape, np.uint8)
    if present[-1] > LEFT_LUNG:
        raise InputError(f'"{path.name}" holds the label {present[-1]}. Give lungs with the labels 1 and 2.')
    x = _to_the_left(grid)
    if len(present) == 1:
        extent = np.broadcast_to(x, labels.shape)[labels != 0]
        is_left = x > (extent.min() + extent.max()) / 2
        return np.where(labels != 0, np.where(is_left, np.uint8(LEFT_LUNG), np.uint8(RIGHT_LUNG)), np.uint8(0))
    means = [np.broadcast_to(x, labels.shape)[labels == value].mean() for value in present]
    if means[0] <= means[1]:
        return labels
    return np.array([0, LEFT_LUNG, RIGHT_LUNG], np.uint8)[labels]


def _nearer_side(lungs: np.ndarray, grid: Grid) -> np.ndarray:
    """Return 1 or 2 for each voxel (z, y, x): the lung whose middle is nearer from right to left."""
    x = _to_the_left(grid)
    middles = [
        np.broadcast_to(x, lungs.shape)[lungs == side].mean() if (lungs == side).any() else None
        for side in (RIGHT_LUNG, LEFT_LUNG)
    ]
    if middles[0] is None or middles[1] is None:
        return np.full(lungs.shape, RIGHT_LUNG if middles[1] is None else LEFT_LUNG, np.uint8)
    is_left = x > (middles[0] + middles[1]) / 2
    return np.where(np.broadcast_to(is_left, lungs.shape), np.uint8(LEFT_LUNG), np.uint8(RIGHT_LUNG))


def _to_the_left(grid: Grid) -> np.ndarray:
    """Return the LPS x coordinate in mm of each voxel, float32 in a shape that extends to (z, y, x)."""
    x = np.full((1, 1, 1), grid.origin[0], np.float32)
    for axis, (step, size) in enumerate(zip(grid.affine_lps[0, 2::-1], grid.shape, strict=True)):
        if step:  # grids that are not oblique need one line of numbers only
            shape = [1, 1, 1]
            shape[axis] = size
            x = x + np.float32(step) * np.arange(size, dtype=np.float32).reshape(shape)
    return x
