"""A CT and its masks, small enough for a page: cropped to the lungs, with fewer voxels and grey values."""

from __future__ import annotations

import gzip
import struct
from dataclasses import dataclass

import numpy as np

from ..masks import Box, bounding_box
from ..segmentation import Segmentation
from ..volume import Grid, GridSpacing, Volume

#: Range of HU that the 8-bit CT keeps, wide enough for the lung and the mediastinal window.
LOW, HIGH = -1350, 350
#: Margin around the lungs.
MARGIN_MM = 15.0
#: Most voxels of the thinned CT. Compressed, a voxel takes about 0.7 bytes.
MOST_VOXELS = 9_000_000


@dataclass(frozen=True)
class Thinned:
    """A CT and its masks on a coarser grid. All arrays are uint8 (z, y, x).

    Attributes:
        grid: Their grid.
        ct: Grey values, 0 for `LOW` and 255 for `HIGH`.
        lungs: 0 outside, 1 right lung, 2 left lung.
        infection: Share of each voxel that is infected, 0 to 255 for 0 to 1.
        probability: Probability of infection, 0 to 255 for 0 to 1.
    """

    grid: Grid
    ct: np.ndarray
    lungs: np.ndarray
    infection: np.ndarray
    probability: np.ndarray


def thinned(volume: Volume, segmentation: Segmentation, most_voxels: int = MOST_VOXELS) -> Thinned:
    """Crop a CT to its lungs, and average voxels in blocks until there are few enough.

    Args:
        volume: The CT.
        segmentation: Its masks. Without lungs, the whole CT is kept.
        most_voxels: Most voxels of the result.
    """
    box = _box(segmentation.lungs, volume.grid)
    factors = _factors(box, volume.grid, most_voxels)
    ct = (volume.array[box].astype(np.float32) - LOW) * (255 / (HIGH - LOW))
    lungs = segmentation.lungs[box]
    sides = [_mean((lungs == label).astype(np.float32), factors) for label in (1, 2)]
    codes = np.zeros(sides[0].shape, np.uint8)
    for label, share in enumerate(sides, start=1):
        codes[share >= 0.5] = label
    return Thinned(
        _coarse(volume.grid, box, factors),
        _bytes(_mean(np.clip(ct, 0, 255), factors)),
        codes,
        _bytes(255 * _mean(segmentation.infection[box].astype(np.float32), factors)),
        _bytes(_mean(segmentation.probability[box].astype(np.float32), factors)),
    )


def nifti(array: np.ndarray, grid: Grid, slope: float = 1.0, intercept: float = 0.0) -> bytes:
    """Return an image as a compressed NIfTI file with RAS coordinates.

    SimpleITK is not used because it writes files only.

    Args:
        array: uint8 (z, y, x).
        grid: Its grid.
        slope: Factor from stored to true values.
        intercept: True value of 0.
    """
    depth, height, width = array.shape
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, width, height, depth, 1, 1, 1, 1)
    struct.pack_into("<hh", header, 70, 2, 8)
    struct.pack_into("<8f", header, 76, 1.0, *grid.spacing, 0.0, 0.0, 0.0, 0.0)
    struct.pack_into("<fff", header, 108, 352.0, slope, intercept)
    header[123] = 2  # millimetres
    struct.pack_into("<hh", header, 252, 0, 1)
    struct.pack_into("<12f", header, 280, *grid.affine_ras[:3].ravel())
    header[344:348] = b"n+1\0"
    return gzip.compress(bytes(header) + np.ascontiguousarray(array, np.uint8).tobytes(), 6, mtime=0)


def _box(lungs: np.ndarray, grid: Grid) -> Box:
    box = bounding_box(lungs)
    if box is None:
        z, y, x = (slice(0, size) for size in lungs.shape)
        return z, y, x
    margins = [int(np.ceil(MARGIN_MM / step)) for step in reversed(grid.spacing)]
    z, y, x = (
        slice(max(0, part.start - margin), min(size, part.stop + margin))
        for part, margin, size in zip(box, margins, lungs.shape, strict=True)
    )
    return z, y, x


def _factors(box: Box, grid: Grid, most_voxels: int) -> tuple[int, int, int]:
    """Return how many voxels to average along (z, y, x): more along the axis with the smaller spacing."""
    factors = [1, 1, 1]
    sizes = [part.stop - part.start for part in box]
    spacing = list(reversed(grid.spacing))
    while np.prod([-(-size // factor) for size, factor in zip(sizes, factors, strict=True)]) > most_voxels:
        steps = [step * factor for step, factor in zip(spacing, factors, strict=True)]
        factors[steps.index(min(steps))] += 1
    z, y, x = factors
    return z, y, x


def _mean(array: np.ndarray, factors: tuple[int, int, int]) -> np.ndarray:
    """Average blocks. The border is repeated where it does not fill a block."""
    if factors == (1, 1, 1):
        return array
    padding = [(0, -size % factor) for size, factor in zip(array.shape, factors, strict=True)]
    padded = np.pad(array, padding, mode="edge")
    blocks = [part for size, factor in zip(padded.shape, factors, strict=True) for part in (size // factor, factor)]
    return padded.reshape(blocks).mean(axis=(1, 3, 5))


def _bytes(array: np.ndarray) -> np.ndarray:
    return np.rint(array).astype(np.uint8)


def _coarse(grid: Grid, box: Box, factors: tuple[int, int, int]) -> Grid:
    """Return the grid of the blocks. The origin is the centre of the first block."""
    shape = tuple(-(-(part.stop - part.start) // factor) for part, factor in zip(box, factors, strict=True))
    first = np.array([part.start + (factor - 1) / 2 for part, factor in zip(box, factors, strict=True)])[::-1]
    origin = grid.affine_lps @ [*first, 1.0]
    spacing = GridSpacing(*(step * factor for step, factor in zip(grid.spacing, reversed(factors), strict=True)))
    depth, height, width = shape
    return Grid((depth, height, width), spacing, (origin[0], origin[1], origin[2]), grid.direction)
