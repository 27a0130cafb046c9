"""A CT on its grid, and the one place where array axes, LPS and RAS meet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import SimpleITK as sitk

#: Lowest HU of a volume, and the value that images are padded with. Nothing is less dense than air: lower values, such
#: as the -2000 or -3024 that scanners write outside the scan circle, are raised to it.
AIR_HU = -1024
#: Highest HU of a volume, the limit of int16.
MAX_HU = int(np.iinfo(np.int16).max)
#: Flips the first two patient axes: LPS (SimpleITK, DICOM) to RAS (Slicer, NIfTI) and back.
LPS_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


class GridSpacing(NamedTuple):
    """Distance between voxel centres in mm along a grid's axes, in SimpleITK's and Slicer's order."""

    x: float
    y: float
    z: float


class AxialSpacing(NamedTuple):
    """Distance between voxel centres in mm along the axes of an array of axial slices.

    A type of its own, because the order is the reverse of `GridSpacing`.
    """

    slices: float
    rows: float
    columns: float

    @property
    def pixel_mm(self) -> tuple[float, float]:
        """Row and column spacing in mm."""
        return self.rows, self.columns

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return self.slices * self.rows * self.columns / 1000


@dataclass(frozen=True)
class AxialScan:
    """Hounsfield units on axial slices, with the spacing of the slices.

    Axis 0 runs from feet to head, axis 1 from front to back and axis 2 from the patient's right to left.

    Attributes:
        hu: Hounsfield units (slices, rows, columns).
        spacing: Distance between slices, rows and columns in mm.
    """

    hu: np.ndarray
    spacing: AxialSpacing

    def __len__(self) -> int:
        """Return the number of slices."""
        return len(self.hu)

    def __getitem__(self, slices: slice) -> AxialScan:
        """Return consecutive slices of the scan."""
        return AxialScan(self.hu[slices], self.spacing)

    def contiguous(self) -> AxialScan:
        """Return the same scan with its array in C order, which is faster to work on."""
        return AxialScan(np.ascontiguousarray(self.hu), self.spacing)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of slices, rows and columns."""
        slices, rows, columns = self.hu.shape
        return slices, rows, columns


@dataclass(frozen=True)
class Grid:
    """Where the voxels of an array lie in the patient.

    Attributes:
        shape: Number of voxels along (z, y, x), the shape of the arrays on this grid.
        spacing: Distance between voxel centres in mm along (x, y, z).
        origin: LPS position in mm of the centre of voxel (0, 0, 0).
        direction: Row-major 3 x 3 cosine matrix; column k is the LPS direction of the k-th of the axes (x, y, z).
    """

    shape: tuple[int, int, int]
    spacing: GridSpacing = GridSpacing(1.0, 1.0, 1.0)  # noqa: RUF009 - a tuple cannot change
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    direction: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)

    def __post_init__(self) -> None:
        if isinstance(self.spacing, AxialSpacing):
            raise TypeError("a grid needs its spacing along (x, y, z), not along (slices, rows, columns)")
        object.__setattr__(self, "spacing", GridSpacing(*self.spacing))

    @classmethod
    def of_image(cls, image: sitk.Image) -> Grid:
        """The grid of a three-dimensional SimpleITK image."""
        width, height, depth = image.GetSize()
        return cls((depth, height, width), GridSpacing(*image.GetSpacing()), image.GetOrigin(), image.GetDirection())

    @property
    def affine_lps(self) -> np.ndarray:
        """4 x 4 matrix from voxel index (x, y, z, 1) to LPS millimetres."""
        affine = np.eye(4)
        affine[:3, :3] = np.reshape(self.direction, (3, 3)) * np.asarray(self.spacing)
        affine[:3, 3] = self.origin
        return affine

    @property
    def affine_ras(self) -> np.ndarray:
        """4 x 4 matrix from voxel index (x, y, z, 1) to RAS millimetres: Slicer's IJKToRAS."""
        return LPS_RAS @ self.affine_lps

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(np.prod(self.spacing)) / 1000.0

    def to_image(self, array: np.ndarray) -> sitk.Image:
        """A SimpleITK image of an array (z, y, x) that lies on this grid.

        Raises:
            ValueError: The array's shape is not the grid's.
        """
        if array.shape != self.shape:
            raise ValueError(f"array of shape {array.shape} does not lie on a grid of shape {self.shape}")
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(self.spacing)
        image.SetOrigin(self.origin)
        image.SetDirection(self.direction)
        return image


@dataclass(frozen=True)
class Volume:
    """A CT: Hounsfield units on a grid, and what is known of where they came from.

    Attributes:
        array: int16 or float32 Hounsfield units, (z, y, x).
        grid: Where the voxels lie.
        source: Provenance that may be written to results: kind of file, series UID, kernel, slice thickness, ...
            Never a patient's name, identifier or birth date, and never a path.
        warnings: Sentences for the user about what was odd on reading.
    """

    array: np.ndarray
    grid: Grid
    source: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.array.shape != self.grid.shape:
            raise ValueError(f"array of shape {self.array.shape} does not lie on a grid of shape {self.grid.shape}")

    @classmethod
    def of_image(cls, image: sitk.Image, **facts: Any) -> Volume:
        """A volume from a three-dimensional SimpleITK image; `facts` are further fields of Volume."""
        return cls(sitk.GetArrayFromImage(image), Grid.of_image(image), **facts)

    def to_image(self) -> sitk.Image:
        """The volume as a SimpleITK image."""
        return self.grid.to_image(self.array)
