"""A CT and its masks on the patient's axes, as figures and reports show them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from skimage.measure import label, regionprops

from ..segmentation import LEFT_LUNG, RIGHT_LUNG, Segmentation
from ..volume import Volume

#: Voxels above belong to the patient or the table.
BODY_HU = -500
#: Letters of the patient's sides at low and high LPS coordinates, along x, y and z.
SIDES = (("R", "L"), ("A", "P"), ("I", "S"))


@dataclass(frozen=True)
class OrientedScan:
    """A CT and its masks with z towards the head, y towards the back and x towards the patient's left.

    Attributes:
        hu: HU (z, y, x).
        masks: Boolean (z, y, x) by "right", "left" and "infection".
        spacing: Voxel spacing in mm along (z, y, x).
        image: The CT as an image, for physical positions.
        rows: Range of y that contains the body.
        columns: Range of x that contains the body.
    """

    hu: np.ndarray
    masks: dict[str, np.ndarray]
    spacing: tuple[float, float, float]
    image: sitk.Image
    rows: slice
    columns: slice

    @classmethod
    def of(cls, volume: Volume, segmentation: Segmentation) -> OrientedScan:
        """Reorient a CT and its segmentation. On an oblique grid the axes are the nearest ones of the patient."""
        image = sitk.DICOMOrient(volume.to_image(), "LPS")
        # One image holds all masks: the lung labels in two bits, the infection in the third.
        packed = segmentation.lungs | (segmentation.infection.astype(np.uint8) << 2)
        labels = sitk.GetArrayFromImage(sitk.DICOMOrient(volume.grid.to_image(packed), "LPS"))
        masks = {"right": labels & 3 == RIGHT_LUNG, "left": labels & 3 == LEFT_LUNG, "infection": labels > 3}
        hu = sitk.GetArrayViewFromImage(image)
        rows, columns = _body_box(hu, labels > 0)
        x, y, z = image.GetSpacing()
        return cls(hu, masks, (z, y, x), image, rows, columns)

    def best_index(self, axis: int) -> int:
        """Return the index along an array axis with the most infection, else with the most lung, else in the middle."""
        others = tuple(a for a in range(3) if a != axis)
        infection = self.masks["infection"].sum(others)
        if infection.any():
            return int(infection.argmax())
        lungs = (self.masks["right"] | self.masks["left"]).sum(others)
        return int(lungs.argmax()) if lungs.any() else self.hu.shape[axis] // 2

    def spread_indices(self, count: int) -> list[int]:
        """Return `count` indices along z, evenly spread from apex to base of the lungs; of the scan without lungs."""
        lungs = np.flatnonzero((self.masks["right"] | self.masks["left"]).any((1, 2)))
        top, base = (lungs[-1], lungs[0]) if len(lungs) else (self.hu.shape[0] - 1, 0)
        fractions = (np.arange(count) + 0.5) / count
        return [round(float(top - fraction * (top - base))) for fraction in fractions]

    def position(self, axis: int, index: int) -> str:
        """Return the position of a slice as Slicer displays it: side of the patient, distance to the origin in mm."""
        voxel = [n / 2 for n in self.image.GetSize()]
        voxel[2 - axis] = float(index)
        lps = self.image.TransformContinuousIndexToPhysicalPoint(voxel)[2 - axis]
        return f"{SIDES[2 - axis][int(lps > 0)]} {abs(lps):.0f} mm"


def _body_box(hu: np.ndarray, mask: np.ndarray) -> tuple[slice, slice]:
    """Return the rows and columns that contain the body and all of a mask, with a margin, but not the table."""
    step = max(1, hu.shape[1] // 128)
    silhouette = (hu[:: max(1, len(hu) // 32), ::step, ::step] > BODY_HU).mean(0) > 0.3
    parts = regionprops(label(silhouette))
    if not parts:
        return slice(0, hu.shape[1]), slice(0, hu.shape[2])
    boxes = [tuple(step * b for b in max(parts, key=lambda part: part.area).bbox)]
    rows, columns = np.nonzero(mask.any(0))
    if len(rows):
        boxes.append((rows.min(), columns.min(), rows.max() + 1, columns.max() + 1))
    low, high = np.min(boxes, axis=0)[:2] - 2 * step, np.max(boxes, axis=0)[2:] + 2 * step
    return slice(max(low[0], 0), min(high[0], hu.shape[1])), slice(max(low[1], 0), min(high[1], hu.shape[2]))
