"""Check that a volume is a chest CT that can be segmented, and tell the user what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from .errors import InputError, NoLungsError
from .segmentation import LEFT_LUNG, RIGHT_LUNG
from .volume import Grid, Volume

#: 1024 slices of 1024 x 1024 pixels. With `MAX_BYTES` for the voxels as they are stored or decoded, reading an image
#: takes about 4 GB of memory at most, however small its compressed file is.
MAX_VOXELS, MAX_BYTES = 2**30, 2**31
#: Photon-counting CT goes down to 0.1 mm; interrupted high-resolution scans leave 10 to 20 mm between slices.
SPACING_MM = (0.1, 25.0)
MAX_EXTENT_MM = 3000.0
#: Deviation of the axes from right angles that may be due to rounding in headers: 0.3 mm over a 300 mm chest.
RIGHT_ANGLE_TOLERANCE = 1e-3
#: Every chest CT contains air (about -1000 HU) in and around the body, even if the lungs are opaque.
AIR_BELOW_HU = -500
SOFT_TISSUE_HU = (-200, 300)
#: Label maps of whole-body tools have some tens of labels; 8-bit CTs use nearly all of their 256 values.
MAX_LABELS = 64
#: Above this distance, small lesions may fall between slices.
THICK_SLICES_MM = 5.5
#: Lungs of adults measure 2000 to 8000 ml. Bowel gas and sinuses that look like lung measure less than this.
MIN_LUNGS_ML = 200.0
SMALL_LUNGS_ML = 1000.0
#: A larger area of lung on the outermost slice is more than the very tip of an apex or base.
CUT_LUNG_MM2 = 500.0
#: A lung smaller than this fraction of the other one counts as not found.
MISSING_LUNG_FRACTION = 0.05


def check_geometry(grid: Grid) -> None:
    """Check the size, spacing and axes of a CT. No voxels are needed, so this can be done before reading them.

    Raises:
        InputError: The grid is a single slice, has too many voxels or an impossible spacing, or its axes are not at
            right angles.
    """
    if min(grid.shape) < 2:
        raise InputError("The image is a single slice, but a chest CT is needed. Select the complete series.")
    check_size(grid.shape)
    spacing = np.asarray(grid.spacing)
    extent = spacing * grid.shape[::-1]
    plausible = (spacing >= SPACING_MM[0]) & (spacing <= SPACING_MM[1]) & (extent <= MAX_EXTENT_MM)
    if not plausible.all():  # False for NaN too
        text = " × ".join(f"{value:.4g}" for value in spacing)
        raise InputError(
            f"The voxel size of {text} mm in the file's header cannot be right. Export the CT again from the original."
        )
    axes = np.reshape(grid.direction, (3, 3))
    if not (np.isfinite(axes).all() and np.isfinite(grid.origin).all()):
        raise InputError(
            "The position or orientation in the header is not a number (NaN or infinite). Export the CT again from the "
            "original."
        )
    if not np.allclose(axes.T @ axes, np.eye(3), rtol=0, atol=RIGHT_ANGLE_TOLERANCE):
        raise InputError(
            "The image's axes are not at right angles (sheared, as by a gantry tilt). "
            "Resample the CT to a straight grid, or export it without tilt, and try again."
        )


def check_size(shape: Sequence[int], voxel_bytes: int = 1) -> None:
    """Check that an image can be read in a limited amount of memory. Call this before anything is allocated.

    Args:
        shape: Size of each axis, the fastest last.
        voxel_bytes: Bytes of a voxel while it is read.

    Raises:
        InputError: The image is too large.
    """
    if prod(shape) > MAX_VOXELS or prod(shape) * voxel_bytes > MAX_BYTES:
        size = " × ".join(map(str, reversed(shape)))
        raise InputError(
            f"The image of {size} voxels is too large to be read. Check that it is the right file, or export fewer "
            "slices."
        )


def check_volume(volume: Volume) -> tuple[str, ...]:
    """Check that the voxels can be Hounsfield units of a chest CT.

    Args:
        volume: The CT, from a file or from a scene.

    Returns:
        Warnings: one sentence each about what the user should know before trusting the result.

    Raises:
        InputError: `check_geometry` fails, or the volume contains NaN or infinity, one value everywhere, a label map,
            8-bit grey values, or values that are not Hounsfield units.
    """
    check_geometry(volume.grid)
    array = volume.array
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InputError("The image contains values that are not numbers (NaN or infinite). Export the CT again.")
    low, high = array.min(), array.max()
    if low == high:
        raise InputError(f"The image is empty: every voxel has the value {low:g}. Check that it is the right file.")
    if is_label_map(array):
        raise InputError("The image is a segmentation, not a CT. Select the CT that it belongs to.")
    if grey_value_of_white(array) is not None:
        raise InputError(
            f"The image contains grey values ({low:g} to {high:g}) instead of Hounsfield units. Use the original DICOM "
            "images, or give the HU of black and white with --window LOW HIGH (for example --window -1000 400)."
        )
    if low > AIR_BELOW_HU:
        raise InputError(
            f"The image's values ({low:g} to {high:g}) are not Hounsfield units: there is no air near -1000 HU. "
            "Check that it is a CT of the chest, and export it again with its rescaling to HU."
        )
    return tuple(_warnings(volume))


def _warnings(volume: Volume) -> list[str]:
    grid, warnings = volume.grid, []
    thickest = max(grid.spacing)
    if thickest > THICK_SLICES_MM:
        warnings.append(f"The slices are {thickest:.3g} mm apart: small lesions may be missed, and volumes are coarse.")
    if grid.spacing == (1.0, 1.0, 1.0) and grid.origin == (0.0, 0.0, 0.0):
        warnings.append(
            "The file has no position and a voxel size of exactly 1 × 1 × 1 mm, as files do that have lost their "
            "geometry. Check the voxel size before you trust volumes in ml."
        )
    sample = _sample(volume.array)
    if np.mean((sample >= SOFT_TISSUE_HU[0]) & (sample <= SOFT_TISSUE_HU[1])) < 0.01:
        warnings.append("Hardly any voxel has the HU of soft tissue. The HU of this image may be shifted or wrong.")
    return warnings


def is_label_map(array: np.ndarray) -> bool:
    """Return whether an array contains only a few non-negative whole numbers, as segmentations do.

    >>> is_label_map(np.array([[[0, 1], [2, 0]]]))
    True
    """
    sample = _sample(array)
    return bool(array.min() >= 0 and len(np.unique(sample)) <= MAX_LABELS and np.all(sample == np.rint(sample)))


def grey_value_of_white(array: np.ndarray) -> int | None:
    """Return 255 for 8-bit grey values, 1 for grey values from 0 to 1, or None for anything else, such as HU.

    >>> grey_value_of_white(np.array([0.0, 0.3, 1.0]))
    1
    """
    low, high = array.min(), array.max()
    if not (low >= 0 and high <= 255):
        return None
    return 1 if array.dtype.kind == "f" and high <= 1 else 255


def _sample(array: np.ndarray) -> np.ndarray:
    """Return about a million evenly spaced voxels, which are enough for statistics and quick on any CT."""
    step = max(1, int((array.size / 1e6) ** (1 / 3)))
    return array[::step, ::step, ::step]


def check_lungs(lungs: np.ndarray, volume: Volume) -> tuple[str, ...]:
    """Check that the predicted lungs are those of a complete chest.

    Args:
        lungs: uint8 (z, y, x): 0 outside, 1 right lung, 2 left lung, on the grid of `volume`.
        volume: The CT.

    Returns:
        Warnings: the scan starts or ends within the lungs, a lung is missing, or the lungs are small.

    Raises:
        NoLungsError: There are no lungs, or they are too small to be lungs.
    """
    right, left = (np.count_nonzero(lungs == label) * volume.grid.voxel_ml for label in (RIGHT_LUNG, LEFT_LUNG))
    if right + left < MIN_LUNGS_ML:
        raise NoLungsError(
            f"No lungs were found in this image ({right + left:.0f} ml look like lung). "
            "Check that it is a CT of the chest."
        )
    warnings = [
        f"The scan {end}. All volumes lack the part outside the scan."
        for end, area in _lung_on_outer_slices(lungs, volume.grid).items()
        if area > CUT_LUNG_MM2
    ]
    for missing, name, other in ((right, "right", left), (left, "left", right)):
        if missing < MISSING_LUNG_FRACTION * other:
            warnings.append(f"The {name} lung was not found. Check whether it is absent, collapsed or missed.")
    if right + left < SMALL_LUNGS_ML:
        warnings.append(
            f"The lungs measure {right + left:.0f} ml, which is little for an adult. Check that they are complete."
        )
    return tuple(warnings)


def _lung_on_outer_slices(lungs: np.ndarray, grid: Grid) -> dict[str, float]:
    """Return the area of lung in mm² on the topmost and the lowest slice, whatever the orientation of the array."""
    towards_head = np.reshape(grid.direction, (3, 3))[2]  # z component of the axes (x, y, z)
    axis = int(np.argmax(np.abs(towards_head)))
    pixel_mm2 = prod(grid.spacing) / grid.spacing[axis]
    first, last = (float(np.count_nonzero(np.take(lungs, i, axis=2 - axis)) * pixel_mm2) for i in (0, -1))
    top, bottom = (last, first) if towards_head[axis] > 0 else (first, last)
    return {"begins within the lungs, below their apices": top, "ends within the lungs, above their bases": bottom}
