"""Crop and resample axial slices to the input size of a two-dimensional network, and map predictions back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..volume import AIR_HU
from .resampling import averaging_weights, linear_weights, nearest_indices


@dataclass(frozen=True)
class SliceFrame:
    """A rectangle of the axial slices, and the size to which it is resampled for a network.

    Attributes:
        top: First row of the rectangle. The rectangle may extend beyond the slice, where it is padded with air.
        left: First column of the rectangle.
        height: Rows of the rectangle.
        width: Columns of the rectangle.
        size: Rows and columns of the network's input.
    """

    top: int
    left: int
    height: int
    width: int
    size: tuple[int, int]

    @classmethod
    def around(
        cls,
        mask: np.ndarray,
        pixel_mm: tuple[float, float],
        size: tuple[int, int],
        margin_mm: float,
        *,
        stretch: bool = False,
    ) -> SliceFrame:
        """Return the smallest frame that contains a mask and a margin, with the aspect ratio of `size`.

        Args:
            mask: Boolean (rows, columns). If it is empty, the frame contains the whole slice.
            pixel_mm: Row and column spacing in mm.
            size: Rows and columns of the network's input.
            margin_mm: Margin on every side in mm.
            stretch: Do not extend the frame to the aspect ratio of `size`; the image is stretched instead.
        """
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not len(rows):
            rows, columns = np.arange(mask.shape[0]), np.arange(mask.shape[1])
        height_mm = (rows[-1] - rows[0] + 1) * pixel_mm[0] + 2 * margin_mm
        width_mm = (columns[-1] - columns[0] + 1) * pixel_mm[1] + 2 * margin_mm
        scale = max(height_mm / size[0], width_mm / size[1])
        if not stretch:
            height_mm, width_mm = scale * size[0], scale * size[1]
        height, width = round(height_mm / pixel_mm[0]), round(width_mm / pixel_mm[1])
        top, left = (int(rows[0] + rows[-1]) + 1 - height) // 2, (int(columns[0] + columns[-1]) + 1 - width) // 2
        return cls(top, left, height, width, size)

    def pixel_mm(self, row_mm: float) -> float:
        """Return the row spacing of the network's input in mm.

        Args:
            row_mm: Row spacing of the slice in mm.
        """
        return row_mm * self.height / self.size[0]

    def extract(self, slices: np.ndarray, fill: float = AIR_HU, interpolation: str = "area") -> np.ndarray:
        """Crop slices to the frame and resample them to the size of the network's input.

        Args:
            slices: Array (n, rows, columns).
            fill: Value beyond the edge of the slices.
            interpolation: "area" averages when downsampling; "nearest" is for labels.

        Returns:
            float32 (n, *size).
        """
        rows, columns = self._inside(slices.shape[1:])
        extracted = np.full((len(slices), *self.size), fill, np.float32)
        if interpolation == "nearest":
            row_of, column_of = nearest_indices(self.height, self.size[0]), nearest_indices(self.width, self.size[1])
            known_rows = (row_of >= rows.start) & (row_of < rows.stop)
            known_columns = (column_of >= columns.start) & (column_of < columns.stop)
            pixels = np.ix_(range(len(slices)), self.top + row_of[known_rows], self.left + column_of[known_columns])
            extracted[np.ix_(range(len(slices)), known_rows, known_columns)] = slices[pixels]
            return extracted
        vertical = averaging_weights(self.height, self.size[0])[:, rows.start : rows.stop]
        horizontal = averaging_weights(self.width, self.size[1])[:, columns.start : columns.stop].T.toarray()
        known = np.outer(vertical.sum(axis=1), horizontal.sum(axis=0))  # how much of each new pixel is in the slice
        beyond = np.float32(fill) * np.where(known > 0.99999, 0, 1 - known)
        for section, result in zip(slices, extracted, strict=True):
            part = section[_shifted(rows, self.top), _shifted(columns, self.left)]
            result[:] = (vertical @ part.astype(np.float32)) @ horizontal
            result += beyond
        return extracted

    def insert(self, maps: np.ndarray, output: np.ndarray | Sequence[np.ndarray]) -> None:
        """Resample probability maps to the frame and write them into whole slices.

        Args:
            maps: Probabilities from 0 to 1, (n, *size).
            output: n slices, uint8 (rows, columns), which receive 0 to 255. Pixels outside the frame are not changed.
        """
        rows, columns = self._inside(output[0].shape)
        vertical = linear_weights(self.size[0], self.height)[rows.start : rows.stop]
        horizontal = linear_weights(self.size[1], self.width)[columns.start : columns.stop].T.toarray() * np.float32(
            255
        )
        for probabilities, section in zip(np.asarray(maps, np.float32), output, strict=True):
            full = vertical @ (probabilities @ horizontal)
            section[_shifted(rows, self.top), _shifted(columns, self.left)] = np.rint(full, out=full).clip(0, 255)

    def _inside(self, shape: tuple[int, ...]) -> tuple[slice, slice]:
        """Return the rows and columns of the frame, counted in it, that lie within slices of a shape."""
        top, left = max(-self.top, 0), max(-self.left, 0)
        bottom, right = min(self.height, shape[0] - self.top), min(self.width, shape[1] - self.left)
        return slice(top, max(bottom, top)), slice(left, max(right, left))


def _shifted(part: slice, by: int) -> slice:
    return slice(part.start + by, part.stop + by)


def neighbouring_slices(index: int, count: int, slices: int, slice_mm: float, step_mm: float) -> list[int]:
    """Return the indices of slices around a slice. The first and last slice of the scan are repeated beyond its ends.

    Args:
        index: The slice in the middle.
        count: Number of slices of the scan.
        slices: Number of slices to return; odd.
        slice_mm: Distance between slices of the scan in mm.
        step_mm: Distance between the returned slices in mm, rounded to a whole number of slices, at least one.

    >>> neighbouring_slices(10, 100, 3, slice_mm=1.0, step_mm=2.5)
    [8, 10, 12]
    """
    step = max(1, round(step_mm / slice_mm))
    return [min(max(index + k * step, 0), count - 1) for k in range(-(slices // 2), slices // 2 + 1)]
