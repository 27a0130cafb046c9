"""Read the images of an entry, check them and turn them to axial slices. Every error names its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..checks import AIR_BELOW_HU, SOFT_TISSUE_HU, grey_value_of_white
from ..errors import InputError
from ..preprocessing import AxialView
from ..reading.hounsfield import as_hounsfield
from ..reading.image_file import image_extension, quiet_itk, read_stored_image
from ..volume import MAX_HU, AxialScan, Grid, Volume
from .case import Case
from .entry import Entry, Labels

#: Largest distance between the corners of a mask and its CT, in voxels. Headers are rounded.
ROUNDING = 0.1


def read_entry(entry: Entry) -> Case:
    """Read an entry with masks.

    Raises:
        InputError: A file is missing, cannot be read or has impossible values; the message names it.
    """
    ct = read_image(entry.files["ct"])
    hounsfield, eight_bit = to_hounsfield(entry, ct.array)
    view = AxialView.of(ct.grid)
    masks = {structure: np.zeros(ct.array.shape, dtype=bool) for structure in sorted(entry.structures)}
    for role, labels in entry.labels.items():
        mask = read_image(entry.files[role])
        check_grid(mask.grid, ct.grid, entry.files[role])
        check_labels(mask.array, labels, entry.files[role])
        for value, structures in labels.items():
            for structure in structures:
                masks[structure] |= np.rint(mask.array) == value
    masks = {structure: view.apply(mask) for structure, mask in masks.items()}
    scan = AxialScan(view.apply(hounsfield), view.spacing(ct.grid))
    known = {structure: np.ones(len(scan), dtype=bool) for structure in masks}
    return Case(entry.name, entry.patient, scan, masks, known, eight_bit)


def to_hounsfield(entry: Entry, values: np.ndarray) -> tuple[np.ndarray, bool]:
    """Convert the stored values of an entry's CT to HU.

    Args:
        entry: The entry, which states whether the CT may be an eight-bit image.
        values: The stored values, of any shape.

    Returns:
        int16 HU of the same shape, and whether they were restored from an eight-bit image.

    Raises:
        InputError: The values cannot be HU of a chest; the message names the file.
    """
    grey = False
    if entry.grey_window is not None and grey_value_of_white(values) == 255:
        low, high = entry.grey_window
        values, grey = low + values.astype(np.float32) * np.float32((high - low) / 255), True
    check_hounsfield(values, entry.files["ct"])
    eight_bit = entry.eight_bit or grey
    # Restored HU below air are noise and are kept; those of scanners are padding outside the field of view.
    kept = np.clip(values, -MAX_HU, MAX_HU) if eight_bit else as_hounsfield(values)
    return np.rint(kept).astype(np.int16), eight_bit


def read_image(file: Path) -> Volume:
    """Read an image with its stored values. Unlike in `reading.read_volume`, it may be a single slice.

    Raises:
        InputError: The file is missing or cannot be read, or is not a three-dimensional image with one value per voxel.
    """
    if not file.is_file():
        raise InputError(f'"{file}" is missing. Put it there, or remove the other files of its scan.')
    if image_extension(file) is None:
        raise InputError(f'"{file}" is not an image in a known format. Save it as .nii.gz.')
    try:
        with quiet_itk():
            image = read_stored_image(file)
    except InputError as error:
        raise InputError(f"{file.parent.name}: {error}") from error
    except (OSError, RuntimeError) as error:
        raise InputError(f'"{file}" is damaged or cannot be read. Copy or export it again.') from error
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise InputError(f'"{file}" is not a three-dimensional image with one value per voxel. Export it as one.')
    return Volume.of_image(image)


def check_grid(mask: Grid, ct: Grid, file: Path) -> None:
    """Check that a mask and its CT have the same voxels.

    Raises:
        InputError: They differ in size or position.
    """
    if mask.shape != ct.shape:
        sizes = [" × ".join(map(str, reversed(grid.shape))) for grid in (mask, ct)]
        raise InputError(
            f'"{file}" has {sizes[0]} voxels but its CT has {sizes[1]}. Resample the mask to the CT, or use the right '
            "mask."
        )
    corners = np.array([(x, y, z, 1) for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=float)
    corners[:, :3] *= np.array(ct.shape[::-1]) - 1
    distance = np.abs(corners @ (mask.affine_lps - ct.affine_lps).T).max()
    if distance > ROUNDING * min(ct.spacing):
        raise InputError(
            f'"{file}" is {distance:.3g} mm away from its CT according to the headers. Resample the mask to the CT, or '
            "copy the CT's header if only the header is wrong."
        )


def check_labels(mask: np.ndarray, labels: Labels, file: Path) -> None:
    """Check that a mask has no labels without a meaning.

    Raises:
        InputError: It has.
    """
    values = np.unique(mask)
    allowed = [0, *sorted(labels)]
    if not np.isin(np.rint(values), allowed).all() or np.abs(values - np.rint(values)).max() > 1e-3:
        shown = [f"{value:.4g}" for value in values[:8]] + ["..."] * (len(values) > 8)
        raise InputError(
            f'"{file}" has the values {", ".join(shown)}, but a mask of this layout may only have '
            f"{', '.join(map(str, allowed))}. Use the right file, or renumber its labels."
        )


def check_hounsfield(values: np.ndarray, file: Path) -> None:
    """Check that values can be Hounsfield units of a chest.

    Raises:
        InputError: They cannot.
    """
    if not np.isfinite(values).all():
        raise InputError(f'"{file}" has values that are not numbers (NaN or infinite). Export the CT again.')
    low, high = float(values.min()), float(values.max())
    if low > AIR_BELOW_HU or high < SOFT_TISSUE_HU[0]:
        raise InputError(
            f'"{file}" has values from {low:g} to {high:g}, which cannot be Hounsfield units of a chest. Export the CT '
            "again with rescaling to HU."
        )
