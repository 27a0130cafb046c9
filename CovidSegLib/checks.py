"""Is this a chest CT that we can work on? Findings in plain words."""

from __future__ import annotations

from math import prod

import numpy as np

from .errors import InputError
from .segmentation import LEFT_LUNG, RIGHT_LUNG
from .volume import Grid, Volume

#: More voxels than any chest CT has (1024 x 1024 x 2000); 4 GiB as int16.
MAX_VOXELS = 2**31
#: Photon-counting CT goes down to 0.1 mm; interrupted high-resolution scans leave 10 to 20 mm between slices.
SPACING_MM = (0.1, 25.0)
MAX_EXTENT_MM = 3000.0
#: Deviation of the axes' products from a right angle that is rounding in headers: 0.3 mm over a 300 mm chest.
RIGHT_ANGLE_TOLERANCE = 1e-3
#: Every chest CT holds air (about -1000 HU) in and around the body, even where the lungs are full.
AIR_BELOW_HU = -500
SOFT_TISSUE_HU = (-200, 300)
#: Label maps of whole-body tools have some tens of labels; 8-bit CTs use nearly all of their 256 values.
MAX_LABELS = 64
#: From this distance on small lesions fall between slices.
THICK_SLICES_MM = 5.5
#: Lungs of adults hold 2000 to 8000 ml; bowel gas and sinuses that look like lung less than this.
MIN_LUNGS_ML = 200.0
SMALL_LUNGS_ML = 1000.0
#: Lung on the outermost slice that is more than the very tip of an apex or base.
CUT_LUNG_MM2 = 500.0
#: A lung smaller than this part of the other one counts as not found.
ONE_LUNG_PART = 0.05


def check_geometry(grid: Grid) -> None:
    """Checks size, spacing and axes; needs no voxels, so it can be asked before they are read.

    Raises:
        InputError: A single slice, too many voxels, an impossible spacing, or axes that are not at right angles.
    """
    if min(grid.shape) < 2:
        raise InputError("The image is a single slice and a chest CT is needed: give the complete series.")
    if prod(grid.shape) > MAX_VOXELS:
        size = " × ".join(map(str, reversed(grid.shape)))
        raise InputError(f"The image of {size} voxels is larger than any chest CT: check that it is the right file.")
    spacing = np.asarray(grid.spacing)
    extent = spacing * grid.shape[::-1]
    usual = (spacing >= SPACING_MM[0]) & (spacing <= SPACING_MM[1]) & (extent <= MAX_EXTENT_MM)
    if not usual.all():  # False for NaN too
        text = " × ".join(f"{value:.4g}" for value in spacing)
        raise InputError(
            f"The voxel size of {text} mm in the file's header cannot be right: export the CT again from the original."
        )
    axes = np.reshape(grid.direction, (3, 3))
    if not np.allclose(axes.T @ axes, np.eye(3), rtol=0, atol=RIGHT_ANGLE_TOLERANCE):
        raise InputError(
            "The image's axes are not at right angles (sheared, as by a gantry tilt): "
            "resample the CT to a straight grid, or export it without tilt, and try again."
        )


def check_volume(volume: Volume) -> tuple[str, ...]:
    """Checks that the voxels can be Hounsfield units of a chest CT.

    Args:
        volume: The CT, as read from a file or taken from a scene.

    Returns:
        Warnings: one sentence each about what the user should know before trusting the result.

    Raises:
        InputError: What `check_geometry` refuses; NaN or infinity; one value everywhere; a label map; 8-bit grey
            values; values that are not Hounsfield units.
    """
    check_geometry(volume.grid)
    array = volume.array
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InputError("The image holds values that are not numbers (NaN or infinite): export the CT again.")
    low, high = array.min(), array.max()
    if low == high:
        raise InputError(f"The image is empty, every voxel has the value {low:g}: check that it is the right file.")
    if is_label_map(array):
        raise InputError("The image is a segmentation and not a CT: give the CT that it was drawn on.")
    if grey_value_of_white(array) is not None:
        raise InputError(
            f"The image holds grey values ({low:g} to {high:g}) and no Hounsfield units: give the original DICOM, or "
            "say with --window LOW HIGH which HU black and white stand for (for example --window -1000 400)."
        )
    if low > AIR_BELOW_HU:
        raise InputError(
            f"The image's values ({low:g} to {high:g}) are not Hounsfield units, as there is no air near -1000 HU: "
            "check that it is a CT of the chest, and export it again with its rescaling to HU."
        )
    return tuple(_doubts(volume))


def _doubts(volume: Volume) -> list[str]:
    grid, warnings = volume.grid, []
    thickest = max(grid.spacing)
    if thickest > THICK_SLICES_MM:
        warnings.append(f"The slices are {thickest:.3g} mm apart: small lesions can be missed and volumes are coarse.")
    if grid.spacing == (1.0, 1.0, 1.0) and grid.origin == (0.0, 0.0, 0.0):
        warnings.append(
            "The file gives no position and a voxel size of exactly 1 × 1 × 1 mm, as files do that lost their "
            "geometry: check it before you trust volumes in ml."
        )
    sample = _sample(volume.array)
    if np.mean((sample >= SOFT_TISSUE_HU[0]) & (sample <= SOFT_TISSUE_HU[1])) < 0.01:
        warnings.append("Hardly any voxel has the HU of soft tissue: the HU of this image may be shifted or wrong.")
    return warnings


def is_label_map(array: np.ndarray) -> bool:
    """Whether an array holds a few whole numbers from 0 on, as segmentations do."""
    sample = _sample(array)
    return bool(array.min() >= 0 and len(np.unique(sample)) <= MAX_LABELS and np.all(sample == np.rint(sample)))


def grey_value_of_white(array: np.ndarray) -> int | None:
    """255 for 8-bit grey values, 1 for grey values scaled to 0 to 1, None for anything else, such as HU."""
    low, high = array.min(), array.max()
    if not (low >= 0 and high <= 255):
        return None
    return 1 if array.dtype.kind == "f" and high <= 1 else 255


def _sample(array: np.ndarray) -> np.ndarray:
    """About a million evenly spread voxels: enough for statistics, and quick on any CT."""
    step = max(1, int((array.size / 1e6) ** (1 / 3)))
    return array[::step, ::step, ::step]


def check_lungs(lungs: np.ndarray, volume: Volume) -> tuple[str, ...]:
    """Checks that the lungs found are those of a complete chest.

    Args:
        lungs: uint8 (z, y, x): 0 outside, 1 right lung, 2 left lung, on the grid of `volume`.
        volume: The CT.

    Returns:
        Warnings: the scan starts or ends within the lungs, a lung is missing, the lungs are small.

    Raises:
        InputError: No lungs, or too small to be lungs.
    """
    right, left = (np.count_nonzero(lungs == label) * volume.grid.voxel_ml for label in (RIGHT_LUNG, LEFT_LUNG))
    if right + left < MIN_LUNGS_ML:
        raise InputError(
            f"There are no lungs found in this image ({right + left:.0f} ml look like lung): "
            "check that it is a CT of the chest."
        )
    warnings = [
        f"The scan {end}: what lies beyond is missing from every volume."
        for end, area in _lung_on_outer_slices(lungs, volume.grid).items()
        if area > CUT_LUNG_MM2
    ]
    for missing, name, other in ((right, "right", left), (left, "left", right)):
        if missing < ONE_LUNG_PART * other:
            warnings.append(f"The {name} lung was not found: check whether it is absent, collapsed or missed.")
    if right + left < SMALL_LUNGS_ML:
        warnings.append(
            f"The lungs measure {right + left:.0f} ml, little for an adult: check that they were found completely."
        )
    return tuple(warnings)


def _lung_on_outer_slices(lungs: np.ndarray, grid: Grid) -> dict[str, float]:
    """Area of lung in mm² on the topmost and the lowest slice, whatever way the array is turned."""
    towards_head = np.reshape(grid.direction, (3, 3))[2]  # z component of the axes (x, y, z)
    axis = int(np.argmax(np.abs(towards_head)))
    pixel_mm2 = prod(grid.spacing) / grid.spacing[axis]
    first, last = (float(np.count_nonzero(np.take(lungs, i, axis=2 - axis)) * pixel_mm2) for i in (0, -1))
    top, bottom = (last, first) if towards_head[axis] > 0 else (first, last)
    return {"begins within the lungs, below their apices": top, "ends within the lungs, above their bases": bottom}
