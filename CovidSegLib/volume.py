"""A CT on its grid. This module is the only place that converts between array axes, LPS and RAS."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import SimpleITK as sitk

#: Lowest HU of a volume, and the value that images are padded with. Nothing is less dense than air: lower values, such
#: as the -2000 or -3024 that scanners write outside the scan circle, are raised to it.
AIR_HU = -1024
#: Highest HU of a volume, the limit of int16.
MAX_HU = int(np.iinfo(np.int16).max)
#: Keys of `Volume.source` by which a hospital could find the patient.
IDENTIFIERS = frozenset({"series_uid"})
#: Matrix between LPS (SimpleITK, DICOM) and RAS (Slicer, NIfTI): reverses the first two patient axes.
LPS_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


class GridSpacing(NamedTuple):
    """Distance between voxel centres in mm along the axes of a grid, in the order of SimpleITK and Slicer."""

    x: float
    y: float
    z: float


class AxialSpacing(NamedTuple):
    """Distance between voxel centres in mm along the axes of an array of axial slices.

    This type keeps the order apart from that of `GridSpacing`, which is the reverse.
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
    """The position of the voxels of an array in the patient.

    Attributes:
        shape: Number of voxels along (z, y, x): the shape of arrays on this grid.
        spacing: Distance between voxel centres in mm along (x, y, z).
        origin: LPS position in mm of the centre of voxel (0, 0, 0).
        direction: Row-major 3 x 3 matrix of cosines. Column k is the LPS direction of the k-th of the axes (x, y, z).

    Example:
        >>> grid = Grid((60, 512, 512), spacing=(0.7, 0.7, 5.0), origin=(-180.0, -170.0, -300.0))
        >>> (grid.affine_lps @ (0, 0, 10, 1))[:3]  # position of slice 10
        array([-180., -170., -250.])
        >>> (grid.affine_ras @ (0, 0, 10, 1))[:3]
        array([ 180.,  170., -250.])
        >>> round(grid.voxel_ml, 5)
        0.00245
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
        """Return the grid of a three-dimensional SimpleITK image."""
        width, height, depth = image.GetSize()
        return cls((depth, height, width), GridSpacing(*image.GetSpacing()), image.GetOrigin(), image.GetDirection())

    @property
    def affine_lps(self) -> np.ndarray:
        """4 x 4 matrix from voxel indices (x, y, z, 1) to LPS coordinates in mm."""
        affine = np.eye(4)
        affine[:3, :3] = np.reshape(self.direction, (3, 3)) * np.asarray(self.spacing)
        affine[:3, 3] = self.origin
        return affine

    @property
    def affine_ras(self) -> np.ndarray:
        """4 x 4 matrix from voxel indices (x, y, z, 1) to RAS coordinates in mm: Slicer's IJKToRAS."""
        return LPS_RAS @ self.affine_lps

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(np.prod(self.spacing)) / 1000.0

    def to_image(self, array: np.ndarray) -> sitk.Image:
        """Return a SimpleITK image of an array (z, y, x) on this grid.

        Raises:
            ValueError: The shape of the array is not that of the grid.
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
    """A CT: Hounsfield units on a grid, and their source.

    Attributes:
        array: int16 or float32 Hounsfield units (z, y, x).
        grid: The position of the voxels in the patient.
        source: Origin of the CT: kind of file, series UID, kernel, slice thickness, ... It is written to results, and
            never contains a path, or a patient's name, identifier or birth date.
        warnings: Sentences for the user about irregularities of the file.

    Raises:
        ValueError: The shape of the array is not that of the grid.

    Example:
        >>> volume = Volume(np.full((60, 512, 512), AIR_HU, np.int16), Grid((60, 512, 512), spacing=(0.7, 0.7, 5.0)))
        >>> volume.to_image().GetSize()
        (512, 512, 60)
    """

    array: np.ndarray
    grid: Grid
    source: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.array.shape != self.grid.shape:
            raise ValueError(f"array of shape {self.array.shape} does not lie on a grid of shape {self.grid.shape}")

    @classmethod
    def of_image(cls, image: sitk.Image, **fields: Any) -> Volume:
        """Return the volume of a three-dimensional SimpleITK image. `fields` are further fields of `Volume`."""
        return cls(sitk.GetArrayFromImage(image), Grid.of_image(image), **fields)

    def to_image(self) -> sitk.Image:
        """Return the volume as a SimpleITK image."""
        return self.grid.to_image(self.array)

    def without_identifiers(self) -> Volume:
        """Return the volume without the UID of its series, by which the hospital that made it can find the patient.

        >>> volume = Volume(np.zeros((1, 1, 1)), Grid((1, 1, 1)), {"format": "DICOM", "series_uid": "1.2.3"})
        >>> volume.without_identifiers().source
        {'format': 'DICOM'}
        """
        return replace(self, source={key: value for key, value in self.source.items() if key not in IDENTIFIERS})
