"""An entry's images, checked and turned to axial slices. Every error names its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..checks import AIR_BELOW_HU, SOFT_TISSUE_HU, grey_value_of_white
from ..errors import InputError
from ..preprocessing import AxialView
from ..reading.hounsfield import as_hounsfield
from ..reading.image_file import FILE_KINDS, quiet_itk
from ..reading.integrity import check_file
from ..volume import MAX_HU, AxialScan, Grid, Volume
from .case import Case
from .entry import Entry, Labels

#: Parts of a voxel by which the corners of a mask may lie beside those of its CT: headers round.
ROUNDING = 0.1


def read_entry(entry: Entry) -> Case:
    """The case of an entry that has masks.

    Raises:
        InputError: A file is missing, cannot be read, or holds what it cannot hold; names it.
    """
    ct = read_image(entry.files["ct"])
    hounsfield, eight_bit = hounsfield_of(entry, ct.array)
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


def hounsfield_of(entry: Entry, values: np.ndarray) -> tuple[np.ndarray, bool]:
    """The HU of an entry's CT as int16, and whether it came as an eight-bit picture.

    Args:
        entry: Says whether it may have.
        values: As they are stored, of any shape.

    Raises:
        InputError: They cannot be HU of a chest; names the file.
    """
    grey = False
    if entry.grey_window is not None and grey_value_of_white(values) == 255:
        low, high = entry.grey_window
        values, grey = low + values.astype(np.float32) * np.float32((high - low) / 255), True
    check_hounsfield(values, entry.files["ct"])
    eight_bit = entry.eight_bit or grey
    # HU that were put back go below air as noise does; what scanners write outside their circle does not.
    kept = np.clip(values, -MAX_HU, MAX_HU) if eight_bit else as_hounsfield(values)
    return np.rint(kept).astype(np.int16), eight_bit


def read_image(file: Path) -> Volume:
    """One image as it is stored; a single slice will do.

    Raises:
        InputError: Missing, unreadable, or no three-dimensional image of one value a voxel.
    """
    if not file.is_file():
        raise InputError(f'"{file}" is missing: put it there, or take the other files of its scan away.')
    kind, image_io = next((kind for ending, kind in FILE_KINDS.items() if file.name.lower().endswith(ending)), ("", ""))
    if not kind:
        raise InputError(f'"{file}" is no image that can be read: save it as .nii.gz.')
    try:
        check_file(file, kind)
        with quiet_itk():
            image = sitk.ReadImage(str(file), imageIO=image_io)
    except InputError as error:
        raise InputError(f"{file.parent.name}: {error}") from error
    except (OSError, RuntimeError) as error:
        raise InputError(f'"{file}" is damaged or may not be read: copy or export it again.') from error
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise InputError(f'"{file}" is no three-dimensional image with one value a voxel: export it as one.')
    return Volume.of_image(image)


def check_grid(mask: Grid, ct: Grid, file: Path) -> None:
    """Whether a mask lies on its CT's voxels.

    Raises:
        InputError: It does not.
    """
    if mask.shape != ct.shape:
        sizes = [" × ".join(map(str, reversed(grid.shape))) for grid in (mask, ct)]
        raise InputError(
            f'"{file}" has {sizes[0]} voxels and its CT {sizes[1]}: resample the mask to the CT, or take the right one.'
        )
    corners = np.array([(x, y, z, 1) for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=float)
    corners[:, :3] *= np.array(ct.shape[::-1]) - 1
    apart = np.abs(corners @ (mask.affine_lps - ct.affine_lps).T).max()
    if apart > ROUNDING * min(ct.spacing):
        raise InputError(
            f'"{file}" lies {apart:.3g} mm beside its CT, as the headers have it: resample the mask to the CT, or copy '
            "the CT's header if only that is wrong."
        )


def check_labels(mask: np.ndarray, labels: Labels, file: Path) -> None:
    """Whether a mask holds only the numbers that have a meaning.

    Raises:
        InputError: It holds others.
    """
    found = np.unique(mask)
    allowed = [0, *sorted(labels)]
    if not np.isin(np.rint(found), allowed).all() or np.abs(found - np.rint(found)).max() > 1e-3:
        shown = [f"{value:.4g}" for value in found[:8]] + ["..."] * (len(found) > 8)
        raise InputError(
            f'"{file}" holds the values {", ".join(shown)} where a mask of this layout may hold '
            f"{', '.join(map(str, allowed))}: take the right file, or number its labels so."
        )


def check_hounsfield(values: np.ndarray, file: Path) -> None:
    """Whether values can be Hounsfield units of a chest.

    Raises:
        InputError: They cannot.
    """
    if not np.isfinite(values).all():
        raise InputError(f'"{file}" holds values that are not numbers (NaN or infinite): export the CT again.')
    low, high = float(values.min()), float(values.max())
    if low > AIR_BELOW_HU or high < SOFT_TISSUE_HU[0]:
        raise InputError(
            f'"{file}" holds values from {low:g} to {high:g}, which cannot be the Hounsfield units of a chest: export '
            "the CT again with its rescaling to HU."
        )
